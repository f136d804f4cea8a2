"""What the kernel's IPv6 code does to a packet before and under the seg6 hook: reception checks and the walk over extension headers.

Malformed packets must meet here what they meet in the kernel, in the same order; each drop says which check it was.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from ipaddress import IPv6Address
from typing import final

from pybpfnf.abi.headers import HEADERS, NEXT_HEADERS
from pybpfnf.abi.icmpv6 import IPV6_MIN_MTU

IPV6_SIZE = HEADERS["ipv6"].size
IPV6, ROUTING = NEXT_HEADERS["ipv6"], NEXT_HEADERS["routing"]
_HOP_BY_HOP, FRAGMENT, _AUTH, NO_NEXT_HEADER = (NEXT_HEADERS[name] for name in ("hop_by_hop", "fragment", "ah", "no_next_header"))
EXTENSION_HEADERS = frozenset({_HOP_BY_HOP, ROUTING, FRAGMENT, _AUTH, NO_NEXT_HEADER, NEXT_HEADERS["destination_options"]})
_LOOPBACK = IPv6Address(1).packed
_MAX_OPTIONS = 8  # net.ipv6.max_hbh_opts_number, max_dst_opts_number


@final
class Drop(Exception):  # noqa: N818 (a verdict, not an error)
    """The kernel drops the packet; the text is one sentence that names the check. Never leaves the package.

    `answer` names the ICMPv6 error (`abi.icmpv6.ICMP_ERRORS`) that it sends because of that, None where it sends none.
    """

    def __init__(self, reason: str, answer: str | None = None, parameter: int = 0) -> None:
        super().__init__(reason)
        self.reason, self.answer, self.parameter = reason, answer, parameter


def source(packet: bytes | bytearray) -> IPv6Address:
    return IPv6Address(bytes(packet[8:24]))


def destination(packet: bytes | bytearray) -> IPv6Address:
    return IPv6Address(bytes(packet[24:40]))


def receive(packet: bytes) -> tuple[bytes, int]:
    """`ip6_rcv_core` (net/ipv6/ip6_input.c): the packet without link-layer padding, and its transport offset; or Drop."""
    trimmed = trim(packet)
    return trimmed, transport_offset(trimmed)


def trim(packet: bytes) -> bytes:
    """Its first half: the packet without link-layer padding; or Drop."""
    if len(packet) < IPV6_SIZE:
        raise Drop("ip6_rcv_core: shorter than an IPv6 header")
    if packet[0] >> 4 != 6:
        raise Drop("ip6_rcv_core: the version is not 6")
    _check_addresses(packet)
    length = int.from_bytes(packet[4:6], "big")
    # A payload length of 0 with hop-by-hop options may be a jumbogram, whose length is in an option.
    if length or packet[6] != _HOP_BY_HOP:
        if IPV6_SIZE + length > len(packet):
            raise Drop(f"ip6_rcv_core: payload_len is {length}, but only {len(packet) - IPV6_SIZE} bytes came")
        packet = packet[: IPV6_SIZE + length]
    return packet


def transport_offset(packet: bytes) -> int:
    """Its second half: where the first header after hop-by-hop options begins; Drop for options that are wrong."""
    return IPV6_SIZE + (_parse_hop_by_hop(packet) if packet[6] == _HOP_BY_HOP else 0)


def forward(packet: bytearray, mtu: int = 0, *, came_by: bool = False) -> None:
    """`ip6_forward` (net/ipv6/ip6_output.c): takes a hop off, or Drop. `mtu` is of the route, 0 for none; `came_by`: the packet goes back
    by the device that it came in by, where the kernel sends a redirect in place of looking at the source."""
    if packet[7] <= 1:
        raise Drop("ip6_forward: the hop limit is 1 or 0", "hop_limit")
    if not came_by:
        _check_source(packet)
    if mtu and len(packet) > max(mtu, IPV6_MIN_MTU):
        raise Drop(f"ip6_forward: {len(packet)} bytes are more than the MTU of {mtu}", "too_big", max(mtu, IPV6_MIN_MTU))
    packet[7] -= 1


def _check_source(packet: bytearray) -> None:
    first = packet[8:10]
    if not any(packet[8:24]) or first[0] == 0xFF:
        raise Drop(f"ip6_forward: a packet from {source(packet)} is not forwarded")
    if first[0] == 0xFE and first[1] >> 6 == 2:
        raise Drop(f"ip6_forward: a packet from {source(packet)} is not forwarded", "beyond_scope")


def _check_addresses(packet: bytes) -> None:
    if _LOOPBACK in (packet[8:24], packet[24:40]):
        raise Drop("ip6_rcv_core: a loopback address on the wire")
    if packet[24] == 0xFF and packet[25] & 15 in (0, 1):
        raise Drop("ip6_rcv_core: a multicast destination of reserved or interface-local scope")
    if packet[8] == 0xFF:
        raise Drop("ip6_rcv_core: the source is a multicast address")


# ------------------------------------------------------------------------------------------------- hop-by-hop


def _parse_hop_by_hop(packet: bytes) -> int:
    """`ipv6_parse_hopopts` and `ip6_parse_tlv` (net/ipv6/exthdrs.c): the header's length, or Drop."""
    if len(packet) < IPV6_SIZE + 8 or len(packet) < IPV6_SIZE + (packet[IPV6_SIZE + 1] + 1) * 8:
        raise Drop("ipv6_parse_hopopts: the hop-by-hop header runs past the packet")
    size = (packet[IPV6_SIZE + 1] + 1) * 8
    parse_options(packet, IPV6_SIZE, size, _HOP_BY_HOP_OPTIONS)
    return size


