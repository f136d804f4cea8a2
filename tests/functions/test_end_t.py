"""`end_t`: the next segment by the routes of TABLE; REDIRECT keeps the route that was found."""

from __future__ import annotations

import pytest

import pybpfnf
from pybpfnf.image.settings import configure
from pybpfnf.runner import FaultKind, Runner
from pybpfnf.testing import packets
from tests.functions.cases import BAD, GOOD, LOST, SID, Case, advanced, to_sid
from tests.functions.conftest import ROUTER, Run

FUNCTION = "end_t"
CONFIG = {"TABLE": 254}


@pytest.mark.parametrize("case", GOOD.values(), ids=GOOD)
def test_end_t_goes_to_the_next_segment(run: Run, case: Case) -> None:
    outcome = run(case.packet)
    assert (outcome.verdict, outcome.fault) == (7, None)
    assert outcome.packet == bytes(advanced(case))


@pytest.mark.parametrize("packet", BAD.values(), ids=BAD)
def test_end_t_never_sees_a_malformed_packet(run: Run, packet: bytes) -> None:
    outcome = run(packet)
    assert (outcome.verdict, outcome.packet, outcome.runs) == (None, None, 0)


def test_end_t_faults_where_its_table_has_no_route(run: Run) -> None:
    outcome = run(packets.srv6([LOST, SID]))
    assert (outcome.verdict, outcome.forwarded) == (2, False)
    assert outcome.fault is not None
    assert (outcome.fault.kind, outcome.fault.line) == (FaultKind.EXIT, 14)


@pytest.mark.parametrize(("table", "verdict"), [(0, 7), (255, 2), (77, 2)], ids=["the ordinary rules", "the local table", "no table"])
def test_end_t_looks_up_in_the_table_that_it_is_given(runner: Runner, table: int, verdict: int) -> None:
    image = configure(pybpfnf.read("end_t"), {"TABLE": table})
    with runner.open(image, image.program(), ROUTER) as session:
        outcome = session.run(to_sid())
    assert (outcome.verdict, outcome.forwarded) == (verdict, verdict == 7)
