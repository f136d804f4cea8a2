"""Helpers that send records to user space, by the names of their rows. What they give is as in `helpers`."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping

from pybpfnf.runner import FaultKind
from pybpfnf.vm.alu import U32
from pybpfnf.vm.events import PerfEventArray, RingBuffer
from pybpfnf.vm.faults import GuestFault
from pybpfnf.vm.host import Host
from pybpfnf.vm.maps import VmMap
from pybpfnf.vm.skb import Skb

_LARGEST_SAMPLE = 0xFFFF  # a perf sample has its size in 16 bits, with 8 of its own
_SAMPLE_HEADER = 24
_WAKEUP_FLAGS = 3  # BPF_RB_NO_WAKEUP, BPF_RB_FORCE_WAKEUP: there is nobody to wake here


def perf_event_output(host: Host, skb: Skb, map_: VmMap, flags: int, data: bytes, size: int) -> int:
    """Bits 32 to 51 of the flags ask for that many bytes of the packet after the data (net/core/filter.c, bpf_skb_event_output)."""
    if not isinstance(map_, PerfEventArray):
        raise GuestFault(FaultKind.HELPER, f"perf_event_output: map {map_.spec.name!r} is no perf event array")
    captured = flags >> 32
    if captured >> 20:
        return -errno.EINVAL
    if captured > len(skb.data):
        return -errno.EFAULT
    cpus = host.environment.cpus
    cpu = host.environment.cpu if flags & U32 == U32 else flags & U32
    if cpu >= (map_.spec.max_entries or cpus):
        return -errno.E2BIG
    if cpu != host.environment.cpu:
        return -errno.ENOENT if cpu >= cpus else -errno.EOPNOTSUPP  # nobody reads there; somebody does, elsewhere
    if len(data) + captured + _SAMPLE_HEADER > _LARGEST_SAMPLE:
        return -errno.E2BIG
    map_.output(data + bytes(skb.data[:captured]))
    return 0


def ringbuf_output(host: Host, map_: VmMap, data: bytes, size: int, flags: int) -> int:
    if flags & ~_WAKEUP_FLAGS:
        return -errno.EINVAL
    ring = _ring("ringbuf_output", map_)
    region = ring.reserve(size)
    if region is None:
        return -errno.EAGAIN
    region.data[:] = data
    ring.commit(region, discard=False)
    return 0


def ringbuf_reserve(host: Host, map_: VmMap, size: int, flags: int) -> int:
    region = None if flags else _ring("ringbuf_reserve", map_).reserve(size)
    if region is None:
        return 0
    host.records[region.address] = (region, map_)
    return region.address


def ringbuf_submit(host: Host, record: int, flags: int) -> int:
    return _commit(host, record, discard=False)


def ringbuf_discard(host: Host, record: int, flags: int) -> int:
    return _commit(host, record, discard=True)


def _commit(host: Host, record: int, *, discard: bool) -> int:
    region, map_ = host.records.pop(record)
    _ring("ringbuf_submit", map_).commit(region, discard=discard)
    return 0


def ringbuf_query(host: Host, map_: VmMap, what: int) -> int:
    return _ring("ringbuf_query", map_).query(what)


def _ring(helper: str, map_: VmMap) -> RingBuffer:
    if isinstance(map_, RingBuffer):
        return map_
    raise GuestFault(FaultKind.HELPER, f"{helper}: map {map_.spec.name!r} is no ring buffer")


EVENT_HELPERS: Mapping[str, Callable[..., int]] = {
    "perf_event_output": perf_event_output,
    "ringbuf_output": ringbuf_output,
    "ringbuf_query": ringbuf_query,
    "ringbuf_reserve": ringbuf_reserve,
    "ringbuf_submit": ringbuf_submit,
    "ringbuf_discard": ringbuf_discard,
}
