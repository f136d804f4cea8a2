"""Helpers that change packets, most of them lwt_xmit's alone (net/core/filter.c, Linux 6.18)."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping

from pybpfnf.vm.alu import U32
from pybpfnf.vm.host import Host
from pybpfnf.vm.skb import Skb

_ENOTSUPP = 524  # the kernel's own, not in errno.h
_LARGEST_OFFSET = 0xFFFF
_LONGEST = 16064  # SKB_MAX_ALLOC on a machine with pages of 4 KiB and cache lines of 64 bytes

# Flags of the helpers (include/uapi/linux/bpf.h).
_RECOMPUTE_CSUM, _INVALIDATE_HASH = 1 << 0, 1 << 1
_FIELD_SIZE = 0xF
_PSEUDO_HDR, _MARK_MANGLED_0, _MARK_ENFORCE, _IPV6 = 1 << 4, 1 << 5, 1 << 6, 1 << 7
_MANGLED_0 = b"\xff\xff"  # CSUM_MANGLED_0: UDP's 0 means "no checksum"
_LEVELS = 3  # SKB_MAX_CSUM_LEVEL


def skb_pull_data(host: Host, skb: Skb, size: int) -> int:
    size &= U32
    if size > len(skb.data):
        return -errno.ENOMEM
    skb.pull(size)
    return 0


def skb_store_bytes(host: Host, skb: Skb, offset: int, data: bytes, size: int, flags: int) -> int:
    offset &= U32
    if flags & ~(_RECOMPUTE_CSUM | _INVALIDATE_HASH):
        return -errno.EINVAL
    if offset > U32 >> 1 or offset + size > len(skb.data):
        return -errno.EFAULT
    skb.pull(offset + size)
    skb.data[offset : offset + size] = data
    return 0


def l3_csum_replace(host: Host, skb: Skb, offset: int, old: int, new: int, flags: int) -> int:
    if flags & ~_FIELD_SIZE:
        return -errno.EINVAL
    offset &= U32
    if not _holds_checksum(skb, offset):
        return -errno.EFAULT
    return _replace(skb, offset, old, new, flags & _FIELD_SIZE)


def l4_csum_replace(host: Host, skb: Skb, offset: int, old: int, new: int, flags: int) -> int:
    """Of a checksum that a device is to complete, only the part that the pseudo-header has is there, and it is not complemented
    (net/core/utils.c, inet_proto_csum_replace4)."""
    if flags & ~(_MARK_MANGLED_0 | _MARK_ENFORCE | _PSEUDO_HDR | _FIELD_SIZE | _IPV6):
        return -errno.EINVAL
    offset &= U32
    if not _holds_checksum(skb, offset):
        return -errno.EFAULT
    place = slice(offset, offset + 2)
    if flags & _MARK_MANGLED_0 and not flags & _MARK_ENFORCE and not any(skb.data[place]):
        return 0
    if skb.offloaded:
        if not flags & _PSEUDO_HDR:
            return 0 if flags & _FIELD_SIZE in _FIELD_MASKS else -errno.EINVAL
        skb.data[place] = bytes(byte ^ 0xFF for byte in skb.data[place])
    error = _replace(skb, offset, old, new, flags & _FIELD_SIZE)
    if skb.offloaded:
        skb.data[place] = bytes(byte ^ 0xFF for byte in skb.data[place])
    if not error and flags & _MARK_MANGLED_0 and not any(skb.data[place]):
        skb.data[place] = _MANGLED_0
    return error


def _holds_checksum(skb: Skb, offset: int) -> bool:
    if offset > _LARGEST_OFFSET or offset & 1 or offset + 2 > len(skb.data):
        return False
    skb.pull(offset + 2)
    return True


def _replace(skb: Skb, offset: int, old: int, new: int, size: int) -> int:
    """Mend the checksum for a field of 2 or 4 bytes, or for a difference (size 0); numbers are as they lie in memory."""
    if size not in _FIELD_MASKS or (size == 0 and old):
        return -errno.EINVAL
    mask = _FIELD_MASKS[size]
    place = slice(offset, offset + 2)
    total = (~int.from_bytes(skb.data[place], "little") & 0xFFFF) + (new & mask)
    if size:
        total += ~old & mask
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    skb.data[place] = (~total & 0xFFFF).to_bytes(2, "little")
    return 0


_FIELD_MASKS: Mapping[int, int] = {0: U32, 2: 0xFFFF, 4: U32}


def csum_update(host: Host, skb: Skb, checksum: int) -> int:
    """No device has summed the packet up (CHECKSUM_COMPLETE)."""
    return -_ENOTSUPP


def csum_level(host: Host, skb: Skb, action: int) -> int:
    """0 asks, 1 and 2 count up and down, 3 forgets."""
    if action == 0:
        return -errno.EACCES if skb.csum_level < 0 else skb.csum_level
    if action not in (1, 2, 3):
        return -errno.EINVAL
    skb.csum_level = {1: min(skb.csum_level + 1, _LEVELS), 2: max(skb.csum_level - 1, -1), 3: -1}[action]
    return 0


def skb_change_tail(host: Host, skb: Skb, length: int, flags: int) -> int:
    """Cut the packet, down to its transport header at most, or lengthen it with zeros. Length fields are the program's business."""
    length &= U32
    if flags or not max(skb.transport, 0) <= length <= _LONGEST:
        return -errno.EINVAL
    if skb.encapsulation:
        return -_ENOTSUPP
    skb.data[length:] = bytes(max(0, length - len(skb.data)))
    return 0


def set_hash_invalid(host: Host, skb: Skb) -> int:
    skb.hash = 0
    return 0


XMIT_HELPERS: Mapping[str, Callable[..., int]] = {
    "skb_pull_data": skb_pull_data,
    "skb_store_bytes": skb_store_bytes,
    "l3_csum_replace": l3_csum_replace,
    "l4_csum_replace": l4_csum_replace,
    "csum_update": csum_update,
    "csum_level": csum_level,
    "skb_change_tail": skb_change_tail,
    "set_hash_invalid": set_hash_invalid,
}
