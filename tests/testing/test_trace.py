"""A run line by line: the source's statements in their order, with what they gave to locals."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybpfnf.testing.packets import srv6
from pybpfnf.verbs.coverage import counting
from pybpfnf.verbs.run import simulate
from pybpfnf.vm import VmRunner, VmSession

FUNCTION = """\
from pybpfnf import DROP, OK, Seg6Packet, Verdict, func, s16, seg6local, u16, u32


@func
def kind(tag: u32) -> u32:
    if tag < 100:
        return 0
    return 2


@seg6local
def many(pkt: Seg6Packet) -> Verdict:
    srh = pkt.srh
    n = kind(srh.tag)
    total = u32(0)
    for i in range(3):
        if i == n:
            break
        total += i * 5
    below = s16(3) - s16(10)
    pkt.srh.tag = u16(total)
    return OK if below < 0 else DROP
"""
SEGMENTS = ["fc00:3::3", "fc00:2::2"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "many.py"
    path.write_text(FUNCTION)
    return path


def test_lines_come_in_their_order_with_what_they_changed(path: Path) -> None:
    counted = counting(path, values=True)
    trace = counted.trace()
    with simulate(counted.data, runner=VmRunner(trace)) as simulation:
        assert isinstance(simulation.session, VmSession)
        trace.watch(simulation.session)
        simulation.run(srv6(SEGMENTS, tag=500))
        first = trace.take()
        simulation.run(srv6(SEGMENTS, tag=5))
        second = trace.take()
    source = FUNCTION.splitlines()
    assert [(source[each.line - 1].strip(), dict(each.changes)) for each in first] == [
        ("n = kind(srh.tag)", {"tag": 500}),
        ("if tag < 100:", {}),
        ("return 2", {"return": 2, "n": 2}),
        ("total = u32(0)", {"total": 0}),
        ("for i in range(3):", {"i": 0}),
        ("if i == n:", {}),
        ("total += i * 5", {"i": 1}),
        ("if i == n:", {}),
        ("total += i * 5", {"total": 5, "i": 2}),
        ("if i == n:", {}),
        ("break", {}),
        ("below = s16(3) - s16(10)", {"below": -7}),
        ("pkt.srh.tag = u16(total)", {}),
        ("return OK if below < 0 else DROP", {}),
    ]
    assert ("return 0", {"return": 0, "n": 0}) in [(source[each.line - 1].strip(), dict(each.changes)) for each in second]
