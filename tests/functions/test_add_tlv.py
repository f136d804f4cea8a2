"""`add_tlv`: a TLV of 8 bytes, before padding and HMAC."""

from __future__ import annotations

import pytest

from tests.functions import add_tlv_checks as checks
from tests.functions.cases import BAD, GOOD, Case, to_sid
from tests.functions.conftest import Run

FUNCTION = "add_tlv"
TLV = b"\x06\x06\x00\x01\x02\x03\x04\x05"


@pytest.mark.parametrize("case", GOOD.values(), ids=GOOD)
def test_the_tlv_stands_before_padding_and_hmac(run: Run, case: Case) -> None:
    checks.check_appended(run(case.packet), case, TLV)


@pytest.mark.parametrize("packet", BAD.values(), ids=BAD)
def test_add_tlv_never_sees_a_malformed_packet(run: Run, packet: bytes) -> None:
    outcome = run(packet)
    assert (outcome.verdict, outcome.packet, outcome.runs) == (None, None, 0)


def test_without_tlvs_the_srh_grows_by_8(run: Run) -> None:
    packet = run(to_sid()).packet
    assert packet is not None
    assert packet[41] == to_sid()[41] + 8 // 8
    assert packet[96 : 96 + 8] == TLV


def test_as_many_tlvs_as_are_walked_over(run: Run) -> None:
    case = Case(to_sid(tlvs=checks.MANY))
    checks.check_appended(run(case.packet), case, TLV)


def test_one_tlv_more_is_a_fault(run: Run) -> None:
    checks.check_fault(run(checks.more_tlvs_than_are_walked()), "more than 32 TLVs")


def test_the_last_tlv_that_fits(run: Run) -> None:
    case = Case(checks.longest(8))
    checks.check_appended(run(case.packet), case, TLV)


def test_an_srh_that_becomes_too_long_is_dropped(run: Run) -> None:
    checks.check_dropped_when_too_long(run(checks.longest(8 - 8)))


def test_the_second_of_two_routing_headers_is_out_of_reach(run: Run) -> None:
    checks.check_fault(run(checks.behind_a_used_up_routing_header()), "the kernel refused")
