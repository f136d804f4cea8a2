"""`pybpfnf delay` as a command: what it prints, and what it says of wrong use."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pybpfnf.apps.delay.protocol import Reply
from tests.apps.test_delay_collector import answer
from tests.apps.test_delay_responder import probe
from tests.cli.conftest import CaptureOf, Command

Start = Callable[..., subprocess.Popen[str]]


def free_port() -> int:
    """One that nobody has; a listener of ours takes it in a moment."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.bind(("::1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts `pybpfnf delay ...` and waits until the port is taken."""
    started: list[subprocess.Popen[str]] = []

    def run(port: int, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "pybpfnf", "delay", *arguments, "--bind", "::1", "--port", str(port)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        while process.poll() is None and not _taken(port):
            time.sleep(0.01)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def _taken(port: int) -> bool:
    """Whether somebody listens there; asked of the kernel's table, because a socket of ours would be in the way."""
    return f":{port:04X} " in Path("/proc/net/udp6").read_text()


def send(port: int, *datagrams: bytes) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        for each in datagrams:
            sock.sendto(each, ("::1", port))


def test_the_collector_prints_each_path_as_json(start: Start) -> None:
    port = free_port()
    process = start(port, "collector", "--json", "--count", "4")
    send(port, answer(1_000_000), answer(3_000_000), answer(session=8), answer(control=Reply.BAD_VERSION))
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    one, other, end = map(json.loads, out.splitlines())
    assert (one["session"], one["path"], one["count"], one["min"], one["max"], one["mean"]) == (
        7, ["fc00:2::2", "fc00:3::3"], 2, 1_000_000, 3_000_000, 2_000_000
    )  # fmt: skip
    assert (other["session"], other["count"]) == (8, 1)
    assert end == {"received": 4, "refused": {"an answer that says bad version": 1}}


def test_the_collector_prints_a_table_until_it_is_stopped(start: Start) -> None:
    port, metrics = free_port(), free_port()
    process = start(port, "collector", "--every", "0.2", "--prometheus", str(metrics))
    send(port, answer(5_000_000), b"")
    assert process.stdout is not None
    assert process.stdout.readline().split()[:4] == ["SESSION", "PATH", "PROBES", "MIN"]
    assert process.stdout.readline().split()[:6] == ["7", "fc00:2::2", "fc00:3::3", "1", "5.000", "5.000"]
    process.stdout.readline()  # the next table: the metrics are there
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=5) as response:
        assert b"pybpfnf_delay_datagrams_total 2" in response.read()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "refused 1: too short for a DM TLV\n")


def test_a_port_of_the_metrics_that_is_taken_is_named(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = command("delay", "collector", "--port", free_port(), "--prometheus", port)
    assert (ended.status, ended.err) == (3, f"error: cannot listen at 127.0.0.1, port {port}: address already in use\n")


def test_a_picture_that_could_not_be_written_at_the_end_is_refused_at_the_beginning(command: Command, tmp_path: Path) -> None:
    ended = command("delay", "watch", "--plot", tmp_path / "nowhere" / "p.png")
    assert (ended.status, "there is no directory" in ended.err) == (2, True)


def test_a_picture_of_a_format_that_there_is_not_is_refused_at_the_beginning(command: Command, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    ended = command("delay", "watch", "--plot", tmp_path / "p.bmpx")
    assert (ended.status, "there is no format 'bmpx'" in ended.err) == (2, True)


def test_watch_shows_a_chart_and_draws_it(start: Start, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    port = free_port()
    process = start(port, "watch", "--count", "2", "--plot", str(tmp_path / "course.svg"))
    send(port, answer(5_000_000), answer(7_000_000))
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "2 datagrams, 0 refused" in out
    assert "fc00:2::2 fc00:3::3" in out.replace("\n", " ")
    assert b"<svg" in (tmp_path / "course.svg").read_bytes()


def test_the_responder_answers_for_a_capture(command: Command, capture_of: CaptureOf) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as inbox:
        inbox.bind(("::1", 0))
        inbox.settimeout(5)
        capture = capture_of(probe(inbox.getsockname()[1]), probe(inbox.getsockname()[1], to="2001:db8::1"))
        ended = command("delay", "responder", "--vm", capture, "--to", "::1/128")
        assert len(inbox.recv(4096)) == 48 + 40 + 8 + 32
    assert ended.status == 0
    answers = next(found for found in map(json.loads, ended.err.splitlines()) if found["event"] == "answers")
    assert (answers["answered"], answers["refused"]) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("responder",), "a sid is needed"),
        (("responder", "fc00::1", "--to", "fc00::1/8"), "host bits set"),
        (("responder", "fc00::1", "--source", "2001:db8::1"), "cannot send from 2001:db8::1"),
        (("query", "nonsense"), "nonsense"),
        (("query",), "missing argument"),
        (("query", "ff02::1"), "ff02::1 cannot be a segment"),
        (("query", "fc00::1", "--timeout", "nan"), "nan: from 0 to 86400 seconds"),
        (("query", "fc00::1", "--interval", "inf"), "inf: from 0 to 86400 seconds"),
        (("query", "fc00::1", "--interval", "soon"), "'soon' is not a number"),
        (("collector", "--every", "0"), "0: from 0.1 to 86400 seconds"),
        (("query", "fc00::1", "--session", str(1 << 24)), "16777216 is not in the range"),
        (("collector", "--bind", "127.0.0.1"), "127.0.0.1: expected an ipv6 address"),
        (("responder", "fc00::1", "--source", "here"), "here: expected an ipv6 address"),
        (("collector", "--bind", "2001:db8::1"), "cannot listen at 2001:db8::1"),
    ],
)
def test_wrong_use_is_named(command: Command, arguments: tuple[str, ...], message: str) -> None:
    ended = command("delay", *arguments)
    assert ended.status in (2, 3)
    assert message in ended.err.lower()
