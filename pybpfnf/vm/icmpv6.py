"""ICMPv6 messages of a router: which packets an error may answer, and the bytes (RFC 4443; net/ipv6/icmp.c, Linux 6.18)."""

from __future__ import annotations

import struct
from ipaddress import IPv6Address

from pybpfnf.abi.headers import NEXT_HEADERS
from pybpfnf.abi.icmpv6 import ECHO_REPLY, FIRST_INFORMATIONAL, HEADER_SIZE, ICMP_ERRORS, IPV6_MIN_MTU
from pybpfnf.vm import ipv6

ICMPV6 = NEXT_HEADERS["icmpv6"]
HOP_LIMIT = 64  # net.ipv6.conf.*.hop_limit
_OF_GROUPS = frozenset({"too_big", "unknown_option"})  # errors that a packet to a multicast address may cause
_MOST_QUOTED = IPV6_MIN_MTU - ipv6.IPV6_SIZE - HEADER_SIZE
_PSEUDO = struct.Struct(">16s16sI3xB")


def may_answer(packet: bytes | bytearray, name: str) -> bool:
    """Whether the error of that name of `abi.icmpv6.ICMP_ERRORS` may be sent because of the packet (RFC 4443 section 2.4 (e))."""
    source = ipv6.source(packet)
    if source.is_unspecified or source.is_multicast or (packet[24] == 0xFF and name not in _OF_GROUPS):
        return False
    return not _is_ineligible(packet)


def _is_ineligible(packet: bytes | bytearray) -> bool:
    """`is_ineligible`: an ICMPv6 error. A redirect is none to Linux, nor is a later fragment, which need not say what it is."""
    number, at = skip_extension_headers(packet)
    return number == ICMPV6 and at >= 0 and (at >= len(packet) or packet[at] < FIRST_INFORMATIONAL)


def skip_extension_headers(packet: bytes | bytearray) -> tuple[int, int]:
    """`ipv6_skip_exthdr`: the number of the first header that is no extension header, and its offset; -1 where the packet ends before
    or is a later fragment."""
    number, at = packet[6], ipv6.IPV6_SIZE
    while number in ipv6.EXTENSION_HEADERS:
        if number == ipv6.NO_NEXT_HEADER or at + 2 > len(packet):
            return number, -1
        if number == ipv6.FRAGMENT and (at + 4 > len(packet) or int.from_bytes(packet[at + 2 : at + 4], "big") & ~7):
            return packet[at], -1
        number, at = packet[at], at + ipv6.header_length(number, packet[at + 1])
    return number, at


def error(packet: bytes | bytearray, name: str, parameter: int, source: IPv6Address) -> bytes:
    """The error of that name, with as much of the packet as fits; no flow label, which the kernel takes from a hash of its own."""
    row = ICMP_ERRORS[name]
    body = struct.pack(">BBHI", row.type, row.code, 0, parameter) + bytes(packet[:_MOST_QUOTED])
    return message(source, ipv6.source(packet), body)


def echo_reply(packet: bytes | bytearray, at: int, source: IPv6Address) -> bytes:
    """To the echo request whose ICMPv6 header is at that offset."""
    body = bytes((ECHO_REPLY,)) + bytes(packet[at + 1 : at + 2]) + bytes(2) + bytes(packet[at + 4 :])
    return message(source, ipv6.source(packet), body, packet[0] << 4 & 0xF0 | packet[1] >> 4)


def message(source: IPv6Address, destination: IPv6Address, body: bytes, traffic_class: int = 0) -> bytes:
    """A packet with an ICMPv6 message, whose checksum is filled in."""
    summed = checksum(source.packed, destination.packed, ICMPV6, body)
    head = struct.pack(">IHBB", 6 << 28 | traffic_class << 20, len(body), ICMPV6, HOP_LIMIT)
    return head + source.packed + destination.packed + body[:2] + summed.to_bytes(2, "big") + body[4:]


def checksum(source: bytes, destination: bytes, number: int, data: bytes | bytearray) -> int:
    """The Internet checksum with the pseudo-header of IPv6 (RFC 8200 section 8.1): 0 over a message with a right one."""
    text = _PSEUDO.pack(source, destination, len(data), number) + data + bytes(len(data) % 2)
    total: int = sum(struct.unpack(f">{len(text) // 2}H", text))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
