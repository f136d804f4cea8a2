"""Packets for the router itself: headers in turn, until one leads on, or there is nobody for them (net/ipv6/ip6_input.c, exthdrs.c)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from pybpfnf.abi.headers import NEXT_HEADERS, ROUTING_TYPES
from pybpfnf.runner import HmacKey
from pybpfnf.vm import ipv6, srh
from pybpfnf.vm.ipv6 import Drop
from pybpfnf.vm.seg6 import advance_nextseg
from pybpfnf.vm.skb import Skb

_SKIPPED = frozenset({NEXT_HEADERS["hop_by_hop"], NEXT_HEADERS["destination_options"]})
_FRAGMENT = NEXT_HEADERS["fragment"]


class Onwards(Enum):
    ROUTED = "the destination is another now: route it"
    RECEIVED = "there is a packet inside: receive that"


def deliver(skb: Skb, *, seg6_enabled: bool, require_hmac: int, keys: Mapping[int, HmacKey]) -> Onwards:
    """What becomes of a packet whose destination is the router's own; Drop where it ends here."""
    number, at = skb.data[6], ipv6.IPV6_SIZE
    while number in _SKIPPED:
        if at + 2 > len(skb.data) or at + 8 * (skb.data[at + 1] + 1) > len(skb.data):
            raise Drop("ip6_input: an extension header runs past the packet")
        number, at = skb.data[at], at + 8 * (skb.data[at + 1] + 1)
    if number == ipv6.ROUTING:
        return _routing(skb, at, seg6_enabled, require_hmac, keys)
    if number == _FRAGMENT:
        raise Drop("ip6_input: a fragment for the router itself")
    raise Drop(f"{ipv6.destination(skb.data)} is the router's own, and nothing there sends the packet on")


def _routing(skb: Skb, at: int, seg6_enabled: bool, require_hmac: int, keys: Mapping[int, HmacKey]) -> Onwards:
    """`ipv6_srh_rcv`: an SRH at a node whose address is the active segment. TLVs are not looked at."""
    data = skb.data
    if at + srh.FIXED_SIZE > len(data) or at + srh.length(data, at) > len(data):
        raise Drop("ipv6_rthdr_rcv: the routing header runs past the packet")
    if data[at + 2] != ROUTING_TYPES["srh"]:
        raise Drop(f"ipv6_rthdr_rcv: a routing header of type {data[at + 2]}")
    if not seg6_enabled:
        raise Drop("ipv6_srh_rcv: seg6_enabled is 0")
    srh.check_hmac(data, at, require_hmac, keys)
    left = srh.segments_left(data, at)
    if left == 0:
        return _last(skb, at)
    if left >= data[at + 1] >> 1:
        raise Drop("ipv6_srh_rcv: segments_left is past the segments")
    advance_nextseg(data, at)
    return Onwards.ROUTED


def _last(skb: Skb, at: int) -> Onwards:
    inner = at + srh.length(skb.data, at)
    if skb.data[at] == ipv6.IPV6:
        del skb.data[:inner]
        return Onwards.RECEIVED
    if skb.data[at] == ipv6.ROUTING:
        # The kernel takes the second header, and pulls and pushes at the wrong places: what leaves begins within the first.
        raise Drop("ipv6_srh_rcv: a routing header behind one that is used up, of which the kernel makes no packet")
    raise Drop(f"{ipv6.destination(skb.data)} is the router's own and the last segment: nothing there sends the packet on")
