"""The actions of seg6local routes that run no program (net/ipv6/seg6_local.c, Linux 6.18): each changes the packet and looks up where it
goes from there; Drop where the kernel drops it."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from pybpfnf.abi.headers import NEXT_HEADERS
from pybpfnf.routes import Seg6Local
from pybpfnf.routes import srh as told_srh
from pybpfnf.vm import ipv6, srh
from pybpfnf.vm.host import Host
from pybpfnf.vm.ip import ETH_P_IP
from pybpfnf.vm.ipv4 import IPV4_SIZE
from pybpfnf.vm.ipv6 import Drop
from pybpfnf.vm.router.flavors import NEXT_CSID, PSP, pop_srh, shift_csid
from pybpfnf.vm.router.headers import encapsulate, insert
from pybpfnf.vm.seg6 import advance_nextseg
from pybpfnf.vm.skb import Skb

_INSIDE = {ipv6.IPV6: "IPv6 packet", NEXT_HEADERS["ipv4"]: "IPv4 packet", NEXT_HEADERS["ethernet"]: "Ethernet frame"}
StaticAction: TypeAlias = Callable[[Host, Skb, Seg6Local], None]


def _end(host: Host, skb: Skb, encap: Seg6Local) -> None:
    """Where NEXT-C-SID is said, Linux takes no notice of PSP beside it."""
    if NEXT_CSID in encap.flavors:
        _advance_csid(host, skb)
    elif PSP in encap.flavors:
        _advance_and_pop(host, skb)
    else:
        _advance(host, skb)
    _lookup(host, skb, ipv6.destination(skb.data))


def _end_x(host: Host, skb: Skb, encap: Seg6Local) -> None:
    assert encap.nh6 is not None
    (_advance_csid if NEXT_CSID in encap.flavors else _advance)(host, skb)
    skb.dst = host.network.lookup(skb, host.sid, encap.nh6, 0, encap.oif)


def _end_t(host: Host, skb: Skb, encap: Seg6Local) -> None:
    _advance(host, skb)
    _lookup(host, skb, ipv6.destination(skb.data), encap.table or 0)


def _end_dx6(host: Host, skb: Skb, encap: Seg6Local) -> None:
    """To the given neighbour; `::` stands for the inner destination."""
    decapsulate_ipv6(host, skb)
    via = encap.nh6 if encap.nh6 is not None and int(encap.nh6) else ipv6.destination(skb.data)
    _lookup(host, skb, via)


def _end_dx4(host: Host, skb: Skb, encap: Seg6Local) -> None:
    """To the given neighbour; 0.0.0.0 stands for the inner destination."""
    decapsulate_ipv4(host, skb)
    own = IPv4Address(bytes(skb.data[16:20]))
    skb.dst = host.network.lookup(skb, host.sid, encap.nh4 if encap.nh4 is not None and int(encap.nh4) else own, 0)


def _end_b6(host: Host, skb: Skb, encap: Seg6Local) -> None:
    """Inserts without taking a segment: the packet's destination is the last of the new list."""
    _get_and_validate_srh(host, skb)
    insert(host, skb, told_srh(encap.segments, inline=True, hmac=encap.hmac))
    _lookup(host, skb, ipv6.destination(skb.data))


def _end_b6_encaps(host: Host, skb: Skb, encap: Seg6Local) -> None:
    _advance(host, skb)
    encapsulate(host, skb, told_srh(encap.segments, hmac=encap.hmac))
    _lookup(host, skb, ipv6.destination(skb.data))


STATIC_ACTIONS: Mapping[str, StaticAction] = {
    "End": _end,
    "End.X": _end_x,
    "End.T": _end_t,
    "End.DX6": _end_dx6,
    "End.DX4": _end_dx4,
    "End.B6": _end_b6,
    "End.B6.Encaps": _end_b6_encaps,
}
"""By name. End.DT6 and its like are the router's: they alone deliver locally. So is End.DX2, which looks nothing up."""


def _get_and_validate_srh(host: Host, skb: Skb) -> int:
    at = srh.get_srh(skb.data)
    srh.check_hmac(skb.data, skb.transport, host.environment.require_hmac, host.environment.hmac_keys)
    return at


def _advance(host: Host, skb: Skb) -> None:
    advance_nextseg(skb.data, _get_and_validate_srh(host, skb))


def _advance_csid(host: Host, skb: Skb) -> None:
    """`end_next_csid_core`: the next segment of the SRH where the destination has no more of them, of the destination else."""
    if not shift_csid(skb):
        _advance(host, skb)


def _advance_and_pop(host: Host, skb: Skb) -> None:
    """`end_flv8986_core` with PSP: the last segment is on its way without the SRH."""
    at = ipv6.find_header(skb.data, ipv6.ROUTING)
    if at < 0 or not _is_valid(skb, at):
        raise Drop("end_flv8986_core: there is no SRH")
    srh.check_hmac(skb.data, skb.transport, host.environment.require_hmac, host.environment.hmac_keys)
    left = srh.segments_left(skb.data, at)
    if left == 0:
        raise Drop("end_flv8986_core: no segments are left")
    advance_nextseg(skb.data, at)
    if left == 1:
        pop_srh(skb, at)


def _lookup(host: Host, skb: Skb, address: IPv6Address, table: int = 0) -> None:
    skb.dst = host.network.lookup(skb, host.sid, address, table)


def decapsulate_ipv6(host: Host, skb: Skb) -> None:
    decapsulate(host, skb, ipv6.IPV6)
    if len(skb.data) < ipv6.IPV6_SIZE:
        raise Drop("decap_and_validate: the inner packet is shorter than an IPv6 header")
    skb.transport = ipv6.IPV6_SIZE


def decapsulate_ipv4(host: Host, skb: Skb) -> None:
    """What it says of itself is not looked at: neither its version nor its length or checksum."""
    decapsulate(host, skb, NEXT_HEADERS["ipv4"])
    if len(skb.data) < IPV4_SIZE:
        raise Drop("decap_and_validate: the inner packet is shorter than an IPv4 header")
    skb.transport, skb.protocol = IPV4_SIZE, ETH_P_IP


def decapsulate(host: Host, skb: Skb, number: int) -> None:
    """`decap_and_validate`: what is inside alone, whose Next Header value is given. An SRH may be there, without segments left."""
    at = ipv6.find_header(skb.data, ipv6.ROUTING)
    if at >= 0 and _is_valid(skb, at):
        if srh.segments_left(skb.data, at):
            raise Drop("decap_and_validate: segments are left")
        srh.check_hmac(skb.data, skb.transport, host.environment.require_hmac, host.environment.hmac_keys)
    inner = ipv6.find_header(skb.data, number)
    if inner < 0:
        raise Drop(f"decap_and_validate: there is no {_INSIDE[number]} inside ({errno.errorcode[-inner]})")
    if inner > len(skb.data):
        raise Drop("decap_and_validate: the packet ends before what is inside")
    del skb.data[:inner]
    skb.encapsulation = False


def _is_valid(skb: Skb, at: int) -> bool:
    """`seg6_get_srh` with no flags: what is no whole, valid SRH counts as none."""
    size = srh.length(skb.data, at)
    return at + size <= len(skb.data) and srh.why_invalid(skb.data, at, size, reduced=True) is None
