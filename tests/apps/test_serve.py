"""`pybpfnf serve`: a function with its control, attached for as long as the control runs, and not a moment longer."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

import pybpfnf
from pybpfnf import ControlError, InputError, Served
from pybpfnf.apps.control import controlled
from pybpfnf.apps.log import Log
from pybpfnf.apps.stopping import GRACE, Stopping
from pybpfnf.dsl.surface import Program
from pybpfnf.testing.packets import srv6

SID = "fc00:f::2"
TO_B0 = bytes.fromhex("0200 0000 0b00 0200 0000 0b01 86dd")
FUNCTION = '''
from pybpfnf import OK, RingBuf, Seg6Packet, Served, State, Struct, Verdict, seg6local, u16, u32


class Seen(Struct):
    tag: u16


MARK = State(u32, initial=0)
events = RingBuf(Seen, 4096)


@seg6local
def watch(pkt: Seg6Packet) -> Verdict:
    """Say each packet's tag; a tag of 0 is a fault."""
    pkt.mark = MARK
    assert pkt.srh.tag != 0, "no tag"
    events.emit(Seen(tag=pkt.srh.tag))
    return OK
'''
LOOP = """

def control(nf: Served) -> None:
    for record in nf.feed(events):
        nf.log("seen", tag=record.tag)
    nf.log("bye")
"""
FAILS = """

def control(nf: Served) -> None:
    for record in nf.feed(events):
        1 // (record.tag - 2)
"""
RETURNS = """

def control(nf: Served) -> None:
    nf[MARK] = 7
"""
DEAF = """

def control(nf: Served) -> None:
    import time
    nf.log("deaf")
    while True:
        time.sleep(0.05)
"""


def packet(tag: int) -> bytes:
    return srv6(["fc00:3::3", SID], tag=tag)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    def written(text: str, name: str = "watch.py") -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return written


def lines(log: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def served(path: str, *packets: bytes) -> list[dict[str, Any]]:
    """The log of a control that has these packets in the VM."""
    found, log = controlled(path), StringIO()
    pybpfnf.serve_packets(found.target, found.control, packets, log=Log(log))
    return lines(log)


# ------------------------------------------------------------------------------------------------------------- in the VM


def test_the_control_gets_each_record_and_the_end(write: Callable[..., str]) -> None:
    log = served(write(FUNCTION + LOOP), packet(1), packet(2), packet(3))
    assert [(each["event"], each.get("tag")) for each in log] == [
        ("loaded", None), ("seen", 1), ("seen", 2), ("seen", 3), ("bye", None), ("stopped", None), ("unloaded", None)
    ]  # fmt: skip
    assert all(each["time"].endswith("+00:00") for each in log)


def test_what_faulted_is_in_the_log(write: Callable[..., str]) -> None:
    log = served(write(FUNCTION + LOOP), packet(0), packet(1), packet(0))
    (faults,) = [each for each in log if each["event"] == "faults"]
    assert (faults["message"], faults["count"]) == ("no tag", 2)
    assert log[-1]["packets"] == 3
    assert log[-1]["forwarded"] == 1


def test_packets_that_the_control_does_not_wait_for_are_run_too(write: Callable[..., str]) -> None:
    assert served(write(FUNCTION + RETURNS), packet(1), packet(2))[-1]["packets"] == 2


def test_a_failure_of_the_control_is_named_with_its_line_and_is_no_bug_of_ours(write: Callable[..., str]) -> None:
    path = write(FUNCTION + FAILS)
    line = (FUNCTION + FAILS).splitlines().index("        1 // (record.tag - 2)") + 1
    with pytest.raises(ControlError, match=rf"control failed: ZeroDivisionError: .* \({path}:{line}\)") as raised:
        served(path, packet(1), packet(2))
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(("code", "ends"), [("", "stopped"), ("0", "stopped"), ("5", "failed"), ("'no'", "failed")])
def test_a_control_that_exits_ends_itself_and_not_what_serves_it(write: Callable[..., str], code: str, ends: str) -> None:
    found, log = controlled(write(FUNCTION + f"\n\ndef control(nf):\n    raise SystemExit({code})\n")), StringIO()
    with pytest.raises(ControlError, match="SystemExit") if ends == "failed" else nullcontext():
        pybpfnf.serve_packets(found.target, found.control, [packet(1)], log=Log(log))
    assert ends in [each["event"] for each in lines(log)]


@pytest.mark.parametrize("field", ["time", "event"])
def test_a_field_does_not_take_the_place_of_the_logs_own(write: Callable[..., str], field: str) -> None:
    with pytest.raises(ControlError, match=f"each line has a field '{field}' of its own"):
        served(write(FUNCTION + f"\n\ndef control(nf):\n    nf.log('x', **{{'{field}': 1}})\n"), packet(1))


def test_a_mistake_that_we_find_is_in_the_controls_own_line(write: Callable[..., str]) -> None:
    source = FUNCTION + "\n\ndef control(nf: Served) -> None:\n    nf['no such map']\n"
    path = write(source)
    line = source.splitlines().index("    nf['no such map']") + 1
    with pytest.raises(ControlError, match=rf"\({path}:{line}\)"):
        served(path, packet(1))


def test_a_control_may_stand_in_a_file_beside(write: Callable[..., str]) -> None:
    path = write(FUNCTION)
    write("from watch import events\n" + LOOP.replace(": Served", ""), "watch_control.py")
    assert [each["tag"] for each in served(path, packet(5)) if each["event"] == "seen"] == [5]


def test_a_control_of_python_alone_waits_and_looks_at_other_things(write: Callable[..., str]) -> None:
    seen = []

    def control(nf: Served) -> None:
        while nf.wait("events", 1.0):
            seen.append([record.tag for record in nf["events"]])

    pybpfnf.serve_packets(write(FUNCTION), control, [packet(1), packet(2)], log=Log(StringIO()))
    assert seen == [[1], [2]]


@pytest.mark.parametrize(
    ("files", "message", "hint"),
    [
        ({"watch.py": FUNCTION}, "has no control", "watch_control.py beside it"),
        ({"watch.py": FUNCTION + LOOP, "watch_control.py": "def control(nf): pass\n"}, "has another", "remove one"),
        ({"watch.py": FUNCTION + LOOP + "\nSERVE = {'sids': 'fc00::1'}\n"}, "SERVE is no place", "dict with any of sid, route, dev"),
        ({"watch.py": FUNCTION + "\ncontrol = 5\n"}, "watch.py: control is no function", "write `def control"),
        ({"watch.py": "def control(nf): pass\n"}, "has no network function", "@seg6local"),
    ],
)
def test_what_cannot_be_served_says_what_to_do(write: Callable[..., str], files: dict[str, str], message: str, hint: str) -> None:
    paths = [write(text, name) for name, text in files.items()]
    with pytest.raises(InputError, match=message) as raised:
        controlled(paths[0])
    assert hint in str(raised.value.hint)


def test_a_control_that_cannot_be_called_is_found_before_anything_runs(write: Callable[..., str]) -> None:
    found = controlled(write(FUNCTION + "\n\ndef control(nf, other):\n    pass\n"))
    lines = StringIO()
    with pytest.raises(InputError, match=r"watch\.py:\d+: control cannot be called as control\(nf\): missing .* 'other'"):
        pybpfnf.serve_packets(found.target, found.control, [packet(1)], log=Log(lines))
    assert lines.getvalue() == ""


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("async def control(nf):\n    pass", "an async function"),
        ("async def control(nf):\n    yield", "an async generator"),
        ("def control(nf):\n    yield", "a generator"),
    ],
)
def test_a_control_that_a_call_would_not_run_is_refused(write: Callable[..., str], text: str, what: str) -> None:
    found = controlled(write(FUNCTION + f"\n\n{text}\n"))
    with pytest.raises(InputError, match=rf"watch\.py:\d+: control is {what}: to call it would run nothing"):
        pybpfnf.serve_packets(found.target, found.control, [packet(1)], log=Log(StringIO()))


@pytest.mark.parametrize(
    ("given", "message"),
    [((), "nothing says where"), (("--sid", "fc00::1", "--route", "fd00::/64"), "both are given")],
)
def test_a_function_is_bound_to_one_place(write: Callable[..., str], given: tuple[str, ...], message: str) -> None:
    done = subprocess.run([sys.executable, "-m", "pybpfnf", "serve", write(FUNCTION + LOOP), *given], capture_output=True, text=True)
    assert done.returncode == 2
    assert message in done.stderr
    assert "--sid or --route" in done.stderr


def test_of_several_functions_one_is_named(write: Callable[..., str]) -> None:
    path = write(FUNCTION + "\n\n@seg6local\ndef other(pkt: Seg6Packet) -> Verdict:\n    return OK\n" + LOOP)
    with pytest.raises(InputError, match="several network functions"):
        controlled(path)
    assert isinstance(controlled(path, "other").target, Program)


# -------------------------------------------------------------------------------------------------------- in the kernel


def send(*packets: bytes) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind(("b1", 0))
        for each in packets:
            wire.send(TO_B0 + each)


@pytest.fixture
def daemon(own_bpffs: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `pybpfnf serve` in this thread's namespace; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen([sys.executable, "-m", "pybpfnf", "serve", *arguments], stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def event(process: subprocess.Popen[str], name: str) -> dict[str, Any]:
    """The next event of the daemon, which is that one."""
    assert process.stderr is not None
    text = process.stderr.readline()
    assert text.startswith("{"), text + process.stderr.read()
    document: dict[str, Any] = json.loads(text)
    assert document["event"] == name
    return document


def nothing_is_left() -> bool:
    routes = subprocess.run(["ip", "-6", "route", "show", "table", "all"], capture_output=True, text=True, check=True).stdout
    return pybpfnf.status() == [] and "seg6local" not in routes


@pytest.mark.kernel
@pytest.mark.usefixtures("namespace")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_nothing_is_left(daemon: Callable[..., subprocess.Popen[str]], write: Callable[..., str], number: int) -> None:
    process = daemon(write(FUNCTION + LOOP), "--sid", SID, "--dev", "b0")
    assert event(process, "attached")["destination"] == SID
    send(packet(1), packet(0), packet(2))
    assert [event(process, "seen")["tag"] for _ in range(2)] == [1, 2]
    process.send_signal(number)
    event(process, "bye")
    assert event(process, "stopped")["by"] == signal.Signals(number).name
    assert event(process, "faults")["count"] == 1
    event(process, "detached")
    assert process.wait(10) == 0
    assert nothing_is_left()


@pytest.mark.kernel
@pytest.mark.usefixtures("namespace")
def test_while_it_is_served_other_commands_see_and_set_it(daemon: Callable[..., subprocess.Popen[str]], write: Callable[..., str]) -> None:
    process = daemon(write(FUNCTION + LOOP + f"\nSERVE = {{'sid': '{SID}', 'dev': 'b0'}}\n"))
    event(process, "attached")
    with pybpfnf.attached(SID) as nf:
        nf["MARK"] = 5
        assert nf["MARK"] == 5
    process.terminate()
    assert process.wait(10) == 0


@pytest.mark.kernel
@pytest.mark.usefixtures("namespace")
def test_what_is_attached_already_is_served_as_it_is_and_stays(
    daemon: Callable[..., subprocess.Popen[str]], write: Callable[..., str]
) -> None:
    path = write(FUNCTION + LOOP)
    pybpfnf.attach(path, SID, dev="b0")
    refused = daemon(path, "--sid", SID, "--dev", "b0")
    assert refused.stderr is not None
    assert "or use what is there, with --attached" in refused.stderr.read()
    process = daemon(path, "--sid", SID, "--attached")
    assert event(process, "found")["destination"] == SID
    send(packet(5))
    assert event(process, "seen")["tag"] == 5
    process.terminate()
    assert process.wait(10) == 0
    with pybpfnf.attached(SID) as nf:
        assert nf["MARK"] == 0


@pytest.mark.kernel
@pytest.mark.usefixtures("namespace", "own_bpffs")
def test_another_function_that_is_attached_is_not_served(write: Callable[..., str]) -> None:
    found = controlled(write(FUNCTION + LOOP))
    with pytest.raises(InputError, match=f"nothing is attached to {SID}"):
        pybpfnf.serve_attached(found.target, found.control, SID, log=Log(StringIO()))
    pybpfnf.attach("end", SID, dev="b0")
    with pytest.raises(InputError, match=f"{SID} has end attached, not watch"):
        pybpfnf.serve_attached(found.target, found.control, SID, log=Log(StringIO()))


def test_what_is_attached_already_is_bound_as_it_is(write: Callable[..., str]) -> None:
    command = [sys.executable, "-m", "pybpfnf", "serve", write(FUNCTION + LOOP), "--sid", SID, "--attached", "--dev", "b0"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "--attached does not go with --dev" in done.stderr


@pytest.mark.kernel
@pytest.mark.usefixtures("namespace")
def test_a_control_that_does_not_listen_is_interrupted(daemon: Callable[..., subprocess.Popen[str]], write: Callable[..., str]) -> None:
    process = daemon(write(FUNCTION + DEAF), "--sid", SID, "--dev", "b0")
    event(process, "attached")
    event(process, "deaf")
    began = time.monotonic()
    process.terminate()
    assert event(process, "stopped")["by"] == "SIGTERM"
    assert process.wait(10) == 0
    assert 1.5 < time.monotonic() - began < 8
    assert nothing_is_left()


@pytest.mark.kernel
@pytest.mark.usefixtures("namespace")
def test_a_second_signal_interrupts_at_once(daemon: Callable[..., subprocess.Popen[str]], write: Callable[..., str]) -> None:
    process = daemon(write(FUNCTION + DEAF), "--sid", SID, "--dev", "b0")
    event(process, "attached")
    event(process, "deaf")
    process.terminate()
    time.sleep(0.3)
    began = time.monotonic()
    process.terminate()
    event(process, "stopped")
    assert time.monotonic() - began < GRACE - 0.3
    assert process.wait(10) == 0
    assert nothing_is_left()


@pytest.mark.kernel
@pytest.mark.usefixtures("namespace")
def test_a_control_that_fails_leaves_nothing_and_status_1(daemon: Callable[..., subprocess.Popen[str]], write: Callable[..., str]) -> None:
    process = daemon(write(FUNCTION + FAILS), "--sid", SID, "--dev", "b0")
    event(process, "attached")
    send(packet(2))
    assert event(process, "failed")["error"] == "ZeroDivisionError"
    assert process.wait(10) == 1
    assert nothing_is_left()


@pytest.mark.kernel
@pytest.mark.usefixtures("namespace", "own_bpffs")
@pytest.mark.parametrize(
    ("binding", "message"),
    [
        ({"dev": "no-such"}, "no-such"),
        ({}, "device"),
        ({"dev": "b0", "config": {"MORK": 1}}, "MORK"),
    ],
)
def test_what_cannot_be_attached_leaves_nothing(write: Callable[..., str], binding: dict[str, Any], message: str) -> None:
    found = controlled(write(FUNCTION + LOOP))
    with pytest.raises(InputError, match=message):
        pybpfnf.serve(found.target, found.control, SID, **binding, log=Log(StringIO()))
    assert nothing_is_left()


@pytest.mark.kernel
@pytest.mark.usefixtures("namespace", "own_bpffs")
def test_from_python_it_is_stopped_by_who_holds_its_stopping(write: Callable[..., str]) -> None:
    log, stopping = StringIO(), Stopping()

    def control(nf: Served) -> None:
        asker = threading.Timer(0.1, stopping.set)
        asker.start()
        assert list(nf.feed("events")) == []
        asker.join()

    pybpfnf.serve(write(FUNCTION), control, SID, dev="b0", log=Log(log), stopping=stopping)
    assert [(each["event"], each.get("by")) for each in lines(log)] == [("attached", None), ("stopped", "request"), ("detached", None)]
    assert nothing_is_left()


@pytest.mark.kernel
@pytest.mark.usefixtures("namespace", "own_bpffs")
def test_who_detaches_it_meanwhile_has_done_it(write: Callable[..., str]) -> None:
    def control(nf: Served) -> None:
        pybpfnf.detach(SID)

    log = StringIO()
    pybpfnf.serve(write(FUNCTION), control, SID, dev="b0", log=Log(log))
    assert [each["event"] for each in lines(log)] == ["attached", "stopped"]


@pytest.mark.kernel
@pytest.mark.usefixtures("namespace")
def test_without_rights_it_says_what_is_missing(write: Callable[..., str]) -> None:
    command = [sys.executable, "-m", "pybpfnf", "serve", write(FUNCTION + LOOP), "--sid", SID, "--dev", "b0"]
    done = subprocess.run(["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command], capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    assert "error: not permitted to" in done.stderr
    assert "CAP_BPF" in done.stderr
    assert "Traceback" not in done.stderr
