"""Lists that go to the arrays of structs: the evaluator, the VM and the kernel do the same with them."""

from __future__ import annotations

from pathlib import Path

from pybpfnf.runner import Runner
from tests.conformance.test_functions import agree

TYPES = """
class Cell(Struct):
    low: u8
    high: u32 = 7

class Path(Struct):
    first: u8
    hops: Sequence[IPv6Address] = array(IPv6Address, 3)
    marks: list[u16] = array(u16, 3)
    cells: list[Cell] = array(Cell, 2)
    flags: list[bool] = array(bool, 3)
    last: u8

HOME = IPv6Address("fc00::1")
ALL = (HOME, IPv6Address("fc00::2"), HOME)
paths = Array(Path, 3)
table = Hash(u32, Path, 8)
ring = RingBuf(Path, 4096)
marks = Array(u16, 1)
"""

MADE = """
@func(inline=False)
def counted() -> u16:
    marks[0] = marks[0] + 1
    return marks[0]

@func{inline}
def make(pkt: Seg6Packet, n: u16) -> Path:
    return Path(
        first=1, hops=[pkt.ipv6.source, HOME, pkt.ipv6.destination], marks=[n, 2, 100 // n],
        cells=[Cell(low=u8(n)), Cell(low=2, high=n)], flags=[True, n == 3, False], last=9,
    )

@seg6local
def function(pkt: Seg6Packet) -> Verdict:
    tag = pkt.srh.tag
    paths[2] = Path(
        first=0, hops=ALL, marks=[counted(), counted(), counted()], cells=(Cell(low=1), Cell(low=2)), flags=[tag > 1, True, False], last=7
    )
    path = make(pkt, tag)
    table[1] = Path(first=2, hops=ALL, marks=(1, tag, 3), cells=[path.cells[1], paths[2].cells[0]], flags=[False, False, True], last=3)
    ring.emit(Path(first=2, hops=ALL, marks=[1, 65535, 3], cells=[path.cells[1], path.cells[0]], flags=[False, False, tag > 5], last=3))
    paths[0] = path
    paths[1] = table[1]
    return OK
"""

ASSIGNED = """
@seg6local
def function(pkt: Seg6Packet) -> Verdict:
    tag = pkt.srh.tag
    path = Path(
        first=1, hops=ALL, marks=[tag, 2, 3], cells=[Cell(low=1), Cell(low=u8(tag), high=tag)], flags=[True, False, tag == 1], last=4
    )
    for i in range(3):
        paths[i] = path
        paths[i].marks = [paths[i].marks[2], paths[i].marks[1] + 1, paths[i].marks[0]]
        paths[i].cells = [paths[i].cells[1], paths[i].cells[0]]
        path.hops = [path.hops[2], pkt.ipv6.source, path.hops[1]]
        path.flags = [path.flags[1], path.flags[2], not path.flags[0]]
    if tag > 1:
        path.marks = (7, 8, 9)
        path.marks = [path.marks[tag & 3], 1, 2]
    table[7] = path
    table[7].cells = [Cell(low=9), table[7].cells[1]]
    return OK
"""


def test_a_list_in_a_new_struct_is_its_items(runner: Runner, tmp_path: Path) -> None:
    for inline in ("", "(inline=False)"):
        text = MADE.replace("{inline}", inline)
        found = agree(runner, tmp_path, "from collections.abc import Sequence\n" + TYPES + text)
        assert {each.fault.message for each in found if each.fault is not None} == {"division by zero"}


def test_a_list_that_is_assigned_is_worked_out_before_it_is_stored(runner: Runner, tmp_path: Path) -> None:
    found = agree(runner, tmp_path, "from collections.abc import Sequence\n" + TYPES + ASSIGNED)
    assert {each.fault.message for each in found if each.fault is not None} == {"index out of range"}
