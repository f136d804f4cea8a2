"""Raw bytes of a TLV in the packet: compared, indexed, copied and written, on the VM and in the kernel."""

from __future__ import annotations

import pytest

from pybpfnf import OK, Array, Seg6Packet, Struct, Tlv, Verdict, octets, seg6local, u8, u32
from pybpfnf.runner import Runner
from pybpfnf.testing import packets
from tests.conformance.tlv_support import area, packet, running


class Name(Tlv, type=124):
    kind: u8
    value: bytes = octets(7)


class Copy(Tlv, type=125):
    value: bytes = octets(7)
    flag: bool


class Kept(Struct):
    before: u8 = 0xEE
    value: bytes = octets(7)
    after: u32 = 5


kept = Array(Kept, 1)
VALUE = b"abcdefg"
FOUND = packets.Tlv(124, b"\x09" + VALUE)


@seg6local
def compared(pkt: Seg6Packet) -> Verdict:
    name = pkt.srh.find(Name)
    if name is None:
        return OK
    if name.value == b"abcdefg":
        pkt.mark |= 1
    if name.value != b"abcdefh":
        pkt.mark |= 2
    if name.value == kept[0].value:
        pkt.mark |= 4
    other = pkt.srh.find(Copy)
    if other is not None and other.value == name.value:
        pkt.mark |= 8
    return OK


@seg6local
def indexed(pkt: Seg6Packet) -> Verdict:
    name = pkt.srh.find(Name)
    if name is None:
        return OK
    total = u32(name.value[0]) << 8 | name.value[6]
    for i in range(7):
        total += name.value[i]
    pkt.mark = total
    pkt.mark += name.value[pkt.srh.tag]
    return OK


@seg6local
def copied(pkt: Seg6Packet) -> Verdict:
    name = pkt.srh.find(Name)
    if name is None:
        return OK
    kept[0].value = name.value
    raw = name.value
    name.value = b"ABCDEFG"
    if raw == b"abcdefg" and raw[1] == 98:
        kept[0] = Kept(before=1, value=raw)
    pkt.srh.append(Copy(value=name.value, flag=True))
    return OK


@seg6local
def written(pkt: Seg6Packet) -> Verdict:
    name = pkt.srh.find(Name)
    copy = pkt.srh.find(Copy)
    if name is None or copy is None:
        return OK
    copy.value = name.value
    name.value = b"ABCDEFG"
    return OK


@seg6local
def moved_between(pkt: Seg6Packet) -> Verdict:
    """The bytes are those from before the action, whatever it does to the packet."""
    name = pkt.srh.find(Name)
    if name is None:
        return OK
    kept[0] = Kept(value=name.value, after=u32(pkt.end_t(table=254) == OK))
    return OK


@pytest.mark.parametrize(
    ("tlvs", "mark"),
    [
        ((), 0),
        ((FOUND,), 3),
        ((packets.Tlv(124, b"\x09abcdefh"),), 0),
        ((packets.Tlv(6, b""), packets.Tlv(124, bytes(8))), 2 + 4),
        ((FOUND, packets.Tlv(125, VALUE + b"\0")), 3 + 8),
    ],
)
def test_bytes_are_compared_with_constants_with_maps_and_with_other_tlvs(runner: Runner, tlvs: tuple[packets.Tlv, ...], mark: int) -> None:
    with running(runner, compared) as (_, run):
        outcome = run(packet(*tlvs))
        assert (outcome.fault, outcome.mark) == (None, mark)


def test_a_byte_is_read_at_a_constant_and_at_a_computed_index(runner: Runner) -> None:
    with running(runner, indexed) as (_, run):
        outcome = run(packet(packets.Tlv(6, b"x"), FOUND, tag=3))
        assert (outcome.fault, outcome.mark) == (None, (97 << 8 | 103) + sum(VALUE) + VALUE[3])


@pytest.mark.parametrize("index", [7, 8, 0xFFFF])
def test_an_index_out_of_range_is_a_fault(runner: Runner, index: int) -> None:
    with running(runner, indexed) as (_, run):
        fault = run(packet(FOUND, tag=index)).fault
        assert fault is not None
        assert fault.message == "index out of range"


def test_bytes_go_into_a_struct_a_local_and_another_tlv_by_value(runner: Runner) -> None:
    with running(runner, copied) as (nf, run):
        outcome = run(packet(FOUND))
        assert outcome.fault is None
        assert nf[kept][0] == Kept(before=1, value=VALUE)
        assert area(outcome.packet).startswith(b"\x7c\x08\x09ABCDEFG\x7d\x08ABCDEFG\x01")


def test_bytes_are_written_in_the_packet(runner: Runner) -> None:
    with running(runner, written) as (_, run):
        outcome = run(packet(FOUND, packets.Tlv(125, bytes(8))))
        assert outcome.fault is None
        assert area(outcome.packet)[:20] == b"\x7c\x08\x09ABCDEFG\x7d\x08abcdefg\0"


def test_bytes_that_were_read_before_the_packet_moved_are_kept(runner: Runner) -> None:
    with running(runner, moved_between) as (nf, run):
        assert run(packet(FOUND)).fault is None
        assert nf[kept][0] == Kept(value=VALUE, after=0)
