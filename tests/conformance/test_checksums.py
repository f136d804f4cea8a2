"""Checksums that follow what lwt_xmit writes: computed anew over what leaves, on the VM and in the kernel, and by the evaluator."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Final

import pytest

from pybpfnf import (
    DROP,
    OK,
    Header,
    LwtXmitPacket,
    Program,
    Verdict,
    XmitIpv4,
    XmitIpv6,
    array,
    backend,
    bits,
    func,
    image,
    lwt_xmit,
    octets,
)

from pybpfnf import u8, u16, u32  # isort: skip
from pybpfnf.dsl import compile_module
from pybpfnf.headers import Icmpv6, Ipv4, Ipv6, Tcp, Udp
from pybpfnf.runner import Environment, Outcome, Runner
from pybpfnf.testing.evaluate import Evaluator
from pybpfnf.testing.fields import diff
from pybpfnf.testing.packets import Extension, Payload, destination_options, hop_by_hop, icmpv6_echo, inner, ipv4, ipv6, srv6, tcp, udp

ROUTER: Final = Environment(mark=3)
OTHER: Final = IPv6Address("fc00:7777::ffff")
AT: Final = {6: 16, 17: 6, 58: 2}


def summed(data: bytes) -> int:
    """0xffff where a checksum in the data is right (RFC 1071 section 1)."""
    total: int = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def upper_sum(packet: bytes, at: int, number: int, final: IPv6Address | None = None) -> int:
    """Of the upper layer at `at` with its pseudo-header; `final`: the last of the segments."""
    if packet[0] >> 4 == 4:
        return summed(packet[12:20] + struct.pack(">xBH", number, len(packet) - at) + packet[at:])
    destination = packet[24:40] if final is None else final.packed
    return summed(packet[8:24] + destination + struct.pack(">I3xB", len(packet) - at, number) + packet[at:])


def run(runner: Runner, program: Program, packet: bytes) -> Outcome:
    """By the runner; the evaluator agrees on the packet as the hook finds it, which has been forwarded."""
    module = compile_module([program])
    built = image.read(backend.build(module))
    with runner.open(built, built.program(), ROUTER) as session:
        outcome = session.run(packet)
        before = forwarded(packet)
        expected = Evaluator(module, module.functions[0], ROUTER).run(before)
        assert (outcome.verdict, outcome.fault and outcome.fault.message) == (expected.verdict, expected.fault and expected.fault.message)
        assert outcome.packet is None or not diff(expected.packet, outcome.packet)
        return outcome


def forwarded(packet: bytes) -> bytes:
    if packet[0] >> 4 == 6:
        return packet[:7] + bytes((packet[7] - 1,)) + packet[8:]
    without = packet[:8] + bytes((packet[8] - 1,)) + packet[9:10] + bytes(2) + packet[12:]
    length = (packet[0] & 15) * 4
    return without[:10] + struct.pack(">H", 0xFFFF - summed(without[:length])) + without[12:]


def left(outcome: Outcome) -> bytes:
    assert outcome.fault is None
    assert outcome.packet is not None
    return outcome.packet


# ------------------------------------------------------------------------------------------------------- addresses


@lwt_xmit(on_fault=DROP)
def translate(pkt: LwtXmitPacket) -> Verdict:
    """Both addresses."""
    ip6, ip4 = pkt.ipv6, pkt.ipv4
    if ip6 is not None:
        ip6.source = IPv6Address("fc00:9:8:7::6")
        ip6.destination = IPv6Address("fc00:7777::ffff")
    elif ip4 is not None:
        ip4.source = 0xC6336407
        ip4.destination += 0x01000001
    return OK


PAYLOADS = [udp(b"odd"), tcp(b"text"), icmpv6_echo(b"12345")]


@pytest.mark.parametrize("payload", PAYLOADS, ids=["UDP", "TCP", "ICMPv6"])
@pytest.mark.parametrize("extensions", [(), (hop_by_hop(), destination_options(bytes(6)))], ids=["plain", "options"])
def test_the_upper_checksum_follows_the_addresses_of_ipv6(runner: Runner, payload: Payload, extensions: Sequence[Extension]) -> None:
    packet = ipv6("fc00:a::1", payload=payload, extensions=extensions)
    at = len(packet) - len(payload.data)
    assert upper_sum(packet, at, payload.number) == 0xFFFF
    after = left(run(runner, translate, packet))
    assert after[8:40] == IPv6Address("fc00:9:8:7::6").packed + OTHER.packed
    assert upper_sum(after, at, payload.number) == 0xFFFF
    assert after[at:] != packet[at:]


def with_checksum(packet: bytes, at: int, number: int) -> bytes:
    """A packet of IPv4 whose upper layer has its checksum, which is zero before."""
    place = at + AT[number]
    checksum = 0xFFFF - upper_sum(packet, at, number) or 0xFFFF
    return packet[:place] + struct.pack(">H", checksum) + packet[place + 2 :]


FOUR = with_checksum(ipv4("198.51.100.1", payload=udp(b"odd")), 20, 17)
FOUR_TCP = with_checksum(ipv4("198.51.100.1", payload=tcp(b"text")), 20, 6)


@pytest.mark.parametrize(("packet", "number"), [(FOUR, 17), (FOUR_TCP, 6)], ids=["UDP", "TCP"])
def test_both_checksums_follow_the_addresses_of_ipv4(runner: Runner, packet: bytes, number: int) -> None:
    after = left(run(runner, translate, packet))
    assert after[12:20] == IPv4Address("198.51.100.7").packed + IPv4Address("199.51.100.2").packed
    assert summed(after[:20]) == 0xFFFF
    assert upper_sum(after, 20, number) == 0xFFFF


def test_a_udp_checksum_of_zero_stays_none(runner: Runner) -> None:
    packet = ipv4("198.51.100.1", payload=udp(b"odd"))
    after = left(run(runner, translate, packet))
    assert (after[26:28], summed(after[:20])) == (bytes(2), 0xFFFF)


def test_a_udp_checksum_that_becomes_zero_is_written_as_all_ones(runner: Runner) -> None:
    """The payload makes up for all the rest, so that the checksum after the change is a sum of zero."""
    changed = ipv6("fc00:7777::ffff", source="fc00:9:8:7::6", payload=udp(bytes(2)))
    rest = struct.unpack_from(">H", changed, 46)[0]
    payload = udp(struct.pack(">H", rest))
    assert ipv6("fc00:7777::ffff", source="fc00:9:8:7::6", payload=payload)[46:48] == b"\xff\xff"
    after = left(run(runner, translate, ipv6("fc00:a::1", payload=payload)))
    assert after[46:48] == b"\xff\xff"


# Not taken over the addresses, or not by what the packet shows of it.
UNCHANGED = {
    "encapsulated": ipv6("fc00:a::1", payload=inner(ipv6("fc00:b::1", payload=udp()))),
    "no upper layer": ipv6("fc00:a::1", payload=Payload(59, b"")),
    "another protocol": ipv6("fc00:a::1", payload=Payload(253, bytes(20))),
    "a later fragment": ipv6("fc00:a::1", payload=udp(), extensions=[Extension(44, bytes(1) + b"\x00\x10" + bytes(4))]),
    "ICMP": ipv4("198.51.100.1", payload=Payload(1, b"\x08\x00\xf7\xff" + bytes(4))),
    "a later fragment of IPv4": FOUR[:6] + b"\x00\x01" + bytes(2) + FOUR[8:10] + bytes(2) + FOUR[12:],
}


@pytest.mark.parametrize("name", [name for name in UNCHANGED if name != "a later fragment of IPv4"])
def test_what_has_no_such_checksum_stays_as_it_is(runner: Runner, name: str) -> None:
    packet = UNCHANGED[name]
    after = left(run(runner, translate, packet))
    start = 20 if packet[0] >> 4 == 4 else 40
    assert after[start:] == packet[start:]


def test_in_the_first_fragment_the_checksum_follows(runner: Runner) -> None:
    """It is taken over the whole datagram, whose second half is elsewhere."""
    whole = ipv6("fc00:a::1", payload=udp(b"a longer text..."))
    rest, head = whole[56:], whole[:56]
    first = head[:4] + b"\0\x18" + b"\x2c" + head[7:40] + b"\x11\0\0\x01\0\0\0\x07" + head[40:56]
    after = left(run(runner, translate, first))
    datagram = after[:40] + after[48:64] + rest
    assert upper_sum(datagram, 40, 17) == 0xFFFF


def test_while_there_are_segments_left_the_checksum_is_over_the_last_of_them(runner: Runner) -> None:
    """RFC 8200 section 8.1: the destination of the pseudo-header is the final one; the source is the packet's."""
    packet = srv6(["fc00:c::2", "fc00:c::1"], payload=udp(b"odd"))
    at = len(packet) - 11
    last = IPv6Address("fc00:c::2")
    assert upper_sum(packet, at, 17, last) == 0xFFFF
    after = left(run(runner, translate, packet))
    assert after[24:40] == OTHER.packed
    assert upper_sum(after, at, 17, last) == 0xFFFF


