"""Helpers that traffic control's programs have and those of lightweight tunnels have not (net/core/filter.c, Linux 6.18)."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping

from pybpfnf.abi.headers import ETHER_TYPES, HEADERS
from pybpfnf.vm.alu import U32, signed
from pybpfnf.vm.ethernet import ETHERNET
from pybpfnf.vm.host import Host
from pybpfnf.vm.skb import Skb
from pybpfnf.vm.vlan import VLAN_HELPERS

_ENOTSUPP = 524  # the kernel's own, not in errno.h
_IPV4, _IPV6 = ETHER_TYPES["ipv4"], ETHER_TYPES["ipv6"]
_HEADER = {_IPV4: HEADERS["ipv4"].size, _IPV6: HEADERS["ipv6"].size}
_GROWS_BY = HEADERS["ipv6"].size - HEADERS["ipv4"].size
_LONGEST = 16064  # SKB_MAX_ALLOC on a machine with pages of 4 KiB and cache lines of 64 bytes
_LARGEST_OFFSET = 0xFFFF
_OTHER_HOST = 3  # PACKET_OTHERHOST, the last of those that may be changed
_MAC, _NET = 0, 1  # BPF_HDR_START_MAC, BPF_HDR_START_NET
_CONGESTED = 3  # INET_ECN_CE


def skb_load_bytes_relative(host: Host, skb: Skb, offset: int, target: int, size: int, start: int) -> int:
    """Past the end of the packet the target is cleared, and the answer -EFAULT."""
    at = (offset & U32) + {_MAC: 0, _NET: skb.link}.get(start & U32, len(skb.data) + 1)
    if offset & U32 > _LARGEST_OFFSET or at + size > len(skb.data):
        host.memory.write(target, bytes(size))
        return -errno.EFAULT
    host.memory.write(target, bytes(skb.data[at : at + size]))
    return 0


def skb_change_type(host: Host, skb: Skb, kind: int) -> int:
    if skb.pkt_type > _OTHER_HOST or kind & U32 > _OTHER_HOST:
        return -errno.EINVAL
    skb.pkt_type = kind & U32
    return 0


def skb_change_proto(host: Host, skb: Skb, protocol: int, flags: int) -> int:
    """Room of zeros for the longer header, or what is too much for the shorter one cut off; both after the link-layer header."""
    if flags:
        return -errno.EINVAL
    wanted = int.from_bytes((protocol & 0xFFFF).to_bytes(2, "little"), "big")
    if (skb.protocol, wanted) == (_IPV4, _IPV6):
        skb.data[skb.link : skb.link] = bytes(_GROWS_BY)
    elif (skb.protocol, wanted) == (_IPV6, _IPV4):
        if skb.link + _GROWS_BY > len(skb.data):
            return -errno.ENOMEM
        del skb.data[skb.link : skb.link + _GROWS_BY]
    else:
        return -_ENOTSUPP
    skb.protocol, skb.hash = wanted, 0
    return 0


def set_hash(host: Host, skb: Skb, value: int) -> int:
    skb.hash = value & U32
    return 0


def skb_ecn_set_ce(host: Host, skb: Skb) -> int:
    """1 where the packet says so now, 0 where its sender does not take part."""
    header = _HEADER.get(skb.protocol)
    if header is None or len(skb.data) < skb.link + header:
        return 0
    return _congested_ipv4(skb) if skb.protocol == _IPV4 else _congested_ipv6(skb)


def _congested_ipv4(skb: Skb) -> int:
    codepoint = skb.data[skb.link + 1] & 3
    if codepoint in (0, _CONGESTED):
        return int(codepoint == _CONGESTED)
    place = slice(skb.link + 10, skb.link + 12)
    total = int.from_bytes(skb.data[place], "big") + 0xFFFB + ((codepoint + 1) & 3)
    skb.data[place] = ((total & 0xFFFF) + (total >> 16)).to_bytes(2, "big")
    skb.data[skb.link + 1] |= _CONGESTED
    return 1


def _congested_ipv6(skb: Skb) -> int:
    if not skb.data[skb.link + 1] >> 4 & 3:
        return 0
    skb.data[skb.link + 1] |= _CONGESTED << 4
    return 1


# ------------------------------------------------------------------------------------------------------------- room

_FIXED_GSO, _ENCAP_IPV4, _ENCAP_IPV6, _ENCAP_GRE, _ENCAP_UDP = (1 << bit for bit in range(5))
_KEEP_CHECKSUM, _INNER_ETHERNET, _DECAP_IPV4, _DECAP_IPV6 = (1 << bit for bit in range(5, 9))
_ENCAP_L3, _DECAP_L3 = _ENCAP_IPV4 | _ENCAP_IPV6, _DECAP_IPV4 | _DECAP_IPV6
_INNER_MAC_BITS, _INNER_MAC_SHIFT = 0xFF, 56
_KNOWN = (
    _FIXED_GSO | _ENCAP_L3 | _ENCAP_GRE | _ENCAP_UDP | _KEEP_CHECKSUM | _INNER_ETHERNET | _DECAP_L3 | _INNER_MAC_BITS << _INNER_MAC_SHIFT
)
_AFTER_IP, _AFTER_LINK = 0, 1  # BPF_ADJ_ROOM_NET, BPF_ADJ_ROOM_MAC
_MOST = 0xFFF


def skb_adjust_room(host: Host, skb: Skb, difference: int, mode: int, flags: int) -> int:
    change = signed(difference, 32)
    error = _adjust_error(skb, change, mode & U32, flags, _KNOWN if host.kernel.knows_decap else _KNOWN & ~_DECAP_L3)
    if error:
        return error
    at = skb.link + (_HEADER[skb.protocol] if mode & U32 == _AFTER_IP else 0)
    error = _shrink(skb, at, -change, flags) if change < 0 else _grow(skb, at, change, flags)
    if not error and not flags & _KEEP_CHECKSUM:
        skb.csum_level = -1
    return error


def _adjust_error(skb: Skb, change: int, mode: int, flags: int, known: int) -> int:
    if flags & ~known:
        return -errno.EINVAL
    if abs(change) > _MOST:
        return -errno.EFAULT
    if skb.protocol not in _HEADER or mode not in (_AFTER_IP, _AFTER_LINK):
        return -_ENOTSUPP
    least = _HEADER[skb.protocol]
    if flags & _DECAP_L3:
        if change >= 0 or flags & _DECAP_L3 == _DECAP_L3:
            return -errno.EINVAL
        least = _HEADER[_IPV4 if flags & _DECAP_IPV4 else _IPV6]
    there = len(skb.data) - skb.link
    fits = there + change >= least and there + change > 0 if change < 0 else len(skb.data) + change <= _LONGEST
    return 0 if fits else -_ENOTSUPP


def _grow(skb: Skb, at: int, size: int, flags: int) -> int:
    outer = flags & _ENCAP_L3
    if outer:
        error = _encapsulation_error(skb, size, flags)
        if error:
            return error
    if at > len(skb.data):
        return -errno.EFAULT
    skb.data[at:at] = bytes(size)
    if outer:
        skb.encapsulation = True
        if flags & (_ENCAP_GRE | _ENCAP_UDP):
            skb.transport = skb.link + _HEADER[_IPV6 if flags & _ENCAP_IPV6 else _IPV4]
        skb.protocol = _IPV6 if flags & _ENCAP_IPV6 else _IPV4
    return 0


def _encapsulation_error(skb: Skb, size: int, flags: int) -> int:
    inner_link = flags >> _INNER_MAC_SHIFT & _INNER_MAC_BITS
    if flags & _ENCAP_L3 == _ENCAP_L3 or (flags & _ENCAP_GRE and flags & _ENCAP_UDP):
        return -errno.EINVAL
    if flags & _INNER_ETHERNET and inner_link < ETHERNET:
        return -errno.EINVAL
    if skb.encapsulation:
        return -errno.EALREADY
    return -errno.EINVAL if inner_link > size else 0


def _shrink(skb: Skb, at: int, size: int, flags: int) -> int:
    if flags & ~(_FIXED_GSO | _DECAP_L3 | _KEEP_CHECKSUM):
        return -errno.EINVAL
    if at + size > len(skb.data):
        return -errno.ENOMEM
    del skb.data[at : at + size]
    if flags & _DECAP_L3:
        skb.protocol = _IPV4 if flags & _DECAP_IPV4 else _IPV6
    return 0


TC_HELPERS: Mapping[str, Callable[..., int]] = {
    "skb_load_bytes_relative": skb_load_bytes_relative,
    "skb_change_type": skb_change_type,
    "skb_change_proto": skb_change_proto,
    "skb_adjust_room": skb_adjust_room,
    "skb_ecn_set_ce": skb_ecn_set_ce,
    "set_hash": set_hash,
    **VLAN_HELPERS,
}
