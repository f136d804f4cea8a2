"""What a row for a helper says: its number, its arguments, who may call it since when. The rows are in `helpers` and `device_helpers`."""

from __future__ import annotations

from enum import Enum
from typing import final

from pybpfnf.records import dataclass


class Arg(Enum):
    """What an argument or result is (the kernel's ARG_* and RET_*, include/linux/bpf.h, without its refinements)."""

    CTX = "ctx"
    SCALAR = "scalar"
    MAP = "map"  # const map pointer
    MAP_KEY = "map key"  # readable, the map's key_size bytes
    MAP_VALUE = "map value"  # readable, the map's value_size bytes
    MAP_VALUE_OUT = "map value out"  # writable, the map's value_size bytes
    MEM = "mem"  # readable memory, size in the next SIZE argument
    MEM_OR_NULL = "mem or null"
    MEM_OUT = "mem out"  # writable memory, size in the next SIZE argument
    SIZE = "size"  # > 0
    SIZE_OR_ZERO = "size or zero"
    FUNC = "func"  # address of a static subprogram
    STACK_OR_NULL = "stack or null"
    RECORD = "record"  # from ringbuf_reserve
    ITERATOR_OUT = "iterator out"  # 8 bytes of the stack, for a number iterator to begin in
    ITERATOR = "iterator"  # a number iterator that has begun
    DYNPTR_OUT = "dynptr out"  # 16 bytes of the stack, to become a dynamic pointer
    DYNPTR = "dynptr"
    OTHER = "other"  # something that neither the language nor the VM checks (timers, sockets)
    MAP_VALUE_OR_NULL = "map value or null"  # a result
    RECORD_OR_NULL = "record or null"  # a result
    VOID = "void"  # a result: r0 is not readable afterwards


@final
@dataclass(frozen=True, slots=True)
class Helper:
    """One helper; `since` is the kernel that brought it, `gpl_only` whether the license must be GPL-compatible.

    `changes_packet`: packet pointers taken before the call are stale (net/core/filter.c, bpf_helper_changes_pkt_data).
    `lwt_since`: the first kernel whose lightweight-tunnel types may call it, where that is later than `since`.
    `variadic`: how many more scalars may follow `args`, which the verifier does not ask for.
    """

    name: str  # without the bpf_ prefix: "lwt_seg6_adjust_srh"
    id: int
    args: tuple[Arg, ...]
    ret: Arg
    since: str
    doc: str
    gpl_only: bool = False
    changes_packet: bool = False
    lwt_since: str | None = None
    variadic: int = 0
