"""`srh.insert(tlv, at=found)` and `srh.remove(found)`: the TLVs that are left, and their padding; on the VM and in the kernel."""

from __future__ import annotations

import pytest

from pybpfnf import DROP, OK, Program, Seg6Packet, Tlv, Verdict, octets, seg6local, u8, u32
from pybpfnf.runner import Runner
from pybpfnf.testing.packets import Tlv as Given
from pybpfnf.testing.packets import pad
from tests.conformance.tlv_support import area, packet, running
from tests.kernel_support import TOO_MANY_WAYS


class Hops(Tlv, type=124):
    left: u8


class Long(Tlv, type=125):
    value: bytes = octets(11)
    number: u32


@seg6local
def insert_short(pkt: Seg6Packet) -> Verdict:
    hops = pkt.srh.find(Hops)
    if hops is None:
        return DROP
    pkt.srh.insert(Hops(left=hops.left + 1), at=hops)
    return OK


@seg6local
def insert_long(pkt: Seg6Packet) -> Verdict:
    for tlv in pkt.srh.tlvs:
        if tlv.type == pkt.srh.tag:
            pkt.srh.insert(Long(value=b"hello world", number=pkt.mark + 1), at=tlv)
            pkt.mark = pkt.srh.hdr_ext_len
            return OK
    return DROP


@seg6local
def remove(pkt: Seg6Packet) -> Verdict:
    for tlv in pkt.srh.tlvs:
        if tlv.type == pkt.srh.tag:
            pkt.srh.remove(tlv)
            pkt.mark = pkt.srh.hdr_ext_len
            return OK
    return DROP


@seg6local
def several(pkt: Seg6Packet) -> Verdict:
    """What was put in is found, and taken out again; twice."""
    hops = pkt.srh.find(Hops)
    assert hops is not None
    pkt.srh.insert(Long(value=b"0123456789a", number=7), at=hops)
    found = pkt.srh.find(Long)
    if found is not None and found.number == 7:
        pkt.srh.remove(found)
        hops = pkt.srh.find(Hops)
        assert hops is not None
        pkt.srh.remove(hops)
        pkt.srh.append(Hops(left=9))
    return OK


HMAC = Given(5, bytes(range(38)))
LONG = b"\x7d\x0fhello world\0\0\0\1"


def filled(data: bytes, behind: bytes = b"") -> bytes:
    """With the PadN that a multiple of 8 needs, before what is `behind`."""
    missing = -(len(data) + len(behind)) % 8
    missing = 9 if missing == 1 else missing
    return data + (bytes((4, missing - 2)) + bytes(missing - 2) if missing else b"") + behind


def encoded(*tlvs: Given) -> bytes:
    return b"".join(tlv.encode() for tlv in tlvs)


@pytest.mark.parametrize("before", [(), (Given(9, b"abc"),), (pad(3), Given(9))])
@pytest.mark.parametrize("after", [(), (Given(9, b"wxyz"),), (Given(10), pad(2), Given(11, b"q"), pad(5), pad(2))])
def test_a_tlv_stands_before_the_one_that_was_found(runner: Runner, before: tuple[Given, ...], after: tuple[Given, ...]) -> None:
    with running(runner, insert_short) as (_, run):
        outcome = run(packet(*before, Given(124, b"\5"), *after))
        assert outcome.fault is None
        kept = [tlv for index, tlv in enumerate(after) if tlv.type != 4 or any(other.type != 4 for other in after[index:])]
        assert area(outcome.packet) == filled(encoded(*before) + b"\x7c\1\6\x7c\1\5" + encoded(*kept))


@pytest.mark.parametrize(
    ("tlvs", "at", "wanted"),
    [
        ((Given(9, b"ab"), pad(4)), 9, filled(LONG + b"\x09\2ab")),
        ((Given(9, b"ab"), pad(4)), 4, filled(b"\x09\2ab" + LONG)),
        ((Given(9, b"ab"), pad(4), HMAC), 4, filled(b"\x09\2ab" + LONG, HMAC.encode())),
        ((Given(9, b"ab"), pad(4), HMAC), 5, filled(b"\x09\2ab" + LONG, HMAC.encode())),
        ((HMAC, Given(9, b"abcdef")), 9, filled(LONG, HMAC.encode() + b"\x09\6abcdef")),
        ((pad(2), Given(9, bytes(20))), 4, filled(LONG + b"\4\0\x09\x14" + bytes(20))),
    ],
)
def test_padding_and_hmac_stay_behind_what_is_put_in(runner: Runner, tlvs: tuple[Given, ...], at: int, wanted: bytes) -> None:
    with running(runner, insert_long) as (_, run):
        given = packet(*tlvs, tag=at)
        outcome = run(given)
        assert outcome.fault is None
        assert area(outcome.packet) == wanted
        assert outcome.packet is not None
        assert outcome.mark == outcome.packet[41]
        assert len(outcome.packet) - len(given) == len(wanted) - len(area(given))


@pytest.mark.parametrize("size", range(13))
@pytest.mark.parametrize("rest", [(), (Given(10, b"abc"),), (pad(3), HMAC)])
def test_what_is_left_is_padded_again(runner: Runner, size: int, rest: tuple[Given, ...]) -> None:
    with running(runner, remove) as (_, run):
        given = packet(Given(6, b"x"), Given(9, bytes(size)), *rest, tag=9)
        outcome = run(given)
        assert outcome.fault is None
        behind = area(given)[area(given).index(HMAC.encode()) :] if HMAC in rest else b""  # what is behind the HMAC stays there
        kept = encoded(Given(6, b"x"), *(tlv for tlv in rest if tlv.type not in (4, 5)))
        assert area(outcome.packet) == filled(kept, behind)
        assert outcome.packet is not None
        assert outcome.mark == outcome.packet[41]


@pytest.mark.parametrize(
    ("tlvs", "at", "wanted"),
    [
        ((Given(9, b"abcdef"),), 9, b""),
        ((Given(6, b"abcdef"), pad(8)), 4, Given(6, b"abcdef").encode()),
        ((pad(4), Given(9, b"ab"), pad(8)), 9, b""),
        ((pad(4), Given(9, b"ab")), 4, filled(b"\x09\2ab")),
    ],
)
def test_padding_that_is_last_then_goes_too(runner: Runner, tlvs: tuple[Given, ...], at: int, wanted: bytes) -> None:
    with running(runner, remove) as (_, run):
        outcome = run(packet(*tlvs, tag=at))
        assert outcome.fault is None
        assert area(outcome.packet) == wanted


def test_an_hmac_is_not_removed(runner: Runner) -> None:
    with running(runner, remove) as (_, run):
        fault = run(packet(Given(9, b"abcdef"), HMAC, tag=5)).fault
        assert fault is not None
        assert fault.message == "the HMAC TLV is not removed"


@pytest.mark.parametrize("program", [insert_short, insert_long, remove, pytest.param(several, marks=TOO_MANY_WAYS)])
def test_a_packet_without_tlvs_has_nothing_to_change(runner: Runner, program: Program) -> None:
    with running(runner, program) as (_, run):
        assert not run(packet()).forwarded


@TOO_MANY_WAYS
def test_several_changes_one_after_the_other(runner: Runner) -> None:
    with running(runner, several) as (_, run):
        outcome = run(packet(Given(6, b"abc"), Given(124, b"\1"), Given(6)))
        assert outcome.fault is None
        assert area(outcome.packet) == filled(b"\6\3abc\6\0\x7c\1\x09")
