"""The kernel functions that the VM emulates, by the names of their rows: all of them.

One takes the host and its arguments as `arguments` unpacks them, and gives what goes into r0, as helpers do.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Mapping

from pybpfnf.abi.kfuncs import KFUNCS, MAX_LOOPS
from pybpfnf.abi.versions import parse_kernel
from pybpfnf.vm.alu import signed
from pybpfnf.vm.dynptr_helpers import DYNPTR_KFUNCS
from pybpfnf.vm.host import Host

_NUMBERS = struct.Struct("<ii")  # struct bpf_iter_num_kern: the number that was given last, and the end


def bpf_iter_num_new(host: Host, iterator: int, start: int, end: int) -> int:
    """The iterator has begun also where this fails: it then counts nothing, and is to be destroyed (kernel/bpf/bpf_iter.c)."""
    host.iterators.add(iterator)
    first, last = signed(start, 32), signed(end, 32)
    error = -errno.EINVAL if first > last else -errno.E2BIG if last - first > MAX_LOOPS else 0
    host.memory.write(iterator, bytes(_NUMBERS.size) if error else _NUMBERS.pack(signed(first - 1, 32), last))
    return error


def bpf_iter_num_next(host: Host, iterator: int) -> int:
    before, end = _NUMBERS.unpack(host.memory.read(iterator, _NUMBERS.size))
    number = signed(before + 1, 32)
    if number >= end:
        host.memory.write(iterator, bytes(_NUMBERS.size))
        return 0
    host.memory.write(iterator, _NUMBERS.pack(number, end))
    return iterator


def bpf_iter_num_destroy(host: Host, iterator: int) -> int:
    host.iterators.remove(iterator)
    return 0


def bpf_cast_to_kern_ctx(host: Host, context: int) -> int:
    row = KFUNCS["bpf_cast_to_kern_ctx"]
    return host.kernel_context() if parse_kernel(row.since) <= parse_kernel(host.kernel.name) else 0  # what our loader makes of it there


EMULATED: Mapping[str, Callable[..., int]] = {
    **{function.__name__: function for function in (bpf_iter_num_new, bpf_iter_num_next, bpf_iter_num_destroy)},
    **DYNPTR_KFUNCS,
    bpf_cast_to_kern_ctx.__name__: bpf_cast_to_kern_ctx,
}
