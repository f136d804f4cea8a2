"""Kernel functions (kfuncs): what the kernel offers a program to call by name, bound to the running kernel's types when it is loaded.

They are no part of the stable interface; these are of kernel/bpf/bpf_iter.c as of Linux 6.18. A program that calls any has a
license compatible with the GPL (kernel/bpf/verifier.c, check_kfunc_call). Behaviour in the VM lives in `vm/kfuncs`, keyed by these names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, final

from pybpfnf.abi.helpers import Arg
from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Kfunc:
    """One function, as a `Helper` row has it; `since` is the kernel that brought it."""

    name: str  # whole: "bpf_iter_num_new"
    args: tuple[Arg, ...]
    ret: Arg
    since: str
    doc: str
    variadic: ClassVar[int] = 0
    changes_packet: ClassVar[bool] = False


_NUMBERS = (
    Kfunc("bpf_iter_num_new", (Arg.ITERATOR_OUT, Arg.SCALAR, Arg.SCALAR), Arg.SCALAR, "6.4",
          "Begin to count from a number up to another; -EINVAL where that is below, -E2BIG where it is 2**23 or more above."),
    Kfunc("bpf_iter_num_next", (Arg.ITERATOR,), Arg.OTHER, "6.4", "Address of the next number, an int, or null after the last."),
    Kfunc("bpf_iter_num_destroy", (Arg.ITERATOR,), Arg.VOID, "6.4", "End the counting; due on every path."),
)  # fmt: skip

KFUNCS: Mapping[str, Kfunc] = {kfunc.name: kfunc for kfunc in _NUMBERS}
"""Every kernel function that the language or the VM knows, by name."""

MAX_LOOPS = 1 << 23
"""The most numbers that an iterator counts (BPF_MAX_LOOPS, include/linux/bpf.h)."""
