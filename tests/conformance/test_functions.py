"""Functions that network functions call: the evaluator, the VM and the kernel do the same with them."""

from __future__ import annotations

from ipaddress import IPv6Address
from pathlib import Path

import pytest

from pybpfnf.dsl.types import StructType
from pybpfnf.runner import Environment, Runner
from pybpfnf.testing.packets import Tlv, srv6
from tests.fuzz.engines import Compiled, Observed, compile_function, evaluate, run
from tests.fuzz.inputs import SID, Input

HEADER = "from pybpfnf import *\n"
ENVIRONMENT = Environment(sid=IPv6Address(SID))
PACKETS = [
    srv6(["fc00:c::1", SID], segments_left=1, tag=tag, flags=flags, tlvs=[Tlv(124, bytes([0, 0, 0, node]))] if node else [])
    for tag in (0, 1, 2, 3, 200)
    for flags, node in ((0, 0), (1, 5), (0xF7, 250))
]


def agree(runner: Runner, tmp_path: Path, text: str, **files: str) -> list[Observed]:
    """What the packets show, the same to the evaluator and to the runner."""
    for name, other in files.items():
        (tmp_path / f"{name}.py").write_text(HEADER + other)
    path = tmp_path / "case.py"
    path.write_text(HEADER + text)
    compiled = compile_function(path)
    inputs = [Input(packet, {}, _contents(compiled)) for packet in PACKETS]
    expected = evaluate(compiled, ENVIRONMENT, inputs)
    found = run(runner, compiled, ENVIRONMENT, inputs)
    assert [one.difference(other) for one, other in zip(expected, found, strict=True)] == [[]] * len(PACKETS)
    return found


def _contents(compiled: Compiled) -> dict[str, dict[int | bytes, int | bytes]]:
    """Arrays are zero, hashes empty."""
    arrays = [map_ for map_ in compiled.module.maps if map_.kind != "hash"]
    zeros = {map_.name: bytes(map_.value.size) if isinstance(map_.value, StructType) else 0 for map_ in arrays}
    return {map_.name: dict.fromkeys(range(map_.max_entries), zeros[map_.name]) if map_ in arrays else {} for map_ in compiled.module.maps}


CALLS_IN_LOOPS = """
seen = Array(u64, 8)

@func{inline}
def step(pkt: Seg6Packet, i: u32, by: u64 = 3) -> u32:
    if i > 5:
        return 7
    for k in range(4):
        if k == pkt.srh.flags:
            return i + u32(k)
        seen[(i + u32(k)) % 8] += by
    return i + 2

@seg6local
def function(pkt: Seg6Packet) -> Verdict:
    n = u32(pkt.srh.tag) & 3
    for _ in range(4):
        n = step(pkt, n, by=n)
        if n == 7:
            break
    seen[step(pkt, n)] += 1
    pkt.mark = n
    return OK
"""

FAULTS = """
seen = Array(u32, 4)

@func{inline}
def share(total: u32, parts: u16) -> u32:
    return total // parts

@func{inline}
def count(pkt: Seg6Packet) -> None:
    seen[pkt.srh.tag] += share(100, pkt.srh.tag)

@seg6local(on_fault=OK)
def function(pkt: Seg6Packet) -> Verdict:
    count(pkt)
    pkt.mark = share(100, u16(pkt.srh.flags))
    return DROP
"""

MOVES = """
class Hop(Tlv, type=124):
    node: u32

nodes = Hash(u32, u32, 4, default=0)

@func{inline}
def first(pkt: Seg6Packet) -> Hop | None:
    if pkt.srh.tag == 3:
        return None
    return pkt.srh.find(Hop)

@func{inline}
def add(pkt: Seg6Packet, node: u32) -> bool:
    if node > 200:
        return False
    pkt.srh.append(Hop(node=node))
    nodes[node] += 1
    return True

@seg6local
def function(pkt: Seg6Packet) -> Verdict:
    hop = first(pkt)
    if hop is None:
        add(pkt, 1)
        return OK
    node = hop.node
    hop.node = node + 1
    if not add(pkt, node):
        return DROP
    again = first(pkt)
    assert again is not None
    pkt.mark = again.node
    return OK
"""

VALUES = """
class Path(Struct):
    sid: IPv6Address
    credit: u32 = 3

paths = Array(Path, 2)
HOME = IPv6Address("fc00::1")

@func{inline}
def make(sid: IPv6Address, credit: u32) -> Path:
    return Path(sid=sid, credit=credit)

@func{inline}
def spend(path: Path, by: s32) -> s64:
    path.credit = path.credit + u32(by)
    return s64(path.credit) - by

@func{inline}
def nearer(one: IPv6Address, other: IPv6Address, first: bool) -> IPv6Address:
    return one if first else other

@func{inline}
def verdict(ok: bool) -> Verdict:
    if ok:
        return OK
    return DROP

@seg6local
def function(pkt: Seg6Packet) -> Verdict:
    path = paths[1]
    n = spend(path, -2)
    n += spend(make(nearer(pkt.ipv6.source, HOME, pkt.srh.tag > 1), 9), s32(pkt.srh.flags))
    n += pkt.srh.tag
    pkt.mark = u32(n)
    paths[0] = make(nearer(HOME, pkt.ipv6.destination, pkt.srh.flags == 0), u32(n))
    return verdict(n != 3)
"""

