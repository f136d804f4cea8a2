"""Entries of maps from the command line: `set`, `unset`, and `--set` before the first packet."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybpfnf.testing.packets import srv6
from tests.cli.conftest import CaptureOf, Command

SID = "fc00:f::2"
SOURCE = """
from pybpfnf import DROP, OK, Array, Hash, IPv6Address, LpmTrie, PerCpuArray, Queue, Seg6Packet, State, Struct, Verdict, octets, seg6local
from pybpfnf import u16, u32, u64


class Seen(Struct):
    packets: u32 = 0
    mark: bytes = octets(2, default=b"ab")


class Flow(Struct):
    source: IPv6Address
    port: u16


LIMIT = State(u32, initial=3)
allowed = Hash(IPv6Address, bool, 2)
weights = LpmTrie(IPv6Address, u32, 8)
slots = Array(Seen, 2)
counts = PerCpuArray(u64, 1)
flows = Hash(Flow, u32, 8)
waiting = Queue(u32, 4)


@seg6local
def admit(pkt: Seg6Packet) -> Verdict:
    weight = weights.get(pkt.ipv6.source)
    counts[0] += LIMIT if weight is None else weight
    slots[0].packets += 1
    flows[Flow(source=pkt.ipv6.source, port=1)] = 1
    waiting.push(7)
    return OK if pkt.ipv6.source in allowed else DROP
