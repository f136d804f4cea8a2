"""What holds of `add_tlv` and `add_tlv_20` alike."""

from __future__ import annotations

from typing import Final

from pybpfnf.runner import Outcome
from pybpfnf.testing import packets
from pybpfnf.testing.fields import diff
from pybpfnf.testing.packets import Tlv
from tests.functions.cases import Case, advanced, to_sid, with_tlv

FULL: Final = Tlv(9, bytes(254))  # 256 bytes
MANY: Final = [Tlv(9, b"")] * 32  # as many TLVs as are walked over


def check_appended(outcome: Outcome, case: Case, tlv: bytes) -> None:
    assert (outcome.verdict, outcome.fault) == (0, None)
    assert diff(with_tlv(advanced(case), case.srh, tlv), outcome.packet) == ""


def longest(room: int) -> bytes:
    """A packet whose SRH has `room` bytes less than HdrLen can say: 2,048, three segments among them."""
    area = 2048 - 8 - 48 - room
    return to_sid(tlvs=[FULL] * (area // 256) + [Tlv(9, bytes(area % 256 - 2))])


def check_dropped_when_too_long(outcome: Outcome) -> None:
    """The helper makes room, and the kernel drops the packet after the program because HdrLen has 8 bits."""
    assert (outcome.verdict, outcome.fault, outcome.packet) == (0, None, None)


def check_fault(outcome: Outcome, part: str) -> None:
    """The function dropped the packet, with this part in the message."""
    assert (outcome.verdict, outcome.packet) == (2, None)
    assert outcome.fault is not None
    assert part in outcome.fault.message


def more_tlvs_than_are_walked() -> bytes:
    return to_sid(tlvs=[*MANY, Tlv(9, b"")])


def behind_a_used_up_routing_header() -> bytes:
    """The kernel takes the second routing header for the SRH, a program finds the first."""
    return to_sid(options=[packets.srh(["fc00:c::9"], segments_left=0)])
