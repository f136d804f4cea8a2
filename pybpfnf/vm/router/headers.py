"""New headers on a packet, as routes are told them (net/ipv6/seg6_iptunnel.c, seg6_do_srh)."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from typing import TypeAlias

from pybpfnf.abi.headers import NEXT_HEADERS, SEGMENT_SIZE
from pybpfnf.routes import Seg6
from pybpfnf.routes import srh as told_srh
from pybpfnf.vm import ipv6, srh
from pybpfnf.vm.host import Host
from pybpfnf.vm.ip import ETH_P_IP, ETH_P_IPV6
from pybpfnf.vm.ipv6 import Drop
from pybpfnf.vm.seg6_helpers import Insert, insert_inline, push_headers
from pybpfnf.vm.seg6_helpers import encapsulate as insert_outer
from pybpfnf.vm.skb import Skb

_Mode: TypeAlias = Callable[[Host, Skb, Seg6], None]


def push(host: Host, skb: Skb, encap: Seg6) -> None:
    """What a route of `encap seg6` does; Drop where it cannot."""
    MODES[encap.mode](host, skb, encap)


def insert(host: Host, skb: Skb, header: bytes) -> None:
    """An SRH behind the IPv6 header."""
    _push(host, skb, header, insert_inline)


def encapsulate(host: Host, skb: Skb, header: bytes) -> None:
    """An IPv6 header and an SRH in front."""
    _push(host, skb, header, _insert_outer)


def _push(host: Host, skb: Skb, header: bytes, how: Insert) -> None:
    error = push_headers(host, skb, header, how)
    skb.protocol = ETH_P_IPV6
    if error:
        raise Drop(f"seg6_do_srh: the HMAC cannot be made ({errno.errorcode[-error]})")


def _inline(host: Host, skb: Skb, encap: Seg6) -> None:
    insert(host, skb, told_srh(encap.segments, inline=True, hmac=encap.hmac))


def _encap(host: Host, skb: Skb, encap: Seg6) -> None:
    encapsulate(host, skb, told_srh(encap.segments, hmac=encap.hmac))


def _encap_reduced(host: Host, skb: Skb, encap: Seg6) -> None:
    """`seg6_do_srh_encap_red`: the first segment is in the IPv6 header alone; a single one needs no SRH."""
    _push(host, skb, told_srh(encap.segments, hmac=encap.hmac), _insert_reduced)


def _frame(host: Host, skb: Skb, encap: Seg6) -> None:
    """The frame that the packet came in, with its addresses, goes inside."""
    _push(host, skb, told_srh(encap.segments, hmac=encap.hmac), _framed(_insert_outer))


def _frame_reduced(host: Host, skb: Skb, encap: Seg6) -> None:
    _push(host, skb, told_srh(encap.segments, hmac=encap.hmac), _framed(_insert_reduced))


def _framed(insert_header: Insert) -> Insert:
    def insert_in_front(host: Host, skb: Skb, header: bytes) -> int:
        at = insert_header(host, skb, header)
        # Traffic class, flow label and hop limit are those of the packet in the frame, so this comes between them afterwards.
        inner = at + srh.length(skb.data, at) if skb.data[6] == ipv6.ROUTING else at
        skb.data[inner:inner] = skb.mac
        skb.grow(len(skb.mac))
        skb.data[at if skb.data[6] == ipv6.ROUTING else 6] = NEXT_HEADERS["ethernet"]
        return at

    return insert_in_front


def _insert_outer(host: Host, skb: Skb, header: bytes) -> int:
    """What is inside is called by its IP version here; where a program asks for the same, always IPv6."""
    inner = NEXT_HEADERS["ipv4"] if skb.protocol == ETH_P_IP else ipv6.IPV6
    at = insert_outer(host, skb, header)
    skb.data[at] = inner
    return at


def _insert_reduced(host: Host, skb: Skb, header: bytes) -> int:
    at = _insert_outer(host, skb, header)
    count = srh.last_entry(header, 0) + 1
    if count == 1 and len(header) == srh.segment_offset(0, 1):
        skb.data[6] = skb.data[at]
        del skb.data[at : at + len(header)]
        return at
    first = srh.segment_offset(at, count - 1)
    del skb.data[first : first + SEGMENT_SIZE]
    srh.set_hdrlen(skb.data, at, header[1] - SEGMENT_SIZE // 8)
    skb.data[at + 4] = max(0, count - 2)
    return at


MODES: Mapping[str, _Mode] = {
    "inline": _inline,
    "encap": _encap,
    "encap.red": _encap_reduced,
    "l2encap": _frame,
    "l2encap.red": _frame_reduced,
}
"""By the names of `abi.seg6.ROUTE_MODES`."""
OF_FRAMES = frozenset({"l2encap", "l2encap.red"})
"""Modes for what comes in alone: a packet of the router's own has no frame."""