def parse_options(packet: bytes | bytearray, at: int, size: int, known: Mapping[int, Callable[[bytes | bytearray, int], None]]) -> None:
    """`ip6_parse_tlv`: the options of a header of `size` bytes, with what is done about those that are `known`; Drop where one is wrong."""
    offset, end = at + 2, at + size
    padding = options = 0
    while offset < end:
        kind = packet[offset]
        length = 1 if kind == _PAD1 else _option_length(packet, offset, end)
        if kind in (_PAD1, _PADN):
            padding += length
            if padding > 7:
                raise Drop("ip6_parse_tlv: more than 7 bytes of padding between options")
            if any(packet[offset + 2 : offset + length]):
                raise Drop("ip6_parse_tlv: PadN that is not zero")
        else:
            padding = 0
            options += 1
            if options > _MAX_OPTIONS:
                raise Drop(f"ip6_parse_tlv: more than {_MAX_OPTIONS} options")
            known.get(kind, _check_unknown)(packet, offset)
        offset += length


def _option_length(packet: bytes | bytearray, offset: int, end: int) -> int:
    if end - offset < 2 or packet[offset + 1] + 2 > end - offset:
        raise Drop("ip6_parse_tlv: an option runs past its header")
    return packet[offset + 1] + 2


def _check_unknown(packet: bytes | bytearray, offset: int) -> None:
    """The option type's high bits say what a node does that does not know it: 0 nothing, 1 drop, 2 say so too, 3 that unless the
    destination is multicast (RFC 8200 section 4.2)."""
    wish = packet[offset] >> 6
    if wish:
        answer = "unknown_option" if wish == 2 or (wish == 3 and packet[24] != 0xFF) else None
        raise Drop(f"ip6_tlvopt_unknown: option {packet[offset]} asks to be dropped where it is not known", answer, offset)


def _check_router_alert(packet: bytes | bytearray, offset: int) -> None:
    if packet[offset + 1] != 2:
        raise Drop("ipv6_hop_ra: a router alert of the wrong length")


def _check_ioam(packet: bytes | bytearray, offset: int) -> None:
    """Ignored, as on a device without `ioam6_enabled`, once its alignment is right."""
    if offset & 3:
        raise Drop("ipv6_hop_ioam: the option is not aligned to 4 bytes")


def _check_jumbo(packet: bytes | bytearray, offset: int) -> None:
    raise Drop("ipv6_hop_jumbo: a jumbo payload, which needs more than 65,535 bytes")


def _check_calipso(packet: bytes | bytearray, offset: int) -> None:
    raise Drop("calipso_validate: a CALIPSO label, and no domain of interpretation is configured")


_PAD1, _PADN = 0, 1
_HOP_BY_HOP_OPTIONS: Mapping[int, Callable[[bytes | bytearray, int], None]] = {
    0x05: _check_router_alert,
    0x07: _check_calipso,
    0x31: _check_ioam,
    0xC2: _check_jumbo,
}

# --------------------------------------------------------------------------------------------- extension headers


def find_header(packet: bytes | bytearray, target: int, *, skip_exhausted_routing: bool = False) -> int:
    """`ipv6_find_hdr` (net/ipv6/exthdrs_core.c): the offset of the first header of type `target`, or a negative error number.

    `skip_exhausted_routing` is IP6_FH_F_SKIP_RH: routing headers with no segments left are passed over.
    """
    offset = IPV6_SIZE
    kind = packet[6]
    while True:
        found = kind == target
        if kind not in EXTENSION_HEADERS or kind == NO_NEXT_HEADER:
            return offset if found else -errno.ENOENT
        # The kernel asks for two bytes of any header, and for four of routing and fragment headers.
        if offset + (4 if kind in (ROUTING, FRAGMENT) else 2) > len(packet):
            return -errno.EBADMSG
        if kind == ROUTING and skip_exhausted_routing and packet[offset + 3] == 0:
            found = False
        if kind == FRAGMENT and int.from_bytes(packet[offset + 2 : offset + 4], "big") & ~7:
            return -errno.ENOENT  # not the first fragment: what follows is no header
        if found:
            return offset
        kind, offset = packet[offset], offset + header_length(kind, packet[offset + 1])


def header_length(kind: int, length: int) -> int:
    if kind == FRAGMENT:
        return 8
    return (length + 2) * 4 if kind == _AUTH else (length + 1) * 8