def test_at_the_last_segment_the_checksum_is_over_the_destination(runner: Runner) -> None:
    packet = srv6(["fc00:c::1"], segments_left=0, payload=udp(b"odd"))
    at = len(packet) - 11
    after = left(run(runner, translate, packet))
    assert upper_sum(after, at, 17) == 0xFFFF


def test_nothing_is_written_where_the_checksum_is_cut_off(runner: Runner) -> None:
    """In UDP's first six bytes."""
    outcome = run(runner, faulting, ipv6("fc00:a::1", payload=Payload(17, bytes(6))))
    assert outcome.fault is not None
    assert outcome.fault.message == "past the end of the packet"
    assert outcome.packet is not None
    assert outcome.packet[24:40] == IPv6Address("fc00:a::1").packed


@lwt_xmit(on_fault=OK)
def faulting(pkt: LwtXmitPacket) -> Verdict:
    if pkt.ipv6 is None:
        return DROP
    pkt.ipv6.destination = IPv6Address("fc00::1")
    return OK


# ---------------------------------------------------------------------------------------------- fields of the headers


@func
def lower(header: XmitIpv4) -> None:
    header.ttl -= 1


@lwt_xmit(on_fault=DROP)
def rewrite4(pkt: LwtXmitPacket) -> Verdict:
    """Every field that can be written, bit fields and bytes at odd places among them."""
    ip = pkt.ipv4
    if ip is None:
        return DROP
    lower(ip)
    ip.dscp = 46
    ip.ecn |= 1
    ip.identification = u16(pkt.len) + 0xFF00
    ip.flags = 2
    ip.protocol += 0
    ip.total_length += 0
    ip.fragment_offset = 0
    return OK


