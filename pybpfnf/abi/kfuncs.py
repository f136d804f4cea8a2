"""Kernel functions (kfuncs): what the kernel offers a program to call by name, bound to the running kernel's types when it is loaded.

They are no part of the stable interface; these are of kernel/bpf/bpf_iter.c, kernel/bpf/helpers.c and net/core/filter.c as of Linux
6.18. A program that calls any has a license compatible with the GPL (kernel/bpf/verifier.c, check_kfunc_call). Behaviour in the VM
lives in `vm/kfuncs`, keyed by these names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, final

from pybpfnf.abi.helpers import Arg
from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Kfunc:
    """One function, as a `Helper` row has it; `since` is the kernel that brought it. `optional`: our loader lets a call of it give 0 in a
    kernel that does not have it, and the language's code asks for that."""

    name: str  # whole: "bpf_iter_num_new"
    args: tuple[Arg, ...]
    ret: Arg
    since: str
    doc: str
    optional: bool = False
    variadic: ClassVar[int] = 0
    changes_packet: ClassVar[bool] = False


_NUMBERS = (
    Kfunc("bpf_iter_num_new", (Arg.ITERATOR_OUT, Arg.SCALAR, Arg.SCALAR), Arg.SCALAR, "6.4",
          "Begin to count from a number up to another; -EINVAL where that is below, -E2BIG where it is 2**23 or more above."),
    Kfunc("bpf_iter_num_next", (Arg.ITERATOR,), Arg.OTHER, "6.4", "Address of the next number, an int, or null after the last."),
    Kfunc("bpf_iter_num_destroy", (Arg.ITERATOR,), Arg.VOID, "6.4", "End the counting; due on every path."),
)  # fmt: skip

_DYNPTRS = (
    Kfunc("bpf_dynptr_from_skb", (Arg.CTX, Arg.SCALAR, Arg.DYNPTR_OUT), Arg.SCALAR, "6.4",
          "Make a dynamic pointer to the packet; read-only where the hook may not write it."),
    Kfunc("bpf_dynptr_slice", (Arg.DYNPTR, Arg.SCALAR, Arg.OTHER, Arg.SCALAR), Arg.OTHER, "6.4",
          "Address of bytes to read, in their place or copied to the buffer given, or null."),
    Kfunc("bpf_dynptr_slice_rdwr", (Arg.DYNPTR, Arg.SCALAR, Arg.OTHER, Arg.SCALAR), Arg.OTHER, "6.4",
          "As bpf_dynptr_slice, of bytes to write; those in the buffer are written back with dynptr_write."),
    Kfunc("bpf_dynptr_adjust", (Arg.DYNPTR, Arg.SCALAR, Arg.SCALAR), Arg.SCALAR, "6.5",
          "Leave off what is before a start and after an end."),
    Kfunc("bpf_dynptr_is_null", (Arg.DYNPTR,), Arg.SCALAR, "6.5", "Whether a dynamic pointer points to nothing."),
    Kfunc("bpf_dynptr_is_rdonly", (Arg.DYNPTR,), Arg.SCALAR, "6.5", "Whether what it points to can only be read."),
    Kfunc("bpf_dynptr_size", (Arg.DYNPTR,), Arg.SCALAR, "6.5", "Bytes that it has, or -EINVAL."),
    Kfunc("bpf_dynptr_clone", (Arg.DYNPTR, Arg.DYNPTR_OUT), Arg.SCALAR, "6.5", "Another to the same."),
)  # fmt: skip

_CONTEXTS = (
    Kfunc("bpf_cast_to_kern_ctx", (Arg.CTX,), Arg.OTHER, "6.2", "The kernel's own structure behind a context, to be read.", optional=True),
)

KFUNCS: Mapping[str, Kfunc] = {kfunc.name: kfunc for kfunc in (*_NUMBERS, *_DYNPTRS, *_CONTEXTS)}
"""Every kernel function that the language or the VM knows, by name."""

MAX_LOOPS = 1 << 23
"""The most numbers that an iterator counts (BPF_MAX_LOOPS, include/linux/bpf.h)."""
