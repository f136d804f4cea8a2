"""`pybpfnf lab run`: what a topology does, without root."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybpfnf.captures.pcap import read_capture
from pybpfnf.testing.packets import ipv6, srv6, udp
from tests.cli.conftest import CaptureOf, Command
from tests.cli.conftest import capture_of as capture_of
from tests.cli.conftest import command as command

ROOT = Path(__file__).resolve().parents[2]
LINE = """
[nodes.a]
[nodes.b]
[[nodes.b.sids]]
sid = "fc00:b::1"
function = "faulty.py"
[nodes.c]
[[links]]
ends = ["a", "b"]
there = { delay = "5ms" }
back = { delay = "20ms" }
[[links]]
ends = ["b", "c"]
"""
FAULTY = """\
from pybpfnf import OK, Seg6Packet, Verdict, log, seg6local
from pybpfnf.headers import Udp


@seg6local
def faulty(pkt: Seg6Packet) -> Verdict:
    log(f"{pkt.srh.tag}")
    return OK if pkt.view(Udp, at=30000).length > 0 else OK
"""


@pytest.fixture
def topology(tmp_path: Path) -> Path:
    (tmp_path / "faulty.py").write_text(FAULTY, encoding="utf-8")
    path = tmp_path / "line.toml"
    path.write_text(LINE, encoding="utf-8")
    return path


def test_each_node_asks_each_other_for_an_echo(command: Command, topology: Path) -> None:
    ended = command("lab", "run", topology)
    assert ended.status == 0
    assert ended.out.splitlines()[:5] == [
        "FROM  TO     RTT MS  WAY",
        "a     b   25.000000  a b",
        "a     c   25.000000  a b c",
        "b     a   25.000000  b a",
        "b     c    0.000000  b c",
    ]


def test_an_echo_is_an_object_of_json(command: Command, topology: Path) -> None:
    found = command("lab", "run", topology, "--ping", "a:fd00::3", "--json").documents
    assert found[0] == {
        "from": "a",
        "to": "fd00::3",
        "rtt_ns": 25_000_000,
        "there": ["a", "b", "c"],
        "back": ["c", "b", "a"],
        "reason": None,
    }
    assert found[1] == {"link": "a-b", "from": "a", "sent": 1, "arrived": 1, "lost": 0}


def test_an_echo_that_does_not_come_back_is_a_failure(command: Command, topology: Path) -> None:
    ended = command("lab", "run", topology, "--ping", "a:c", "--ping", "a:dead::1")
    assert ended.status == 1
    assert "a     dead::1          -  a (a: there is no route to dead::1)" in ended.out


def test_packets_of_a_capture_leave_at_their_times(command: Command, topology: Path, capture_of: CaptureOf, tmp_path: Path) -> None:
    sent = capture_of(*(ipv6("fd00::3", source="fd00::1", payload=udp(destination_port=port)) for port in (1, 2)))
    ended = command("lab", "run", topology, "--send", f"a:{sent}", "--pcap", tmp_path / "links", "--json")
    assert ended.status == 0
    assert f"wrote 2 captures to {tmp_path / 'links'}" in ended.err
    with (tmp_path / "links" / "a-b.pcap").open("rb") as stream:
        records = [record for record in read_capture(stream, "a-b") if record.packet and record.packet[8:24].endswith(b"\1")]
    assert [record.timestamp - records[0].timestamp for record in records] == [0, 10**9]  # the captures are a second apart
    drops = [each for each in ended.documents if "where" in each]
    assert [(each["at_ns"], each["where"]) for each in drops] == [(5_000_000, "c"), (1_005_000_000, "c")]


def test_it_stops_when_it_is_told_to(command: Command, topology: Path, capture_of: CaptureOf) -> None:
    sent = capture_of(*(ipv6("fd00::3", source="fd00::1", payload=udp()) for _ in range(3)))
    found = command("lab", "run", topology, "--send", f"a:{sent}", "--until", "1004ms", "--json").documents
    assert {"link": "a-b", "from": "a", "sent": 2, "arrived": 1, "lost": 0} in found


def test_what_a_function_says_and_how_it_faults_is_shown(command: Command, topology: Path, capture_of: CaptureOf) -> None:
    sent = capture_of(srv6(["fd00::3", "fc00:b::1"], source="fd00::1", tag=77))
    ended = command("lab", "run", topology, "--send", f"a:{sent}")
    assert "b     fc00:b::1/128       1  " in ended.out
    assert "faulty.py:8" in ended.out
    assert "5.000000 ms b: " in ended.out
    assert "77" in ended.out.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--ping", "a"], "'a' is not NODE:TARGET, as r1:r2"),
        (["--ping", "z:a"], "there is no node 'z'"),
        (["--ping", "a:nobody"], "'nobody' is no node and no IPv6 address"),
        (["--send", "a:missing.pcap"], "cannot read missing.pcap: no such file or directory"),
        (["--send", "z:missing.pcap"], "there is no node 'z'"),
        (["--until", "5"], "`5` has no unit of a time"),
    ],
)
def test_what_is_not_understood_is_said(command: Command, topology: Path, arguments: list[str], said: str) -> None:
    ended = command("lab", "run", topology, *arguments)
    assert (ended.status, said in ended.err) == (2, True)


@pytest.mark.parametrize("path", sorted((ROOT / "examples" / "lab").glob("*.toml")), ids=lambda path: path.stem)
def test_the_nodes_of_the_examples_reach_each_other(command: Command, path: Path) -> None:
    found = command("lab", "run", path, "--json").documents
    echoes = [each for each in found if "rtt_ns" in each]
    assert echoes
    assert [each for each in echoes if each["rtt_ns"] is None] == []
