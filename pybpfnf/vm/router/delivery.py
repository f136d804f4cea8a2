"""Packets for the router itself: headers in turn, until one leads on, or an upper layer is there (net/ipv6/ip6_input.c, exthdrs.c)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import final

from pybpfnf.abi.headers import NEXT_HEADERS, ROUTING_TYPES
from pybpfnf.records import dataclass
from pybpfnf.runner import HmacKey
from pybpfnf.vm import ipv6, srh
from pybpfnf.vm.ip import ETH_P_IP, ETH_P_IPV6
from pybpfnf.vm.ipv6 import Drop
from pybpfnf.vm.seg6 import advance_nextseg
from pybpfnf.vm.skb import Skb

_HOP_BY_HOP, _OPTIONS = (NEXT_HEADERS[name] for name in ("hop_by_hop", "destination_options"))
_INSIDE = {ipv6.IPV6: ETH_P_IPV6, NEXT_HEADERS["ipv4"]: ETH_P_IP}
_RPL = 3  # IPV6_SRCRT_TYPE_3, which `rpl_seg_enabled` = 0 refuses
_TYPE, _SEGMENTS_LEFT = 2, 3
_MORE, _RESERVED = 1, 6  # bits of a fragment header's offset field (RFC 8200 section 4.5)


class Onwards(Enum):
    ROUTED = "the destination is another now: route it"
    RECEIVED = "there is a packet inside: receive that"
    ENDED = "it was for the router, and has been dealt with"


@final
@dataclass(frozen=True, slots=True)
class Upper:
    """The first header that is no extension header: its Next Header value, which stands at `number_at`, and where it begins."""

    number: int
    at: int
    number_at: int


@final
@dataclass(frozen=True, slots=True)
class Segments:
    """What the device that a packet came in by does with SRHs."""

    enabled: bool
    require_hmac: int
    keys: Mapping[int, HmacKey]


def deliver(skb: Skb, segments: Segments) -> Onwards | Upper:
    """What becomes of a packet whose destination is the router's own; Drop where a header of it is wrong."""
    data, number_at, at = skb.data, 6, ipv6.IPV6_SIZE
    while True:
        number = data[number_at]
        if number == _OPTIONS:
            _destination_options(data, at)
        elif number == _HOP_BY_HOP and at < skb.transport:
            pass  # seen when the packet was received
        elif number == ipv6.ROUTING:
            onwards = _routing(skb, at, segments)
            if onwards is not None:
                return onwards
        elif number == ipv6.FRAGMENT:
            _check_atomic(data, at)
        else:
            return Upper(number, at, number_at)
        number_at, at = at, at + ipv6.header_length(number, data[at + 1])


def _destination_options(data: bytearray, at: int) -> None:
    """`ipv6_destopt_rcv`, which knows no option but padding."""
    if at + 8 > len(data) or at + 8 * (data[at + 1] + 1) > len(data):
        raise Drop("ipv6_destopt_rcv: the header runs past the packet")
    ipv6.parse_options(data, at, 8 * (data[at + 1] + 1), {})


def _check_atomic(data: bytearray, at: int) -> None:
    """`ipv6_frag_rcv`: a fragment that is a whole packet goes on (RFC 6946); Drop for another, as none are put together here."""
    if at + 8 > len(data):
        raise Drop("ipv6_frag_rcv: the fragment header runs past the packet", "header_field", at)
    if int.from_bytes(data[at + 2 : at + 4], "big") & ~_RESERVED == 0:
        return
    if data[at + 3] & _MORE and (len(data) - at) % 8:
        raise Drop("ip6_frag_queue: a fragment that is not the last has a length that is no multiple of 8", "header_field", 4)
    raise Drop("ipv6_frag_rcv: a fragment for the router itself, which puts none together")


def _routing(skb: Skb, at: int, segments: Segments) -> Onwards | None:
    """`ipv6_rthdr_rcv`; None where the header behind it is next."""
    data = skb.data
    if at + srh.FIXED_SIZE > len(data) or at + srh.length(data, at) > len(data):
        raise Drop("ipv6_rthdr_rcv: the routing header runs past the packet")
    kind = data[at + _TYPE]
    if kind == ROUTING_TYPES["srh"]:
        return _srh(skb, at, segments)
    if kind == _RPL:
        raise Drop("ipv6_rpl_srh_rcv: rpl_seg_enabled is 0")
    if data[at + _SEGMENTS_LEFT]:
        raise Drop(f"ipv6_rthdr_rcv: a routing header of type {kind}", "header_field", at + _TYPE)
    return None


def _srh(skb: Skb, at: int, segments: Segments) -> Onwards | None:
    """`ipv6_srh_rcv`: an SRH at a node whose address is the active segment. TLVs are not looked at."""
    data = skb.data
    if not segments.enabled:
        raise Drop("ipv6_srh_rcv: seg6_enabled is 0")
    srh.check_hmac(data, at, segments.require_hmac, segments.keys)
    left = srh.segments_left(data, at)
    if left == 0:
        return _last(skb, at)
    if left >= data[at + 1] >> 1:
        raise Drop("ipv6_srh_rcv: segments_left is past the segments", "header_field", at + _SEGMENTS_LEFT)
    if at != ipv6.IPV6_SIZE:
        # The kernel goes back by the size of an IPv6 header alone: what it sends begins within the headers.
        raise Drop("ipv6_srh_rcv: headers in front of the SRH, of which the kernel makes no whole packet")
    advance_nextseg(data, at)
    return Onwards.ROUTED


def _last(skb: Skb, at: int) -> Onwards | None:
    """What is inside is a packet of the version that the SRH says, whatever it says itself."""
    inside = _INSIDE.get(skb.data[at])
    if inside is None:
        return None
    del skb.data[: at + srh.length(skb.data, at)]
    skb.protocol = inside
    return Onwards.RECEIVED
