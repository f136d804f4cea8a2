"""Helpers that call a function of the program, by the names of their rows. What they give is as in `helpers`."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping

from pybpfnf.abi.kfuncs import MAX_LOOPS
from pybpfnf.vm.alu import U32
from pybpfnf.vm.host import Host
from pybpfnf.vm.maps import VmMap
from pybpfnf.vm.memory import Region


def loop(host: Host, count: int, function: int, context: int, flags: int) -> int:
    """The verifier writes calls without flags out, with -E2BIG in 32 bits (kernel/bpf/verifier.c, inline_bpf_loop)."""
    count &= U32
    if flags:
        return -errno.EINVAL
    if count > MAX_LOOPS:
        return -errno.E2BIG & U32
    for index in range(count):
        if host.call(function, (index, context)):
            return index + 1
    return count


def for_each_map_elem(host: Host, map_: VmMap, function: int, context: int, flags: int) -> int:
    if flags:
        return -errno.EINVAL
    visited = 0
    for key in map_.keys():  # noqa: SIM118 (no dictionary)
        region = Region("a key", bytearray(key), writable=False)
        host.memory.add(region)
        stop = host.call(function, (map_.handle, region.address, map_.find(key), context))
        host.memory.retire(region, "a key is there only during its call")
        visited += 1
        if stop:
            break
    return visited


CALLBACK_HELPERS: Mapping[str, Callable[..., int]] = {"loop": loop, "for_each_map_elem": for_each_map_elem}
