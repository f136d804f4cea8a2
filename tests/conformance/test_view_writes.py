"""Writes to headers in the packet, which lwt_xmit alone may: on the VM and in the kernel."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address
from typing import Final, TypeAlias

import pytest

from pybpfnf import (
    DROP,
    OK,
    Header,
    LwtXmitPacket,
    Program,
    Verdict,
    array,
    backend,
    bits,
    func,
    image,
    lwt_xmit,
    octets,
    s16,
    u8,
    u16,
    u32,
)
from pybpfnf.dsl import compile_module
from pybpfnf.headers import Udp
from pybpfnf.runner import Environment, Outcome, Runner
from pybpfnf.testing.evaluate import Evaluator
from pybpfnf.testing.packets import Payload, hop_by_hop, ipv4, ipv6, tcp, udp

Run: TypeAlias = Callable[[bytes], Outcome]
ROUTER: Final = Environment(mark=3)


class Part(Header):
    kind: u8 = bits(3)
    size: u16 = bits(13)


class Whole(Header):
    vni: u32 = bits(24)
    flag: bool
    skew: s16
    part: Part
    where: IPv6Address
    numbers: list[u16] = array(u16, 3)
    name: bytearray = octets(5)  # bytes, to a type checker, have no items to assign
    copy: bytes = octets(5)
    third: bytes = octets(5)
    odd: u32 = bits(27)
    rest: u8 = bits(5)


@lwt_xmit(on_fault=DROP)
def change(pkt: LwtXmitPacket) -> Verdict:
    whole = pkt.view(Whole, at=40)
    whole.vni = 0x0A0B0C
    whole.flag = not whole.flag
    whole.skew -= 3
    whole.part.kind = 6
    whole.part.size += 0x1FFF
    whole.where = IPv6Address("fc00::7")
    whole.numbers[pkt.mark % 3] = 0x1234
    whole.numbers[2] += 1
    whole.third = whole.copy
    whole.copy = b"first"
    whole.name[pkt.mark] = 0x2A
    whole.odd = 0x5555555
    whole.rest |= 1
    return OK


@lwt_xmit(on_fault=OK)
def ports(pkt: LwtXmitPacket) -> Verdict:
    udp = pkt.find(Udp)
    if udp is None:
        return DROP
    if udp.destination_port != 4096:
        return DROP
    udp.destination_port, udp.source_port = udp.source_port, udp.destination_port
    return OK


@lwt_xmit(on_fault=DROP)
def filled(pkt: LwtXmitPacket) -> Verdict:
    """In a loop, at offsets that it computes, after a branch that wrote too."""
    if pkt.mark == 3:
        pkt.view(Part, at=pkt.len - 2).size = 0
    for i in range(10):
        part = pkt.view(Part, at=u32(48 + i * 2))
        part.kind = 5
        if i % 2 == 0:
            part.size = u16(i)
    return OK


@func
def exchange(udp: Udp) -> None:
    udp.destination_port, udp.source_port = udp.source_port, udp.destination_port


@func(inline=False)
def raise_ports(udp: Udp, by: u16) -> u16:
    udp.source_port += by
    udp.destination_port = 0xFFFF - udp.destination_port
    return udp.checksum


@func(inline=False)
def udp_of(pkt: LwtXmitPacket) -> Udp:
    udp = pkt.find(Udp)
    assert udp is not None
    return udp


@lwt_xmit(on_fault=DROP)
def through_functions(pkt: LwtXmitPacket) -> Verdict:
    exchange(udp_of(pkt))
    udp = udp_of(pkt)
    pkt.mark = raise_ports(udp, 7)
    udp_of(pkt).source_port = raise_ports(udp, 9) | 1
    exchange(udp)
    return OK


@contextmanager
def running(runner: Runner, program: Program) -> Iterator[Run]:
    built = image.read(backend.build(compile_module([program])))
    with runner.open(built, built.program(), ROUTER) as session:
        yield session.run


def evaluated(program: Program, packet: bytes) -> bytes:
    """By the evaluator, of a packet as the hook finds it: forwarding has taken a hop off."""
    module = compile_module([program])
    return Evaluator(module, module.functions[0], ROUTER).run(packet[:7] + bytes((packet[7] - 1,)) + packet[8:]).packet


BEFORE = (
    b"\x01\x02\x03\x01\xff\xfe\x20\x05" + IPv6Address("fc00::9").packed + struct.pack(">3H", 11, 12, 0xFFFF) + b"whole"
    + b"other" + b"third" + b"\xff\xff\xff\xfe"
)  # fmt: skip
AFTER = (
    b"\x0a\x0b\x0c\x00\xff\xfb\xc0\x04" + IPv6Address("fc00::7").packed + struct.pack(">3H", 0x1234, 12, 0) + b"who*e"
    + b"first" + b"other" + struct.pack(">I", 0x5555555 << 5 | 0x1F)
)  # fmt: skip


def test_each_kind_of_field_is_written_in_its_place_alone(runner: Runner) -> None:
    packet = ipv6("fc00:a::1", payload=Payload(253, BEFORE + b"behind"))
    with running(runner, change) as run:
        outcome = run(packet)
        assert outcome.fault is None
        assert outcome.packet is not None
        assert outcome.packet[40:] == AFTER + b"behind"
        assert outcome.packet == evaluated(change, packet)


def test_nothing_is_written_where_the_view_does_not_fit(runner: Runner) -> None:
    with running(runner, change) as run:
        fault = run(ipv6("fc00:a::1", payload=Payload(253, BEFORE[:-1]))).fault
        assert fault is not None
        assert fault.message == "past the end of the packet"


SIX, FOUR = ipv6("fc00:a::1", payload=udp()), ipv4("198.51.100.1", payload=udp())
WITH_OPTIONS = ipv6("fc00:a::1", payload=udp(), extensions=[hop_by_hop()])


@pytest.mark.parametrize(("packet", "at"), [(SIX, 40), (FOUR, 20), (WITH_OPTIONS, 48)], ids=["IPv6", "IPv4", "options"])
def test_ports_are_exchanged_in_a_packet_of_either_version(runner: Runner, packet: bytes, at: int) -> None:
    with running(runner, ports) as run:
        outcome = run(packet)
        assert (outcome.fault, outcome.forwarded) == (None, True)
        assert outcome.packet is not None
        assert struct.unpack_from(">2H", outcome.packet, at) == (4096, 1024)


def with_ipv4_options(packet: bytes) -> bytes:
    """Four no-operations (RFC 791 section 3.1): the checksum covers two words 0x0101 more, and one in the first byte."""
    header = bytes((packet[0] + 1,)) + packet[1:20] + b"\1\1\1\1"
    length = struct.pack(">H", len(packet) + 4)
    header = header[:2] + length + header[4:10] + b"\0\0" + header[12:]
    total = sum(struct.unpack(f">{len(header) // 2}H", header))
    total = (total & 0xFFFF) + (total >> 16)
    return header[:10] + struct.pack(">H", ~total & 0xFFFF) + header[12:] + packet[20:]


def test_the_options_of_ipv4_are_passed_over(runner: Runner) -> None:
    with running(runner, ports) as run:
        outcome = run(with_ipv4_options(FOUR))
        assert outcome.packet is not None
        assert struct.unpack_from(">2H", outcome.packet, 24) == (4096, 1024)


IN_A_FRAGMENT = FOUR[:6] + b"\x00\x01" + FOUR[8:10] + struct.pack(">H", struct.unpack(">H", FOUR[10:12])[0] - 1) + FOUR[12:]


@pytest.mark.parametrize("packet", [ipv6("fc00:a::1", payload=tcp()), ipv4("198.51.100.1", payload=tcp()), IN_A_FRAGMENT])
def test_none_for_another_protocol_and_a_later_fragment_in_either_version(runner: Runner, packet: bytes) -> None:
    with running(runner, ports) as run:
        outcome = run(packet)
        assert (outcome.fault, outcome.verdict) == (None, DROP)


def test_views_are_written_in_a_loop(runner: Runner) -> None:
    packet = ipv6("fc00:a::1", payload=Payload(253, bytes(range(100, 140))))
    with running(runner, filled) as run:
        outcome = run(packet)
        assert outcome.fault is None
        assert outcome.packet == evaluated(filled, packet)


@pytest.mark.parametrize(("packet", "at"), [(SIX, 40), (WITH_OPTIONS, 48)], ids=["plain", "options"])
def test_checksums_follow_what_a_function_writes_in_a_header_that_it_is_given(runner: Runner, packet: bytes, at: int) -> None:
    with running(runner, through_functions) as run:
        outcome = run(packet)
    assert (outcome.fault, outcome.forwarded) == (None, True)
    assert outcome.packet is not None
    assert outcome.packet == evaluated(through_functions, packet)
    source, destination, _, checksum = struct.unpack_from(">4H", outcome.packet, at)
    before = struct.unpack_from(">4H", packet, at)
    assert (destination, checksum) != (before[1], before[3])
    # What the ports lost the checksum has gained: it is over their sum (RFC 1624).
    assert (source + destination + checksum - sum(before[:2]) - before[3]) % 0xFFFF == 0
