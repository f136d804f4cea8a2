"""The three seg6 helpers, quirks included (net/core/filter.c, Linux 6.18)."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from ipaddress import IPv6Address
from typing import TypeAlias

from pybpfnf.abi.headers import SEGMENT_SIZE
from pybpfnf.abi.seg6 import ACTIONS
from pybpfnf.runner import FaultKind
from pybpfnf.vm import ipv6, srh
from pybpfnf.vm.alu import U32, signed
from pybpfnf.vm.faults import GuestFault
from pybpfnf.vm.host import Host, SrhState
from pybpfnf.vm.ip import ETH_P_IPV6
from pybpfnf.vm.skb import Skb

# Larger growth depends on what the kernel can allocate; no packet is that long.
_MAX_GROWTH = 0xFFFF
_DEFAULT_HOP_LIMIT = 64  # net.ipv6.conf.*.hop_limit
Insert: TypeAlias = Callable[[Host, Skb, bytes], int]  # puts the new header in; gives the SRH's offset


def has_valid_srh(host: Host) -> bool:
    """`seg6_bpf_has_valid_srh`. The only place where the SRH's HdrLen byte follows what adjust_srh did."""
    state = host.srh
    if state.offset is None:
        return False
    if not state.valid:
        if state.hdrlen & 7:
            return False
        data = host.skb.data
        srh.set_hdrlen(data, state.offset, state.hdrlen >> 3)
        if srh.why_invalid(data, state.offset, srh.length(data, state.offset), reduced=True) is not None:
            return False
        state.valid = True
    return True


def lwt_seg6_store_bytes(host: Host, skb: Skb, offset: int, data: bytes, size: int) -> int:
    """Write flags, tag or TLVs. The TLV area is taken to begin 8 bytes early, so the end of the last segment is writable."""
    state = host.srh
    if state.offset is None:
        return -errno.EINVAL
    offset &= U32
    tlvs = state.offset + (srh.last_entry(skb.data, state.offset) + 1) * SEGMENT_SIZE
    end = state.offset + srh.FIXED_SIZE + state.hdrlen
    if tlvs <= offset and offset + size <= end:
        state.valid = False
    elif offset < state.offset + srh.FLAGS or offset + size > state.offset + srh.FIXED_SIZE:
        return -errno.EFAULT
    if offset + size > len(skb.data):
        return -errno.EFAULT
    routing = ipv6.find_header(skb.data, ipv6.ROUTING)
    if routing < 0:
        return -errno.EINVAL
    state.offset = routing
    skb.data[offset : offset + size] = data
    return 0


def lwt_seg6_adjust_srh(host: Host, skb: Skb, offset: int, delta: int) -> int:
    """Grow the TLV area with zeros, or shrink it. The payload length follows at once, the SRH's HdrLen only at validation."""
    state = host.srh
    if state.offset is None:
        return -errno.EINVAL
    offset, delta = offset & U32, signed(delta, 32)
    tlvs = srh.segment_offset(state.offset, srh.last_entry(skb.data, state.offset) + 1)
    end = state.offset + srh.FIXED_SIZE + state.hdrlen
    if not tlvs <= offset <= end or (delta < 0 and offset - delta > end):
        return -errno.EFAULT
    if delta > _MAX_GROWTH or offset + max(0, -delta) > len(skb.data):
        return -errno.ENOMEM
    if delta > 0:
        skb.data[offset:offset] = bytes(delta)
        skb.grow(delta)
    else:
        del skb.data[offset : offset - delta]
        skb.grow(delta)
    # The transport header stays where it is in memory while the headers before it move, unless it was the network header.
    if skb.transport != 0:
        skb.transport += delta
    _set_payload_length(skb)
    routing = ipv6.find_header(skb.data, ipv6.ROUTING)
    if routing < 0:
        return -errno.EINVAL
    host.srh = SrhState(offset=routing, hdrlen=(state.hdrlen + delta) & 0xFFFF, valid=False)
    return 0


def lwt_seg6_action(host: Host, skb: Skb, action: int, parameter: bytes, size: int) -> int:
    name = _NAMES.get(action & U32)
    return -errno.EINVAL if name is None else ACTION_FUNCTIONS[name](host, skb, parameter)