HEADERS = """
class Part(Header):
    kind: u8 = bits(3)
    size: u16 = bits(13)
    tail: bytes = octets(2)

class Parts(Header):
    first: u8
    parts: list[Part] = array(Part, 3)

class Node(Tlv, type=124):
    node: u32

sizes = Array(u64, 8)
tails = Array(u8, 2)

@func{inline}
def size(part: Part, at: u8) -> u16:
    tails[0] = part.tail[at & 1]
    return part.size + part.kind

@func{inline}
def at(pkt: Seg6Packet, offset: u32) -> Parts | None:
    if offset == 1:
        return None
    return pkt.get(Parts, at=offset)

@func{inline}
def worst(parts: Parts) -> Part:
    for i in range(3):
        if parts.parts[i].size > 300:
            return parts.parts[i]
    return parts.parts[parts.first & 3]

@func{inline}
def size_or(otherwise: u16, part: Part | None = None) -> u16:
    if part is None:
        return otherwise
    return size(part, 3)

@seg6local
def function(pkt: Seg6Packet) -> Verdict:
    parts = at(pkt, u32(pkt.srh.tag) * 20)
    sizes[0] = size_or(9) + size_or(2, None)
    if parts is None:
        pkt.srh.append(Node(node=7))
        again = at(pkt, 20)
        assert again is not None
        sizes[4] = size(again.parts[2], again.first)
        return DROP
    sizes[1] = size_or(3, parts.parts[pkt.srh.flags & 3]) + size(worst(parts), 1)
    for i in range(3):
        sizes[2] += size(parts.parts[i], u8(i))
        pkt.srh.tag = u16(i)
        sizes[3] += worst(parts).size + parts.first
    return OK
"""

OWN_OR_NONE = """
class Path(Struct):
    credit: u32
    sid: IPv6Address
    weight: u16 = 7

paths = Hash(u32, Path, 4)
left = Array(Path, 1)

@func{inline}
def choose(pkt: Seg6Packet, key: u32) -> Path | None:
    if key == 0:
        return None
    if key < 3:
        return Path(credit=key, sid=pkt.ipv6.source, weight=u16(pkt.srh.flags))
    found = paths.get(key)
    if found is not None and found.credit > 4:
        return found
    return paths.get(key - 100)

@func{inline}
def credit(path: Path | None) -> u32:
    if path is None:
        return 1000
    path.credit += 1
    return path.credit

@seg6local
def function(pkt: Seg6Packet) -> Verdict:
    paths[3] = Path(credit=5, sid=IPv6Address("fc00::3"))
    paths[100] = Path(credit=2, sid=IPv6Address("fc00::4"), weight=9)
    path = choose(pkt, pkt.srh.tag)
    total = credit(path) + credit(choose(pkt, pkt.srh.tag)) + credit(Path(credit=7, sid=pkt.ipv6.source))
    for i in range(3):
        each = choose(pkt, u32(i) + pkt.srh.tag)
        if each is None:
            continue
        each.credit += 10
        total += each.credit + each.weight
    pkt.mark = total
    if path is None:
        return DROP
    path.weight += 1
    left[0] = path
    return OK if path.sid != pkt.ipv6.source else DROP
"""

CASES = {
    "a struct of its own or None": OWN_OR_NONE,
    "calls in loops": CALLS_IN_LOOPS,
    "faults": FAULTS,
    "headers in the packet": HEADERS,
    "the packet moves": MOVES,
    "values of every kind": VALUES,
}


@pytest.mark.parametrize("inline", [pytest.param("", id="inlined"), pytest.param("(inline=False)", id="subprograms")])
@pytest.mark.parametrize("case", CASES)
def test_calls_mean_the_same_to_all_engines(runner: Runner, tmp_path: Path, case: str, inline: str) -> None:
    found = agree(runner, tmp_path, CASES[case].replace("{inline}", inline))
    assert len({(each.verdict, each.fault, each.mark) for each in found}) > 1


def test_a_fault_in_an_inlined_function_says_who_called_it(runner: Runner, tmp_path: Path) -> None:
    found = agree(runner, tmp_path, FAULTS.replace("{inline}", ""))
    faults = {(fault.line, fault.message, fault.callers) for each in found if (fault := each.fault) is not None}
    assert faults == {
        (7, "division by zero", ("case.py:11:26", "case.py:15:5")),
        (7, "division by zero", ("case.py:16:16",)),
        (11, "index out of range", ("case.py:15:5",)),
    }


def test_a_fault_in_a_subprogram_says_its_own_line_and_each_caller_takes_its_own_way_out(runner: Runner, tmp_path: Path) -> None:
    found = agree(runner, tmp_path, FAULTS.replace("{inline}", "(inline=False)"))
    faults = {(fault.line, fault.message, fault.callers) for each in found if (fault := each.fault) is not None}
    assert faults == {(7, "division by zero", ()), (11, "index out of range", ())}
    assert {each.verdict for each in found if each.fault is not None} == {0}  # OK, the on_fault of who called


def test_a_function_of_another_module_brings_its_maps_and_constants(runner: Runner, tmp_path: Path) -> None:
    common = """
LIMIT = 2
seen = Array(u32, 4)

@func
def count(i: u16) -> bool:
    seen[i] += LIMIT
    return seen[i] > LIMIT
"""
    text = """
from common import count

@seg6local
def function(pkt: Seg6Packet) -> Verdict:
    return OK if count(pkt.srh.tag) or count(1) else DROP
"""
    found = agree(runner, tmp_path, text, common=common)
    fault = next(each.fault for each in found if each.fault is not None)
    assert (fault.file, fault.line, fault.callers) == ("common.py", 8, ("case.py:7:18",))
    assert found[0].maps["seen"] == {0: 2, 1: 2, 2: 0, 3: 0}
