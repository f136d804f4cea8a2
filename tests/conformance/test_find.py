"""`srh.find(T)`, the fields of what it gives, and writes to them: on the VM and in the kernel."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address
from typing import TypeAlias

import pytest

from pybpfnf import DROP, OK, Array, Program, Seg6Packet, Tlv, Verdict, backend, image, s16, seg6local, u8, u16, u64
from pybpfnf.dsl import compile_module
from pybpfnf.live import Live
from pybpfnf.runner import Environment, Outcome, Runner
from pybpfnf.testing import packets
from pybpfnf.testing.packets import srv6

SID = "fc00:2::2"
SEGMENTS = ["fc00:3::3", SID]
SRH_END = 40 + 8 + 16 * len(SEGMENTS)  # where the TLVs begin


class Probe(Tlv, type=124):
    time: u64
    session: u16
    skew: s16
    flag: bool
    via: IPv6Address


class Hops(Tlv, type=125):
    left: u8


seen = Array(u64, 4)
via = Array(IPv6Address, 1)
WIRE = struct.Struct(">QHhB16s")
VALUE = WIRE.pack(1 << 60, 0x1234, -2, 1, IPv6Address("fc00::7").packed)
Run: TypeAlias = Callable[[bytes], Outcome]


@seg6local
def read(pkt: Seg6Packet) -> Verdict:
    probe = pkt.srh.find(Probe)
    if probe is None:
        pkt.mark = 1
        return OK
    seen[0] = probe.time
    seen[1] = probe.session
    seen[2] = u64(probe.skew)
    if probe.flag:
        seen[3] = 1
    via[0] = probe.via
    return OK


@seg6local
def write(pkt: Seg6Packet) -> Verdict:
    probe = pkt.srh.find(Probe)
    if probe is None:
        return DROP
    probe.session += 0xFFFF
    probe.time = 0x0102030405060708
    probe.skew = -3
    probe.flag = not probe.flag
    probe.via = pkt.ipv6.source
    if probe.session == 0x1233:
        pkt.mark = 5
    return OK


@seg6local
def moved(pkt: Seg6Packet) -> Verdict:
    """What was appended is found, where it is then."""
    pkt.srh.append(Hops(left=7))
    hops = pkt.srh.find(Hops)
    assert hops is not None
    hops.left += 1
    pkt.mark = hops.left
    return OK


@contextmanager
def running(runner: Runner, program: Program) -> Iterator[tuple[Live, Run]]:
    built = image.read(backend.build(compile_module([program])))
    with runner.open(built, built.program(), Environment(sid=IPv6Address(SID))) as session:
        yield Live(built, session.maps), session.run


def packet(*tlvs: packets.Tlv) -> bytes:
    return srv6(segments=SEGMENTS, tlvs=tlvs)


def other(length: int) -> packets.Tlv:
    return packets.Tlv(6, bytes(length))


FOUND = packets.Tlv(124, VALUE)


@pytest.mark.parametrize("before", [(), (other(0),), (other(3), other(7)), (packets.Tlv(124, b"short"), other(1))])
def test_the_first_tlv_of_type_and_length_is_found_wherever_it_is(runner: Runner, before: tuple[packets.Tlv, ...]) -> None:
    with running(runner, read) as (nf, run):
        outcome = run(packet(*before, FOUND, packets.Tlv(124, bytes(len(VALUE)))))
        assert (outcome.fault, outcome.mark) == (None, 0)
        assert list(nf[seen]) == [1 << 60, 0x1234, (1 << 64) - 2, 1]
        assert nf[via][0] == IPv6Address("fc00::7")


@pytest.mark.parametrize("tlvs", [(), (other(4),), (packets.Tlv(124, VALUE + b"x"),), (packets.Tlv(125, VALUE),)])
def test_none_where_the_type_or_the_length_differs(runner: Runner, tlvs: tuple[packets.Tlv, ...]) -> None:
    with running(runner, read) as (_, run):
        outcome = run(packet(*tlvs))
        assert (outcome.fault, outcome.mark) == (None, 1)


def test_fields_are_written_in_network_byte_order_and_read_again(runner: Runner) -> None:
    with running(runner, write) as (_, run):
        outcome = run(packet(other(1), FOUND))
        assert (outcome.fault, outcome.mark) == (None, 5)
        assert outcome.packet is not None
        written = outcome.packet[SRH_END + 3 + 2 :][: WIRE.size]
        assert WIRE.unpack(written) == (0x0102030405060708, 0x1233, -3, 0, IPv6Address("fd00::1").packed)
        assert outcome.packet[SRH_END:][:5] == bytes((6, 1, 0, 124, WIRE.size))


def test_what_was_appended_is_found(runner: Runner) -> None:
    with running(runner, moved) as (_, run):
        outcome = run(packet(other(2)))
        assert (outcome.fault, outcome.mark) == (None, 8)


def test_more_tlvs_than_the_walk_looks_at_are_a_fault(runner: Runner) -> None:
    with running(runner, read) as (_, run):
        assert run(packet(*[other(0)] * 31, FOUND)).mark == 0
        fault = run(packet(*[other(0)] * 33)).fault
        assert fault is not None
        assert fault.message == "more than 32 TLVs in the SRH"
