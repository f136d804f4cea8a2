"""`end`: the next segment, and nothing else."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest

from pybpfnf.testing import packets
from tests.functions.cases import BAD, GOOD, LOST, SID, Case, advanced, to_sid
from tests.functions.conftest import Run

FUNCTION = "end"


@pytest.mark.parametrize("case", GOOD.values(), ids=GOOD)
def test_end_goes_to_the_next_segment(run: Run, case: Case) -> None:
    outcome = run(case.packet)
    assert (outcome.verdict, outcome.fault) == (0, None)
    assert outcome.packet == bytes(advanced(case))


@pytest.mark.parametrize("packet", BAD.values(), ids=BAD)
def test_end_never_sees_a_malformed_packet(run: Run, packet: bytes) -> None:
    outcome = run(packet)
    assert (outcome.verdict, outcome.packet, outcome.runs) == (None, None, 0)


def test_end_says_ok_where_no_route_leads_on(run: Run) -> None:
    outcome = run(packets.srv6([LOST, SID]))
    assert (outcome.verdict, outcome.forwarded) == (0, False)


def test_end_runs_again_where_the_next_segment_is_its_own(run: Run) -> None:
    outcome = run(packets.srv6(["fc00:c::1", SID, SID]))
    assert outcome.runs == 2
    assert outcome.packet is not None
    assert (outcome.packet[43], outcome.packet[24:40]) == (0, IPv6Address("fc00:c::1").packed)


def test_bytes_behind_the_payload_length_do_not_leave(run: Run) -> None:
    packet = to_sid()
    assert run(packet + b"frame padding").packet == bytes(advanced(Case(packet)))