def _end_x(host: Host, skb: Skb, parameter: bytes) -> int:
    if not has_valid_srh(host):
        return -errno.EBADMSG
    if len(parameter) != ACTIONS["end_x"].param_size:
        return -errno.EINVAL
    return _lookup_nexthop(host, skb, IPv6Address(parameter), 0)


def _end_t(host: Host, skb: Skb, parameter: bytes) -> int:
    if not has_valid_srh(host):
        return -errno.EBADMSG
    if len(parameter) != ACTIONS["end_t"].param_size:
        return -errno.EINVAL
    return _lookup_nexthop(host, skb, ipv6.destination(skb.data), int.from_bytes(parameter, "little"))


def _end_dt6(host: Host, skb: Skb, parameter: bytes) -> int:
    """Decapsulate, whatever segments are left; the inner hop limit stays as it was."""
    if not has_valid_srh(host):
        return -errno.EBADMSG
    if len(parameter) != ACTIONS["end_dt6"].param_size:
        return -errno.EINVAL
    inner = ipv6.find_header(skb.data, ipv6.IPV6)
    if inner < 0 or inner > len(skb.data):
        return -errno.EBADMSG
    if len(skb.data) - inner < ipv6.IPV6_SIZE:
        raise GuestFault(FaultKind.HELPER, "End.DT6 on an inner packet shorter than an IPv6 header: the kernel reads past its end")
    del skb.data[:inner]
    skb.grow(-inner)
    skb.pull(ipv6.IPV6_SIZE)
    skb.transport = 0
    _update_srh_state(host, skb)
    return _lookup_nexthop(host, skb, ipv6.destination(skb.data), int.from_bytes(parameter, "little"))


def _end_b6(host: Host, skb: Skb, parameter: bytes) -> int:
    return _push(host, skb, parameter, insert_inline)


def _end_b6_encaps(host: Host, skb: Skb, parameter: bytes) -> int:
    return _push(host, skb, parameter, encapsulate)


ACTION_FUNCTIONS: dict[str, Callable[[Host, Skb, bytes], int]] = {
    "end_x": _end_x,
    "end_t": _end_t,
    "end_dt6": _end_dt6,
    "end_b6": _end_b6,
    "end_b6_encaps": _end_b6_encaps,
}
"""By the names of abi.seg6.ACTIONS."""

_NAMES: Mapping[int, str] = {action.number: action.name for action in ACTIONS.values()}


def _push(host: Host, skb: Skb, header: bytes, insert: Insert) -> int:
    """The action's way to `bpf_push_seg6_encap`: the packet's own SRH must be valid before, the new one is the packet's afterwards."""
    if host.srh.offset is not None and not has_valid_srh(host):
        return -errno.EBADMSG
    error = push_seg6(host, skb, header, insert)
    if not error:
        _update_srh_state(host, skb)
    return error


def push_seg6(host: Host, skb: Skb, header: bytes, insert: Insert) -> int:
    """`bpf_push_seg6_encap`: check the new SRH, insert it, look up where it leads."""
    if srh.why_invalid(header, 0, len(header), reduced=False) is not None:
        return -errno.EINVAL
    error = push_headers(host, skb, header, insert)
    return error or _lookup_nexthop(host, skb, ipv6.destination(skb.data), 0)


def push_headers(host: Host, skb: Skb, header: bytes, insert: Insert) -> int:
    """A right SRH, and what `insert` puts around it, in front of the packet; 0, or a negative error number for its HMAC.

    When the HMAC cannot be made, the new headers are there already and stay. The outer payload length is then whatever
    the kernel's memory held, here zero: such a packet can only be dropped.
    """
    before = len(skb.data)
    at = insert(host, skb, header)
    _shift(host, skb, len(skb.data) - before)
    error = srh.push_hmac(skb.data, at, host.environment.hmac_keys) if srh.has_hmac_flag(header, 0) else 0
    if error:
        return error
    _set_payload_length(skb)
    skb.transport = ipv6.IPV6_SIZE
    return 0


