"""Helpers of XDP programs (net/core/filter.c, Linux 6.18)."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping

from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.vm.alu import U32, signed
from pybpfnf.vm.device_maps import Targets
from pybpfnf.vm.ethernet import ETHERNET
from pybpfnf.vm.host import Host
from pybpfnf.vm.maps import VmMap
from pybpfnf.vm.skb import Skb

_XDP_FRAME = 40  # struct xdp_frame, which the kernel puts at the start of the room
_LONGEST = 0xFFFF
_VERDICTS = PROGRAM_TYPES["xdp"].verdicts
_ABORTED, _REDIRECT = _VERDICTS["ABORTED"], _VERDICTS["REDIRECT"]
_ACTIONS = 3  # of redirect_map's flags: the answer where the map has nothing
_BROADCAST, _EXCLUDE_INGRESS = 1 << 3, 1 << 4


def xdp_adjust_head(host: Host, skb: Skb, offset: int) -> int:
    """The metadata moves along; what the frame loses stays in the room, and is found there again."""
    assert skb.room is not None
    whole, first = skb.room.before + skb.data, len(skb.room.before)
    data = first + skb.meta + signed(offset, 32)
    if not _XDP_FRAME + skb.meta <= data <= len(whole) - ETHERNET:
        return -errno.EINVAL
    meta = skb.data[: skb.meta]
    whole[data - skb.meta : data] = meta
    skb.room.before = whole[: data - skb.meta]
    skb.data = whole[data - skb.meta :]
    return 0


def xdp_adjust_tail(host: Host, skb: Skb, offset: int) -> int:
    assert skb.room is not None
    change = signed(offset, 32)
    if change > skb.room.behind or len(skb.data) - skb.meta + change < ETHERNET:
        return -errno.EINVAL
    skb.room.behind -= change
    if change < 0:
        del skb.data[change:]
    else:
        skb.data += bytes(change)
    return 0


def xdp_adjust_meta(host: Host, skb: Skb, offset: int) -> int:
    """Metadata comes in words, at most as many as the kernel's byte for their length counts."""
    assert skb.room is not None
    whole, data = skb.room.before + skb.data, len(skb.room.before) + skb.meta
    start = len(skb.room.before) + signed(offset, 32)
    if not _XDP_FRAME <= start <= data:
        return -errno.EINVAL
    if (data - start) % 4 or data - start > host.kernel.longest_metadata:
        return -errno.EACCES
    skb.room.before, skb.data, skb.meta = whole[:start], whole[start:], data - start
    return 0


def xdp_get_buff_len(host: Host, skb: Skb) -> int:
    return len(skb.data) - skb.meta


def xdp_load_bytes(host: Host, skb: Skb, offset: int, target: int, size: int) -> int:
    error = _outside(skb, offset & U32, size)
    if not error:
        start = skb.meta + (offset & U32)
        host.memory.write(target, bytes(skb.data[start : start + size]))
    return error


def xdp_store_bytes(host: Host, skb: Skb, offset: int, data: bytes, size: int) -> int:
    error = _outside(skb, offset & U32, size)
    if not error:
        start = skb.meta + (offset & U32)
        skb.data[start : start + size] = data
    return error


def _outside(skb: Skb, offset: int, size: int) -> int:
    """`bpf_xdp_pointer`: 0, or why these bytes are not the frame's."""
    if offset > _LONGEST or size > _LONGEST:
        return -errno.EFAULT
    return -errno.EINVAL if offset + size > len(skb.data) - skb.meta else 0


def redirect_map(host: Host, map_: VmMap, key: int, flags: int) -> int:
    """What the map has under the key is chosen, with BROADCAST all that it has; the low bits of the flags are the answer where that is
    nothing."""
    assert isinstance(map_, Targets)
    known = _ACTIONS | (_BROADCAST | _EXCLUDE_INGRESS if map_.can_broadcast else 0)
    if flags & ~known:
        return _ABORTED
    if flags & _BROADCAST:
        host.chosen_all = tuple(each for each in map_.devices() if not (flags & _EXCLUDE_INGRESS and each == host.environment.ifindex))
        host.chosen = None
        return _REDIRECT
    device = map_.device(key & U32)
    if device is None:
        return flags & _ACTIONS
    host.chosen, host.chosen_all = (device, 0), None
    return _REDIRECT


XDP_HELPERS: Mapping[str, Callable[..., int]] = {
    "xdp_adjust_head": xdp_adjust_head,
    "xdp_adjust_meta": xdp_adjust_meta,
    "xdp_adjust_tail": xdp_adjust_tail,
    "xdp_get_buff_len": xdp_get_buff_len,
    "xdp_load_bytes": xdp_load_bytes,
    "xdp_store_bytes": xdp_store_bytes,
    "redirect_map": redirect_map,
}