"""


@pytest.fixture
def admit(tmp_path: Path) -> Path:
    path = tmp_path / "admit.py"
    path.write_text(SOURCE)
    return path


def test_run_sets_entries_before_the_first_packet(command: Command, capture_of: CaptureOf, admit: Path) -> None:
    capture = capture_of(srv6(["fc00:2::2", SID], source="fd00::1"))
    settings = ("--set", "allowed[fd00::1]=true", "--set", "weights[fd00::/8]=40", "--set", "LIMIT=5")
    ended = command("run", admit, capture, *settings, "--get", "counts", "--json").documents
    assert (ended[1]["verdict"], ended[2]["contents"]) == ("OK", [{"name": "counts", "key": 0, "value": 40}])


WRONG = {
    "allowed[fd00]=true": "map allowed, key: fd00 is not an IPv6 address",
    "allowed[fd00::1]=7": "map allowed, value: 7 is not a bool (true or false)",
    "allowed[fd00::1]=": "map allowed, value:  is not a bool (true or false)",
    "slots[2]=packets=1,mark=6162": "map slots, index: '2' is not an index from 0 to 1",
    "slots[one]=packets=1,mark=6162": "map slots, index: 'one' is not an index from 0 to 1",
    "slots[0]=packets=1": "map slots, value: 'packets=1' has no mark",
    "slots[0]=packets=1,marks=6162": "map slots, value: 'marks=6162' is no FIELD=VALUE of Seen",
    "slots[0]=packets=1,mark=6162,packets=2": "map slots, value: 'packets=2' is given twice",
    "slots[0]=packets=1,mark=616": "map slots, value.mark: '616' is not 4 hexadecimal digits (2 bytes)",
    "slots[0]=packets=-1,mark=6162": "map slots, value.packets: -1 is not a u32 (0 to 4294967295)",
    "weights[fd00::1/8]=1": "map weights, key: 'fd00::1/8' is no prefix",
    "weights[10.0.0.0/8]=1": "map weights, key: 10.0.0.0/8 is no prefix of IPv6",
    "waiting[0]=1": "map waiting is a queue, which has no entries to change",
    "LIMIT[0]=1": "LIMIT is a variable: it has no entries",
    "alowed[fd00::1]=true": "no variable or map 'alowed'",
    "allowed[fd00::1=true": "'allowed[fd00::1=true' is not NAME=VALUE",
}


@pytest.mark.parametrize(("text", "message"), WRONG.items())
def test_what_is_no_entry_is_said_before_the_first_packet(
    command: Command, capture_of: CaptureOf, admit: Path, text: str, message: str
) -> None:
    ended = command("run", admit, capture_of(srv6(["fc00:2::2", SID])), "--set", text)
    assert (ended.status, ended.out) == (2, "")
    assert message in ended.err


@pytest.fixture
def bound(command: Command, admit: Path, namespace: object, own_bpffs: Path) -> Path:
    """Attached to the SID."""
    assert command("attach", admit, SID, "--dev", "b0").status == 0
    return admit


def rows(command: Command, *names: str) -> list[str]:
    return [" ".join(line.split()) for line in command("get", SID, *names).out.splitlines()[1:]]


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("allowed[fd00::1]=true", "allowed[fd00::1] True"),
        ("weights[fd00::/8]=0x10", "weights[fd00::/8] 16"),
        ("weights[fd00::9]=2", "weights[fd00::9/128] 2"),
        ("slots[0x1]=mark=7a7a, packets=9", "slots[1] packets=9 mark=7a7a"),
        ("counts[0]=12", "counts[0] 12"),
        ("flows[source=fd00::1,port=80]=3", "flows[source=fd00::1 port=80] 3"),
    ],
)
def test_set_writes_an_entry_of_each_kind_of_map(command: Command, bound: Path, text: str, shown: str) -> None:
    ended = command("set", SID, text)
    assert (ended.status, ended.err) == (0, "")
    assert shown in rows(command)


@pytest.mark.kernel
def test_set_of_a_map_shows_how_an_entry_is_written(command: Command, bound: Path) -> None:
    assert "'allowed[KEY]=VALUE', where KEY is an IPv6 address and VALUE true or false" in command("set", SID, "allowed=1").err
    assert "KEY is an index from 0 to 1 and VALUE packets=u32,mark=HEX" in command("set", SID, "slots=1").err
    assert "KEY is an IPv6 prefix and VALUE a u32" in command("set", SID, "weights=1").err
    assert "KEY is source=IPv6Address,port=u16 and VALUE a u32" in command("set", SID, "flows=1").err


@pytest.mark.kernel
def test_nothing_is_set_where_one_entry_is_wrong(command: Command, bound: Path) -> None:
    assert command("set", SID, "LIMIT=9", "allowed[fd00::1]=true", "allowed[fd00::2]=maybe").status == 2
    assert rows(command, "LIMIT", "allowed") == ["LIMIT 3"]


@pytest.mark.kernel
def test_what_the_kernel_refuses_undoes_what_came_before(command: Command, bound: Path) -> None:
    command("set", SID, "allowed[fd00::1]=false")
    ended = command("set", SID, "LIMIT=9", *(f"allowed[fd00::{host}]=true" for host in (1, 2, 3)))
    assert ended.status == 3
    assert rows(command, "LIMIT", "allowed") == ["LIMIT 3", "allowed[fd00::1] False"]


@pytest.mark.kernel
def test_unset_takes_entries_away_and_no_more_general_prefix(command: Command, bound: Path) -> None:
    command("set", SID, "weights[fd00::/8]=1", "weights[fd00::/64]=2", "allowed[fd00::1]=true")
    missing = command("unset", SID, "allowed[fd00::1]", "weights[fd00::/48]")
    assert (missing.status, missing.err) == (2, "error: map weights has no entry fd00::/48\n")
    assert command("unset", SID, "allowed[fd00::1]", "weights[fd00::/64]").status == 0
    assert rows(command, "allowed", "weights") == ["weights[fd00::/8] 1"]


@pytest.mark.kernel
def test_entries_of_an_array_stay(command: Command, bound: Path) -> None:
    ended = command("unset", SID, "slots[0]")
    assert ended.status == 2
    assert "map slots has type array: its entries stay" in ended.err
    assert command("unset", SID, "slots").err.startswith("error: 'slots' is no entry of a map")


@pytest.mark.kernel
@pytest.mark.usefixtures("namespace")
def test_attach_sets_entries_before_the_route_is_there(command: Command, admit: Path, own_bpffs: Path) -> None:
    wrong = command("attach", admit, SID, "--dev", "b0", "--set", "allowed[fd00::1]=maybe")
    assert (wrong.status, (own_bpffs / "pybpfnf").exists()) == (2, False)
    assert command("attach", admit, SID, "--dev", "b0", "--set", "allowed[fd00::1]=true").status == 0
    assert rows(command, "allowed") == ["allowed[fd00::1] True"]