def insert_inline(host: Host, skb: Skb, header: bytes) -> int:
    """`seg6_do_srh_inline`: between the IPv6 header and the rest; the destination becomes its last segment."""
    inserted = bytearray(header)
    inserted[0], skb.data[6] = skb.data[6], ipv6.ROUTING
    inserted[srh.segment_offset(0, 0) : srh.segment_offset(0, 1)] = skb.data[24:40]
    skb.data[24:40] = _first_segment(inserted)
    skb.data[ipv6.IPV6_SIZE : ipv6.IPV6_SIZE] = inserted
    skb.grow(len(inserted))
    return ipv6.IPV6_SIZE


def encapsulate(host: Host, skb: Skb, header: bytes) -> int:
    """`seg6_do_srh_encap`: an outer IPv6 header and the SRH in front; traffic class and hop limit are the inner
    ones, of an IPv6 packet. What is inside is called IPv6 in any case, and what an IPv4 packet has become is still called IPv4."""
    inserted = bytearray(header)
    inserted[0] = ipv6.IPV6
    destination = _first_segment(inserted)
    tunnel_source = host.network.tunnel_source(skb, IPv6Address(destination))
    is_ipv6 = skb.protocol == ETH_P_IPV6
    traffic_class = int.from_bytes(skb.data[0:2], "big") >> 4 & 0xFF if is_ipv6 else 0
    hop_limit = skb.data[7] if is_ipv6 else _DEFAULT_HOP_LIMIT
    outer = (6 << 28 | traffic_class << 20 | _flow_label(host, skb)).to_bytes(4, "big")
    outer += bytes((0, 0, ipv6.ROUTING, hop_limit)) + tunnel_source.packed + destination
    skb.push(bytes(outer + inserted))
    skb.encapsulation = True
    return ipv6.IPV6_SIZE


def _first_segment(header: bytearray) -> bytes:
    """The last entry of the list, whatever segments_left says."""
    start = srh.segment_offset(0, srh.last_entry(header, 0))
    return bytes(header[start : start + SEGMENT_SIZE])


def _flow_label(host: Host, skb: Skb) -> int:
    """`seg6_make_flowlabel`: net.ipv6.seg6_flowlabel 0 copies the inner label, negative gives 0, positive a hash of the flow."""
    if host.environment.flowlabel < 0 or (host.environment.flowlabel == 0 and skb.protocol != ETH_P_IPV6):
        return 0
    if host.environment.flowlabel == 0:
        return int.from_bytes(skb.data[0:4], "big") & 0xFFFFF
    rotated = flow_hash(skb)
    rotated = (rotated << 16 | rotated >> 16) & U32
    # The mask is of the network-order value, so on a little-endian machine it picks the hash's other end.
    return int.from_bytes(rotated.to_bytes(4, "little"), "big") & 0xFFFFF


def flow_hash(skb: Skb) -> int:
    """A stand-in for `skb_get_hash`, whose key is random at each boot: FNV-1a of addresses, flow label and next header, never 0."""
    value = 0x811C9DC5
    packet = skb.data[skb.link :]
    for octet in bytes(packet[1:4]) + bytes(packet[6:7]) + bytes(packet[8:40]):
        value = (value ^ octet) * 0x01000193 & U32
    return value or 1


def _shift(host: Host, skb: Skb, pushed: int) -> None:
    """What was found before `pushed` bytes went in front of it is that much further in."""
    skb.transport += pushed
    if host.srh.offset is not None:
        host.srh.offset += pushed


def _update_srh_state(host: Host, skb: Skb) -> None:
    """`bpf_update_srh_state`: the first routing header, whatever its type, taken to be valid."""
    at = ipv6.find_header(skb.data, ipv6.ROUTING)
    host.srh = SrhState() if at < 0 else SrhState(offset=at, hdrlen=srh.byte(skb.data, at + 1) * 8, valid=True)


def _lookup_nexthop(host: Host, skb: Skb, address: IPv6Address, table: int) -> int:
    skb.dst = host.network.lookup(skb, host.sid, address, table)
    return skb.dst.error


def _set_payload_length(skb: Skb) -> None:
    skb.data[4:6] = (len(skb.data) - ipv6.IPV6_SIZE & 0xFFFF).to_bytes(2, "big")


SEG6_HELPERS: Mapping[str, Callable[..., int]] = {
    "lwt_seg6_store_bytes": lwt_seg6_store_bytes,
    "lwt_seg6_adjust_srh": lwt_seg6_adjust_srh,
    "lwt_seg6_action": lwt_seg6_action,
}
