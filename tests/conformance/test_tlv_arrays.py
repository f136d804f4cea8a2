"""A TLV that ends in an array: found by any number of items, its items read, written, gone over and appended; on both engines."""

from __future__ import annotations

import struct

import pytest

from pybpfnf import OK, Array, IPv6Address, Program, Seg6Packet, State, Tlv, Verdict, array, seg6local, u8, u16, u32, u64
from pybpfnf.runner import Runner
from pybpfnf.testing import packets
from tests.conformance.tlv_support import area, packet, running
from tests.kernel_support import TOO_MANY_WAYS


class Samples(Tlv, type=124):
    kind: u8
    values: list[u32] = array(u32, max=5)


class Hops(Tlv, type=101):
    count: u8
    reserved: u8
    hops: list[IPv6Address] = array(IPv6Address, max=3)


class Marks(Tlv, type=125):
    marks: list[u16] = array(u16, 3)
    last: u8


numbers = Array(u64, 8)
addresses = Array(IPv6Address, 4)
WANTED = State(u32)


@seg6local
def shape(pkt: Seg6Packet) -> Verdict:
    """How many items, plus 100 when it is there at all; their sum."""
    samples = pkt.srh.find(Samples)
    if samples is None:
        return OK
    pkt.mark = 100 + len(samples.values)
    for value in samples.values:
        numbers[0] += value
    for i in range(len(samples.values)):
        numbers[1] += samples.values[i]
    return OK


@seg6local
def indexed(pkt: Seg6Packet) -> Verdict:
    samples = pkt.srh.find(Samples)
    if samples is None:
        return OK
    pkt.mark = samples.values[WANTED]
    return OK


@seg6local
def written(pkt: Seg6Packet) -> Verdict:
    samples, marks = pkt.srh.find(Samples), pkt.srh.find(Marks)
    if samples is None or marks is None:
        return OK
    samples.values[WANTED] = 0x01020304
    samples.values[0] += 1
    marks.marks[2] = 0xBEEF
    marks.marks[WANTED] ^= marks.last
    pkt.mark = len(marks.marks)
    return OK


@seg6local
def looked_for(pkt: Seg6Packet) -> Verdict:
    """Leaves the loop at the first that is wanted; `else` when there is none."""
    samples = pkt.srh.find(Samples)
    hops = pkt.srh.find(Hops)
    if samples is not None:
        for value in samples.values:
            if value == 0:
                continue
            if value == WANTED:
                pkt.mark = 1
                break
        else:
            pkt.mark = 2
    if hops is not None:
        last = IPv6Address("::")
        for hop in hops.hops:
            last = hop
            if hop == pkt.ipv6.source:
                pkt.srh.append(Samples(kind=9, values=[pkt.mark]))
                break
        addresses[0] = last
    return OK


@seg6local
def appended(pkt: Seg6Packet) -> Verdict:
    pkt.srh.append(Hops(count=2, reserved=0, hops=[pkt.ipv6.source, IPv6Address("fc00::9")]))
    pkt.srh.append(Samples(kind=1, values=[]))
    pkt.srh.append(Marks(marks=[1, pkt.srh.tag, 3], last=7))
    pkt.srh.append(Samples(kind=2, values=[pkt.mark, 5]))
    return OK


def samples(*values: int, kind: int = 9) -> packets.Tlv:
    return packets.Tlv(124, bytes([kind]) + b"".join(value.to_bytes(4, "big") for value in values))


@pytest.mark.parametrize("values", [(), (7,), (1, 2, 3), (0xFFFFFFFF,) * 5])
def test_a_tlv_is_found_with_any_number_of_items(runner: Runner, values: tuple[int, ...]) -> None:
    with running(runner, shape) as (nf, run):
        outcome = run(packet(packets.Tlv(6, b"xyz"), samples(*values)))
        assert (outcome.fault, outcome.mark) == (None, 100 + len(values))
        assert (nf[numbers][0], nf[numbers][1]) == (sum(values), sum(values))


@pytest.mark.parametrize("data", [b"", b"\x09abc", b"\x09abcde", bytes(1 + 4 * 6), bytes(255)])
def test_a_length_that_is_no_whole_number_of_items_or_of_too_many_is_another_tlv(runner: Runner, data: bytes) -> None:
    with running(runner, shape) as (_, run):
        assert run(packet(packets.Tlv(124, data))).mark == 0
        assert run(packet(packets.Tlv(124, data), samples(1))).mark == 101


@pytest.mark.parametrize("index", [0, 2])
def test_an_item_is_read_by_its_index(runner: Runner, index: int) -> None:
    with running(runner, indexed) as (nf, run):
        nf[WANTED] = index
        outcome = run(packet(samples(10, 11, 12)))
        assert (outcome.fault, outcome.mark) == (None, 10 + index)


@pytest.mark.parametrize(("program", "index"), [(indexed, 3), (indexed, 1 << 31), (written, 3), (written, 4)])
def test_an_index_past_the_items_of_the_packet_is_a_fault(runner: Runner, program: Program, index: int) -> None:
    with running(runner, program) as (nf, run):
        nf[WANTED] = index
        fault = run(packet(samples(10, 11, 12), packets.Tlv(125, bytes(7)))).fault
        assert fault is not None
        assert fault.message == "index out of range"


def test_items_are_written_in_the_packet(runner: Runner) -> None:
    with running(runner, written) as (nf, run):
        nf[WANTED] = 1
        outcome = run(packet(samples(0xFFFFFFFF, 6, 7), packets.Tlv(125, b"\0\1\0\2\0\3\xf0")))
        assert (outcome.fault, outcome.mark) == (None, 3)
        assert area(outcome.packet).startswith(b"\x7c\x0d\x09" + struct.pack(">III", 0, 0x01020304, 7) + b"\x7d\x07\0\1\0\xf2\xbe\xef\xf0")


@pytest.mark.parametrize(("wanted", "mark"), [(5, 1), (7, 1), (6, 2), (0, 2)])
def test_break_continue_and_else_of_a_loop_over_items(runner: Runner, wanted: int, mark: int) -> None:
    with running(runner, looked_for) as (nf, run):
        nf[WANTED] = wanted
        assert run(packet(samples(5, 0, 7))).mark == mark


def test_the_packet_may_move_where_the_loop_is_left(runner: Runner) -> None:
    hops = [IPv6Address("fc00::7").packed, IPv6Address("fd00::1").packed, IPv6Address("fc00::8").packed]
    with running(runner, looked_for) as (nf, run):
        outcome = run(packet(packets.Tlv(101, b"\3\0" + b"".join(hops))))
        assert outcome.fault is None
        assert nf[addresses][0] == IPv6Address("fd00::1")
        assert b"\x7c\x05\x09\0\0\0\0" in area(outcome.packet)


@TOO_MANY_WAYS
def test_items_are_appended_in_network_byte_order(runner: Runner) -> None:
    with running(runner, appended) as (_, run):
        outcome = run(packet(tag=0x1234))
        assert outcome.fault is None
        hops = b"\x65\x22\2\0" + IPv6Address("fd00::1").packed + IPv6Address("fc00::9").packed
        rest = b"\x7c\x01\x01" + b"\x7d\x07\0\1\x12\x34\0\3\7" + b"\x7c\x09\2\0\0\0\0\0\0\0\5"
        assert area(outcome.packet).startswith(hops + rest)
