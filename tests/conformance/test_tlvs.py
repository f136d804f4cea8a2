"""`for tlv in pkt.srh.tlvs`: every TLV as it lies there, asked for its type or its class; on the VM and in the kernel."""

from __future__ import annotations

import pytest

from pybpfnf import DROP, OK, Array, Seg6Packet, Tlv, Verdict, array, octets, seg6local, u8, u16, u32
from pybpfnf.runner import Runner
from pybpfnf.testing import packets
from tests.conformance.tlv_support import area, packet, running
from tests.kernel_support import TOO_MANY_WAYS


class Hops(Tlv, type=124):
    left: u8


class Samples(Tlv, type=125):
    values: list[u16] = array(u16, max=4)


class Name(Tlv, type=124):
    value: bytes = octets(3)


seen = Array(u32, 8)


@seg6local
def told_apart(pkt: Seg6Packet) -> Verdict:
    for tlv in pkt.srh.tlvs:
        seen[0] += 1
        seen[1] += u32(tlv.type) << 8 | tlv.length
        if isinstance(tlv, Hops):
            tlv.left -= 1
            seen[2] += tlv.left
        elif isinstance(tlv, Samples) and len(tlv.values) > 0:
            seen[3] += tlv.values[0]
            for value in tlv.values:
                seen[4] += value
        elif not isinstance(tlv, Name):
            continue
        elif tlv.value == b"end":
            pkt.mark = 7
            break
        seen[5] += 1
    else:
        pkt.mark += 100
    return OK


@seg6local
def in_loops(pkt: Seg6Packet) -> Verdict:
    """A loop in a loop, whose `else` goes on with the outer one."""
    for i in range(3):
        for tlv in pkt.srh.tlvs:
            if tlv.type == 4 or tlv.type == i:
                break
        else:
            seen[i] = 1
            continue
        seen[i] = 2
    return OK


@seg6local
def moved_where_it_is_left(pkt: Seg6Packet) -> Verdict:
    for tlv in pkt.srh.tlvs:
        if isinstance(tlv, Hops) and tlv.left == 3:
            return pkt.end_t(table=254)
    return DROP


def hops(left: int) -> packets.Tlv:
    return packets.Tlv(124, bytes([left]))


@TOO_MANY_WAYS
def test_each_tlv_is_what_its_type_and_length_say(runner: Runner) -> None:
    tlvs = hops(9), packets.Tlv(125, b"\0\x05\0\x06"), packets.Tlv(125, b"odd"), packets.Tlv(124, b"mid"), packets.Tlv(0), packets.Tlv(0)
    with running(runner, told_apart) as (nf, run):
        outcome = run(packet(*tlvs))
        assert (outcome.fault, outcome.mark) == (None, 100)
        total = sum(tlv.type << 8 | len(tlv.value) for tlv in tlvs)
        filled = area(packet(*tlvs))[sum(len(tlv.encode()) for tlv in tlvs) :]
        total += sum(filled[:1]) << 8 | sum(filled[1:2])
        assert [nf[seen][index] for index in range(6)] == [6 + bool(filled), total, 8, 5, 11, 3]
        assert area(outcome.packet)[:3] == b"\x7c\x01\x08"


@TOO_MANY_WAYS
@pytest.mark.parametrize("tlvs", [(), (packets.pad(8),), (packets.pad(2), packets.Tlv(5, bytes(38)), packets.pad(6))])
def test_padding_and_hmac_are_among_them(runner: Runner, tlvs: tuple[packets.Tlv, ...]) -> None:
    with running(runner, told_apart) as (nf, run):
        outcome = run(packet(*tlvs))
        assert (outcome.fault, outcome.mark) == (None, 100)
        assert (nf[seen][0], nf[seen][5]) == (len(tlvs), 0)


@TOO_MANY_WAYS
def test_break_leaves_it_before_else(runner: Runner) -> None:
    with running(runner, told_apart) as (nf, run):
        outcome = run(packet(hops(1), packets.Tlv(124, b"end"), hops(1)))
        assert (outcome.fault, outcome.mark, nf[seen][0]) == (None, 7, 2)


def test_loops_within_loops_go_on_where_python_does(runner: Runner) -> None:
    with running(runner, in_loops) as (nf, run):
        outcome = run(packet(packets.Tlv(1, b"abcd"), hops(2), hops(3), packets.Tlv(9, b"abcd"), packets.Tlv(9, b"abcd")))
        assert outcome.fault is None
        assert [nf[seen][index] for index in range(3)] == [1, 2, 1]


@pytest.mark.parametrize(("left", "forwarded"), [(3, True), (4, False)])
def test_the_packet_may_move_where_the_loop_is_left(runner: Runner, left: int, forwarded: bool) -> None:
    with running(runner, moved_where_it_is_left) as (_, run):
        outcome = run(packet(hops(2), hops(left), hops(5)))
        assert (outcome.fault, outcome.forwarded) == (None, forwarded)


@TOO_MANY_WAYS
def test_more_than_32_are_a_fault(runner: Runner) -> None:
    with running(runner, told_apart) as (_, run):
        assert run(packet(*[packets.Tlv(9)] * 32)).fault is None
        fault = run(packet(*[packets.Tlv(9)] * 36)).fault
        assert fault is not None
        assert fault.message == "more than 32 TLVs in the SRH"
