"""What is too large for the stack lies in memory of the CPU's own: the meaning is the same, each way out gives the memory back."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybpfnf.backend.building.spare import MOST_RUNS, NONE_LEFT, spare_name
from pybpfnf.runner import MapAccess, Runner
from pybpfnf.testing.packets import srv6
from tests.conformance.running import SID, opened_module
from tests.conformance.test_functions import agree
from tests.dsl.cases import HEADER, compile_text

WINDOWS = """
class Cell(Struct):
    low: u32
    high: u64

class Window(Struct):
    n: u32
    sizes: list[u64] = array(u64, 80)
    cell: Cell = Cell(low=1, high=2)

windows = Hash(u32, Window, 4)
seen = Array(u64, 8)
EMPTY = (0,) * 80
"""

IN_A_PROGRAM = """
@seg6local
def function(pkt: Seg6Packet) -> Verdict:
    tag = u32(pkt.srh.tag)
    one = Window(n=tag, sizes=EMPTY)
    for i in range(20):
        one.sizes[i * 4] = u64(i) * tag
    other = one
    other.sizes[tag % 80] = 7
    other.cell = Cell(low=tag, high=one.cell.high + 9)
    assert tag != 2, "two"
    windows[1] = one
    windows[tag] = other
    seen[0] = windows[1].sizes[tag % 80]
    seen[1] = windows[tag].sizes[tag % 80] + windows[tag].cell.high
    seen[2] = 1 if one == other else 2
    if tag == 3:
        return DROP
    return OK
"""

OVER_A_CHAIN = """
@func(inline=False)
def filled(n: u32, tag: u16) -> Window:
    window = Window(n=n, sizes=EMPTY)
    for i in range(4):
        window.sizes[i * 3] = u64(n) + i
    window.sizes[tag] = 9
    return window

@func(inline=False)
def total(window: Window, more: u32) -> u64:
    other = filled(more, 5)
    other.sizes[3] += window.sizes[9] // (u64(more) - 3)
    window.sizes[0] = 1000
    n = u64(0)
    for i in range(16):
        n += window.sizes[i] * 2 + other.sizes[i]
    return n

@seg6local(on_fault=OK)
def function(pkt: Seg6Packet) -> Verdict:
    window = filled(3, pkt.srh.tag)
    seen[1] = total(window, pkt.srh.tag)
    seen[2] = window.sizes[0]
    seen[3] = total(filled(8, 1), pkt.srh.flags)
    return DROP
"""

VIEWS_AND_COPIES = """
class Path(Struct):
    sid: IPv6Address
    credit: u32

paths = Array(Path, 2)

@func(inline=False)
def spend(a: u32, b: u32, c: u32, d: u32, path: Path, window: Window) -> Window:
    path.credit += a + b + c + d
    window.n = path.credit
    return window

@seg6local
def function(pkt: Seg6Packet) -> Verdict:
    window = spend(1, 2, 3, pkt.srh.tag, paths[1], Window(n=4, sizes=EMPTY))
    again = spend(5, 6, 7, 8, paths[0], window)
    seen[0] = u64(window.n) << 32 | again.n
    return OK
"""

IN_A_LONG_LOOP = """
@seg6local
def function(pkt: Seg6Packet) -> Verdict:
    for i in range(5000):
        if i == pkt.srh.tag:
            window = Window(n=u32(i), sizes=EMPTY)
            window.sizes[7] += i
            seen[1] += window.sizes[7] + window.n
            if window.sizes[8] != 0:
                return DROP
        if i % 100 == 0:
            seen[0] += 1
    return OK
"""

TOGETHER = """
class Half(Struct):
    sizes: list[u64] = array(u64, 24)

FEW = (0,) * 24

@func(inline=False)
def last(n: u32) -> u64:
    half = Half(sizes=FEW)
    half.sizes[n % 24] = n
    return half.sizes[(n + 22) % 24] + half.sizes[n % 24]

@func(inline=False)
def second(n: u32) -> u64:
    half = Half(sizes=FEW)
    half.sizes[n % 24] = last(n + 1)
    return half.sizes[n % 24] * 3 + last(n)

@func(inline=False)
def first(n: u32) -> u64:
    half = Half(sizes=FEW)
    half.sizes[n % 24] = second(n * 5)
    return half.sizes[n % 24] + half.sizes[3] + last(n)

@seg6local
def function(pkt: Seg6Packet) -> Verdict:
    seen[0] = first(pkt.srh.tag)
    return OK
"""

CASES = {
    "each fits and the chain does not": TOGETHER,
    "in a loop that the kernel counts": IN_A_LONG_LOOP,
    "in a program": IN_A_PROGRAM,
    "over a chain of calls": OVER_A_CHAIN,
    "beside views": VIEWS_AND_COPIES,
}


@pytest.mark.parametrize("case", CASES)
def test_large_values_mean_the_same_to_all_engines(runner: Runner, tmp_path: Path, case: str) -> None:
    found = agree(runner, tmp_path, WINDOWS + CASES[case])
    assert len({(each.verdict, each.fault, repr(each.maps)) for each in found}) > 1


def busy_words(access: MapAccess) -> list[int]:
    """Of each entry, on all CPUs together."""
    size = access.spec.value_size
    values = [access.lookup(run.to_bytes(4, "little")) or b"" for run in range(MOST_RUNS)]
    return [sum(int.from_bytes(value[start : start + 8], "little") for start in range(0, len(value), size)) for value in values]


def take(access: MapAccess, runs: range) -> None:
    """As if the function ran so often already, on each CPU."""
    size = access.spec.value_size
    for run in runs:
        busy = (1).to_bytes(8, "little") + bytes(size - 8)
        access.update(run.to_bytes(4, "little"), busy * (access.value_size // size))


@pytest.mark.parametrize("tag", [1, 2, 3], ids=["the end", "a fault", "a return"])
def test_each_way_out_gives_the_memory_back(runner: Runner, tmp_path: Path, tag: int) -> None:
    module = compile_text(HEADER + WINDOWS + IN_A_PROGRAM, tmp_path)
    with opened_module(runner, module) as session:
        for _ in range(2 * MOST_RUNS):
            session.run(srv6(["fc00:c::1", SID], segments_left=1, tag=tag))
        assert busy_words(session.maps[spare_name("function")]) == [0] * MOST_RUNS


def test_a_run_within_a_run_has_memory_of_its_own_until_there_is_none_left(runner: Runner, tmp_path: Path) -> None:
    module = compile_text(HEADER + WINDOWS + IN_A_PROGRAM, tmp_path)
    with opened_module(runner, module) as session:
        access = session.maps[spare_name("function")]
        for taken in range(MOST_RUNS):
            take(access, range(taken))
            outcome = session.run(srv6(["fc00:c::1", SID], segments_left=1, tag=1))
            assert outcome.fault is None
            words = busy_words(access)
            assert all(words[:taken])
            assert not any(words[taken:])
        take(access, range(MOST_RUNS))
        outcome = session.run(srv6(["fc00:c::1", SID], segments_left=1, tag=1))
        assert outcome.fault is not None
        assert outcome.fault.message == NONE_LEFT
        assert all(busy_words(access)), "what another run has taken is not given back"
