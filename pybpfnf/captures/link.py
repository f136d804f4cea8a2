"""Where the IPv6 packet begins in a captured frame, by link type; and whether ip6_rcv would take it.

Link types are rows, with their numbers from https://www.tcpdump.org/linktypes.html. Files are read in `pcap`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, final

from pybpfnf.abi.headers import ETHER_TYPES, HEADERS

RAW_IP = 101
ETHERNET = 1

_IPV6_SIZE = HEADERS["ipv6"].size
_IPV6_TYPE = ETHER_TYPES["ipv6"].to_bytes(2, "big")
_NAMES = {number: name for name, number in ETHER_TYPES.items()}
_VLAN_TAGS = frozenset({ETHER_TYPES["vlan"], 0x88A8, 0x9100})  # IEEE 802.1Q, 802.1ad, and QinQ before it
_LENGTHS_NOT_TYPES = 0x0600  # below it the field is an IEEE 802.3 length


@final
@dataclass(frozen=True, slots=True)
class NotIpv6:
    """Why a frame has no IPv6 packet for a hook, in a few words; `ipv4_at` is where an IPv4 packet begins in it."""

    reason: str
    ipv4_at: int | None = None


Start: TypeAlias = int | NotIpv6  # bytes before the IPv6 header, or why there is none


@final
@dataclass(frozen=True, slots=True)
class LinkType:
    number: int
    name: str
    start: Callable[[bytes], Start]
    size: int = 0  # of a link header without VLAN tags
    type_at: int | None = None  # of the EtherType, in a link header without VLAN tags; else it stands last

    def header_for(self, header: bytes, packet: bytes) -> bytes:
        """The link header with the EtherType of the packet's version, which a program may have changed."""
        if self.type_at is None or len(header) < self.type_at + 2:
            return header
        if header[self.type_at : self.type_at + 2] == _IPV6_TYPE and packet[:1] and packet[0] >> 4 == 6:
            return header
        at = len(header) - 2 if int.from_bytes(header[self.type_at : self.type_at + 2], "big") in _VLAN_TAGS else self.type_at
        kind = ETHER_TYPES["ipv4" if packet[:1] and packet[0] >> 4 == 4 else "ipv6"]
        return header[:at] + kind.to_bytes(2, "big") + header[at + 2 :]


def ipv6_packet(link: LinkType, frame: bytes) -> tuple[int, bytes] | NotIpv6:
    """The length of the link header, and the packet that ip6_rcv would hand on: checked and cut to its payload length
    (net/ipv6/ip6_input.c, ip6_rcv_core), so that Ethernet's padding is not part of it."""
    start = link.start(frame)
    if not isinstance(start, int):
        return start
    size = len(frame) - start
    version = frame[start] >> 4 if size else 6
    if version != 6:
        return NotIpv6("an IPv4 packet", ipv4_at=start) if version == 4 else NotIpv6(f"IP version {version}")
    if size < _IPV6_SIZE:
        return NotIpv6(f"{size} bytes are less than an IPv6 header")
    announced = frame[start + 4] << 8 | frame[start + 5]
    if announced == 0 and frame[start + 6] == 0:  # a jumbogram: its length is in the hop-by-hop options
        return start, frame[start:]
    if _IPV6_SIZE + announced > size:
        return NotIpv6(f"its payload length is {announced}, but {size - _IPV6_SIZE} bytes follow the IPv6 header")
    return start, frame[start : start + _IPV6_SIZE + announced]


def _by_ethertype(name: str, size: int, type_at: int) -> Callable[[bytes], Start]:
    """For a link header of `size` bytes with its EtherType at `type_at`; VLAN tags may follow the header."""

    def start(frame: bytes) -> Start:
        if len(frame) >= size and frame[type_at : type_at + 2] == _IPV6_TYPE:
            return size
        if len(frame) < size:
            return NotIpv6(f"{len(frame)} bytes are less than {name} header")
        ethertype, begin = int.from_bytes(frame[type_at : type_at + 2], "big"), size
        while ethertype in _VLAN_TAGS:
            if len(frame) < begin + 4:
                return NotIpv6("it ends inside a VLAN tag")
            ethertype, begin = int.from_bytes(frame[begin + 2 : begin + 4], "big"), begin + 4
        if ethertype == ETHER_TYPES["ipv6"]:
            return begin
        if ethertype < _LENGTHS_NOT_TYPES:
            return NotIpv6("an IEEE 802.3 frame, not IPv6")
        known = f" ({_NAMES[ethertype]})" if ethertype in _NAMES else ""
        ipv4_at = begin if ethertype == ETHER_TYPES["ipv4"] else None
        return NotIpv6(f"EtherType {ethertype:#06x}{known}, not IPv6", ipv4_at)

    return start


def _raw(frame: bytes) -> Start:
    return 0


LINK_TYPES: Mapping[int, LinkType] = {
    link.number: link
    for link in (
        LinkType(ETHERNET, "Ethernet", _by_ethertype("an Ethernet", size=14, type_at=12), size=14, type_at=12),
        LinkType(12, "raw IP (BSD)", _raw),
        LinkType(14, "raw IP (OpenBSD)", _raw),
        LinkType(RAW_IP, "raw IP", _raw),
        LinkType(113, "Linux cooked", _by_ethertype("a Linux cooked", size=16, type_at=14), size=16, type_at=14),
        LinkType(228, "raw IPv4", _raw),
        LinkType(229, "raw IPv6", _raw),
        LinkType(276, "Linux cooked v2", _by_ethertype("a Linux cooked v2", size=20, type_at=0), size=20, type_at=0),
    )
}