@pytest.mark.parametrize("packet", [FOUR, FOUR_TCP])
def test_the_header_checksum_follows_each_field(runner: Runner, packet: bytes) -> None:
    after = left(run(runner, rewrite4, packet))
    assert summed(after[:20]) == 0xFFFF
    assert (after[1], after[6], after[8]) == (46 << 2 | 1, 0x40, packet[8] - 2)
    assert after[20:] == packet[20:]


@func(inline=False)
def relabel(header: XmitIpv6, label: u32) -> None:
    header.flow_label = label


@lwt_xmit(on_fault=DROP)
def rewrite6(pkt: LwtXmitPacket) -> Verdict:
    ip = pkt.ipv6
    if ip is None:
        return DROP
    relabel(ip, 0xABCDE)
    ip.traffic_class = 0xB8
    ip.hop_limit -= 3
    if pkt.srh is not None:
        pkt.srh.tag = 77
        pkt.srh.flags |= 0x20
    return OK


@pytest.mark.parametrize("packet", [ipv6("fc00:a::1", payload=udp()), srv6(["fc00:c::2", "fc00:c::1"])], ids=["IPv6", "SRv6"])
def test_fields_of_ipv6_and_the_srh_are_written_in_their_places_alone(runner: Runner, packet: bytes) -> None:
    after = left(run(runner, rewrite6, packet))
    expected = b"\x6b\x8a\xbc\xde" + packet[4:7] + bytes((packet[7] - 4,)) + packet[8:]
    if packet[6] == 43:
        expected = expected[:45] + b"\x20\x00\x4d" + expected[48:]
    assert after == expected


# ------------------------------------------------------------------------------------------------------------- views


class Report(Header):
    kind: u8 = bits(3)
    count: u16 = bits(13)
    key: bytes = octets(3)
    where: IPv6Address
    numbers: list[u16] = array(u16, 3)
    last: u8


class Datagram(Header, number=17):
    udp: Udp
    report: Report


class Ports(Header, number=17):
    """Less than a header: the checksum lies behind it."""

    numbers: list[u16] = array(u16, 2)


