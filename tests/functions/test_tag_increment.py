"""`tag_increment`: one more in the SRH's tag, modulo 65,536."""

from __future__ import annotations

import pytest

from pybpfnf.testing import packets
from tests.functions.cases import BAD, GOOD, SID, Case, advanced, tag, to_sid, with_tag
from tests.functions.conftest import Run

FUNCTION = "tag_increment"


@pytest.mark.parametrize("case", GOOD.values(), ids=GOOD)
def test_tag_increment_adds_one_and_changes_nothing_else(run: Run, case: Case) -> None:
    outcome = run(case.packet)
    assert (outcome.verdict, outcome.fault) == (0, None)
    assert outcome.packet == with_tag(advanced(case), case.srh, tag(case.packet, case.srh) + 1)


@pytest.mark.parametrize("packet", BAD.values(), ids=BAD)
def test_tag_increment_never_sees_a_malformed_packet(run: Run, packet: bytes) -> None:
    outcome = run(packet)
    assert (outcome.verdict, outcome.packet, outcome.runs) == (None, None, 0)


@pytest.mark.parametrize(("before", "after"), [(0, 1), (0xFF, 0x100), (0x1234, 0x1235), (0xFFFE, 0xFFFF), (0xFFFF, 0)])
def test_the_tag_is_big_endian_and_wraps_at_sixteen_bits(run: Run, before: int, after: int) -> None:
    packet = run(to_sid(tag=before)).packet
    assert packet is not None
    assert tag(packet, 40) == after


def test_every_run_counts_where_the_next_segment_is_the_same_sid(run: Run) -> None:
    outcome = run(packets.srv6(["fc00:c::1", SID, SID], tag=5))
    assert outcome.packet is not None
    assert (outcome.runs, tag(outcome.packet, 40)) == (2, 7)
