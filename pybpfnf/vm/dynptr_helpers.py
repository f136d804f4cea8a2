"""What makes dynamic pointers and works through them, helpers and kernel functions, by the names of their rows.

What they give is as in `helpers` (kernel/bpf/helpers.c, bpf_dynptr_*).
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from dataclasses import replace

from pybpfnf.abi.programs import PacketRights
from pybpfnf.runner import FaultKind
from pybpfnf.vm.alu import U32
from pybpfnf.vm.dynptr import Dynptr, Of
from pybpfnf.vm.event_helpers import ringbuf_discard, ringbuf_reserve, ringbuf_submit
from pybpfnf.vm.faults import GuestFault
from pybpfnf.vm.host import Host
from pybpfnf.vm.maps import VmMap
from pybpfnf.vm.skb import Skb
from pybpfnf.vm.xmit_helpers import skb_store_bytes

_LARGEST = (1 << 24) - 1  # DYNPTR_MAX_SIZE


def _of(host: Host, place: int) -> Dynptr:
    found = host.dynptrs.at(place)
    assert found is not None  # its argument was unpacked
    return found


# ----------------------------------------------------------------------------------------------------------- made


def dynptr_from_mem(host: Host, data: int, size: int, flags: int, place: int) -> int:
    if not host.memory.region(data).name.startswith("a value of map"):
        raise GuestFault(FaultKind.HELPER, "dynptr_from_mem: expected a map's value")
    error = -errno.E2BIG if size > _LARGEST else -errno.EINVAL if flags else 0
    host.dynptrs.put(place, Dynptr() if error else Dynptr(Of.VALUE, data, size))
    return error


def ringbuf_reserve_dynptr(host: Host, map_: VmMap, size: int, flags: int, place: int) -> int:
    """What fails is to be given back too."""
    nothing = Dynptr(reference=host.dynptrs.new_reference())
    error = -errno.EINVAL if flags else -errno.E2BIG if size & U32 > _LARGEST else 0
    record = 0 if error else ringbuf_reserve(host, map_, size & U32, 0)
    if not record:
        host.dynptrs.put(place, nothing)
        return error or -errno.EINVAL
    host.dynptrs.put(place, replace(nothing, of=Of.RECORD, start=record, size=size & U32, record=record))
    return 0


def bpf_dynptr_from_skb(host: Host, skb: Skb, flags: int, place: int) -> int:
    rights = host.program_type.packet if host.program_type is not None else PacketRights.READ_ONLY
    read_only = rights is not PacketRights.READ_WRITE
    host.dynptrs.put(place, Dynptr() if flags else Dynptr(Of.PACKET, 0, len(skb.data), read_only))
    return -errno.EINVAL if flags else 0


def bpf_dynptr_clone(host: Host, place: int, clone: int) -> int:
    """The copy goes with the original: what is submitted is gone for both."""
    found = _of(host, place)
    host.dynptrs.put(clone, found)
    return 0 if found.of is not Of.NOTHING else -errno.EINVAL


def _give_back(host: Host, place: int, flags: int, commit: Callable[[Host, int, int], int]) -> int:
    given = _of(host, place)
    if not given.reference:
        raise GuestFault(FaultKind.HELPER, "a dynamic pointer that stands for no reserved record is given back")
    host.dynptrs.give_back(given.reference)
    return commit(host, given.record, flags) if given.of is Of.RECORD else 0


def ringbuf_submit_dynptr(host: Host, place: int, flags: int) -> int:
    return _give_back(host, place, flags, ringbuf_submit)


def ringbuf_discard_dynptr(host: Host, place: int, flags: int) -> int:
    return _give_back(host, place, flags, ringbuf_discard)


# --------------------------------------------------------------------------------------------------- read and written


def dynptr_read(host: Host, target: int, size: int, place: int, offset: int, flags: int) -> int:
    source, offset = _of(host, place), offset & U32
    if source.of is Of.NOTHING or flags:
        return -errno.EINVAL
    if source.lacks(offset, size):
        return -errno.E2BIG
    if source.of is Of.PACKET:
        data = bytes(host.skb.data[source.start + offset :][:size])
        host.memory.write(target, data if len(data) == size else bytes(size))
        return 0 if len(data) == size else -errno.EFAULT  # the packet is shorter by now
    host.memory.write(target, host.memory.read(source.start + offset, size))
    return 0


def dynptr_write(host: Host, place: int, offset: int, data: bytes, size: int, flags: int) -> int:
    target, offset = _of(host, place), offset & U32
    if target.of is Of.NOTHING or target.read_only:
        return -errno.EINVAL
    if target.lacks(offset, size):
        return -errno.E2BIG
    if target.of is Of.PACKET:
        error = skb_store_bytes(host, host.skb, target.start + offset, data, size, flags)
        host.map_packet()  # it may have been copied to be written
        return error
    if flags:
        return -errno.EINVAL
    host.memory.write(target.start + offset, data)
    return 0


def dynptr_data(host: Host, place: int, offset: int, size: int) -> int:
    found, offset = _of(host, place), offset & U32
    direct = found.of in (Of.VALUE, Of.RECORD) and not found.read_only and not found.lacks(offset, size & U32)
    return found.start + offset if direct else 0


def bpf_dynptr_slice(host: Host, place: int, offset: int, buffer: int, size: int) -> int:
    """Of a packet the bytes themselves where they lie in one piece, else a copy in the buffer, where one was given."""
    found, offset, size = _of(host, place), offset & U32, size & U32
    if found.of is Of.NOTHING or found.lacks(offset, size):
        return 0
    if found.of is not Of.PACKET:
        return found.start + offset
    start = found.start + offset
    if start + size > len(host.skb.data):
        return 0
    if start + size <= host.skb.headlen:
        return host.skb.data_address + start
    if buffer:
        host.memory.write(buffer, bytes(host.skb.data[start : start + size]))
    return buffer


def bpf_dynptr_slice_rdwr(host: Host, place: int, offset: int, buffer: int, size: int) -> int:
    return 0 if _of(host, place).read_only else bpf_dynptr_slice(host, place, offset, buffer, size)


# -------------------------------------------------------------------------------------------------------- asked, cut


def bpf_dynptr_adjust(host: Host, place: int, start: int, end: int) -> int:
    found, start, end = _of(host, place), start & U32, end & U32
    if found.of is Of.NOTHING or start > end:
        return -errno.EINVAL
    if end > found.size:
        return -errno.ERANGE
    host.dynptrs.put(place, replace(found, start=found.start + start, size=end - start))
    return 0


def bpf_dynptr_is_null(host: Host, place: int) -> int:
    return int(_of(host, place).of is Of.NOTHING)


def bpf_dynptr_is_rdonly(host: Host, place: int) -> int:
    return int(_of(host, place).read_only)


def bpf_dynptr_size(host: Host, place: int) -> int:
    found = _of(host, place)
    return -errno.EINVAL if found.of is Of.NOTHING else found.size


def _by_name(*functions: Callable[..., int]) -> Mapping[str, Callable[..., int]]:
    return {function.__name__: function for function in functions}


DYNPTR_HELPERS = _by_name(
    dynptr_from_mem, dynptr_read, dynptr_write, dynptr_data, ringbuf_reserve_dynptr, ringbuf_submit_dynptr, ringbuf_discard_dynptr
)  # fmt: skip
DYNPTR_KFUNCS = _by_name(
    bpf_dynptr_from_skb, bpf_dynptr_clone, bpf_dynptr_slice, bpf_dynptr_slice_rdwr, bpf_dynptr_adjust, bpf_dynptr_is_null,
    bpf_dynptr_is_rdonly, bpf_dynptr_size,
)  # fmt: skip