@lwt_xmit(on_fault=DROP)
def fill(pkt: LwtXmitPacket) -> Verdict:
    """Through a view of the payload, at even and odd places, one of them computed."""
    datagram = pkt.find(Datagram)
    if datagram is None:
        return DROP
    report = datagram.report
    datagram.report.count += 0x1FF0
    datagram.report.key = b"new"
    datagram.report.where = IPv6Address("fc00:7777::ffff")
    datagram.report.numbers[pkt.mark % 3] = 0xBEEF
    datagram.report.numbers[2] ^= 0x0F0F
    datagram.report.last = 0xFF
    datagram.udp.source_port = report.numbers[1]
    return OK


@pytest.mark.parametrize("extensions", [(), (hop_by_hop(),)], ids=["plain", "options"])
def test_the_checksum_follows_what_is_written_in_the_class_of_a_number(runner: Runner, extensions: Sequence[Extension]) -> None:
    packet = ipv6("fc00:a::1", payload=udp(bytes(range(28)) + b"behind."), extensions=extensions)
    after = left(run(runner, fill, packet))
    at = len(packet) - 43
    assert after[at + 10 : at + 13] == b"new"
    assert upper_sum(after, at, 17) == 0xFFFF


@lwt_xmit(on_fault=DROP)
def swap(pkt: LwtXmitPacket) -> Verdict:
    """By a class that is a part of UDP's header, and by TCP's and ICMPv6's."""
    udp, tcp, icmp = pkt.find(Ports), pkt.find(Tcp), pkt.find(Icmpv6)
    if udp is not None:
        for i in range(2):
            udp.numbers[i] += 0x7FFF
    elif tcp is not None:
        tcp.destination_port = 8080
        tcp.flags |= 0x10
        tcp.sequence_number += 0xFFFF0000
    elif icmp is not None:
        icmp.type = 129
        icmp.code = 1
    return OK


@pytest.mark.parametrize("payload", PAYLOADS, ids=["UDP", "TCP", "ICMPv6"])
def test_the_checksum_follows_ports_flags_and_types(runner: Runner, payload: Payload) -> None:
    packet = ipv6("fc00:a::1", payload=payload)
    after = left(run(runner, swap, packet))
    assert after[40:44] != packet[40:44]
    assert upper_sum(after, 40, payload.number) == 0xFFFF


@pytest.mark.parametrize(("packet", "number"), [(FOUR, 17), (FOUR_TCP, 6)], ids=["UDP", "TCP"])
def test_the_checksum_follows_ports_in_ipv4(runner: Runner, packet: bytes, number: int) -> None:
    after = left(run(runner, swap, packet))
    assert upper_sum(after, 20, number) == 0xFFFF


@lwt_xmit(on_fault=DROP)
def age(pkt: LwtXmitPacket) -> Verdict:
    """The header of a packet inside, whose checksum is its own."""
    inside = pkt.find(Ipv4)
    if inside is None:
        return DROP
    inside.ttl -= 1
    inside.dscp = 10
    return OK


def test_the_header_checksum_of_a_packet_inside_follows(runner: Runner) -> None:
    packet = ipv6("fc00:a::1", payload=Payload(4, FOUR))
    after = left(run(runner, age, packet))
    assert after[48] == FOUR[8] - 1
    assert summed(after[40:60]) == 0xFFFF


@lwt_xmit(on_fault=DROP)
def raw(pkt: LwtXmitPacket) -> Verdict:
    """A checksum is written as it is given, and so is what lies in no class with a number that has one."""
    udp = pkt.find(Udp)
    if udp is None:
        return DROP
    udp.checksum = 0x1234
    pkt.view(Ipv6, at=0).destination = IPv6Address("fc00:7777::ffff")
    return OK


def test_no_checksum_follows_a_checksum_or_bytes_at_an_offset(runner: Runner) -> None:
    after = left(run(runner, raw, ipv6("fc00:a::1", payload=udp())))
    assert (after[46:48], after[24:40]) == (b"\x12\x34", OTHER.packed)


def test_a_checksum_at_an_odd_offset_is_a_fault(runner: Runner) -> None:
    outcome = run(runner, shifted, ipv6("fc00:a::1", payload=Payload(253, bytes(20))))
    assert outcome.fault is not None
    assert outcome.fault.message == "the kernel refused to mend the checksum"


@lwt_xmit(on_fault=DROP)
def shifted(pkt: LwtXmitPacket) -> Verdict:
    pkt.view(Udp, at=41).source_port = 1
    return OK
