"""Helper rows: what the kernel offers a program to call, by name and number.

Behaviour in the VM lives in `vm/helpers`, keyed by these names; which program type may call what is in `programs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import final


class Arg(Enum):
    """What an argument or result is (the kernel's ARG_* and RET_*, include/linux/bpf.h, without its refinements)."""

    CTX = "ctx"
    SCALAR = "scalar"
    MAP = "map"  # const map pointer
    MAP_KEY = "map key"  # readable, the map's key_size bytes
    MAP_VALUE = "map value"  # readable, the map's value_size bytes
    MAP_VALUE_OUT = "map value out"  # writable, the map's value_size bytes
    MEM = "mem"  # readable memory, size in the next SIZE argument
    MEM_OUT = "mem out"  # writable memory, size in the next SIZE argument
    SIZE = "size"  # > 0
    SIZE_OR_ZERO = "size or zero"
    FUNC = "func"  # address of a static subprogram
    STACK_OR_NULL = "stack or null"
    OTHER = "other"  # something that neither the language nor the VM has yet (timers, sockets, dynptrs)
    MAP_VALUE_OR_NULL = "map value or null"  # a result
    VOID = "void"  # a result


@final
@dataclass(frozen=True, slots=True)
class Helper:
    """One helper; `since` is the kernel that brought it, `gpl_only` whether the license must be GPL-compatible.

    `changes_packet`: packet pointers taken before the call are stale (net/core/filter.c, bpf_helper_changes_pkt_data).
    """

    name: str  # without the bpf_ prefix: "lwt_seg6_adjust_srh"
    id: int
    args: tuple[Arg, ...]
    ret: Arg
    since: str
    doc: str
    gpl_only: bool = False
    changes_packet: bool = False


HELPERS: Mapping[str, Helper] = {}
