"""What a function names: locals, variables of the control plane, maps."""

from __future__ import annotations

from typing import TypeAlias, final

from pybpfnf.abi.maps import MAP_TYPES, MapType
from pybpfnf.dsl.types import U64, StoredType, StructType, Type, ValueType
from pybpfnf.image.meta import TAI_OFFSET_SYMBOL, TSTAMP_OFFSET_SYMBOL
from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Local:
    """A local variable; `number` makes it unique in its function."""

    name: str
    number: int
    type: Type


@final
@dataclass(frozen=True, slots=True)
class Config:
    """Set at load time, constant afterwards (.rodata). `default` None: must be given. Values: int, bool as 0 or 1, address as 16 bytes."""

    name: str
    type: ValueType
    default: int | bytes | None


@final
@dataclass(frozen=True, slots=True)
class State:
    """Readable and writable from the control plane while packets flow (.data, or .bss when `initial` is zero)."""

    name: str
    type: ValueType
    initial: int | bytes


Variable: TypeAlias = Config | State

TAI_OFFSET = Config(TAI_OFFSET_SYMBOL, U64, 0)
"""What `realtime()` takes off CLOCK_TAI, in nanoseconds. Whoever loads the program sets it; authors and operators do not see it."""

TSTAMP_OFFSET = Config(TSTAMP_OFFSET_SYMBOL, U64, 32)
"""Where in struct sk_buff its time stamp is, in bytes, for `pkt.received`. Set like TAI_OFFSET; 32 is where Linux 6.1 to 6.18 has it."""


@final
@dataclass(frozen=True, slots=True)
class Map:
    """A map. `kind` is the name of its row in abi.maps; `key` is U32 for arrays.

    `default`: what a missing key of a hash reads as (a struct as its bytes); None: reading a missing key faults.
    """

    name: str
    kind: str
    key: StoredType
    value: StoredType
    max_entries: int
    default: int | bytes | None = None

    @property
    def row(self) -> MapType:
        """What the kernel says of maps of this kind."""
        return MAP_TYPES[self.kind]

    @property
    def is_trie(self) -> bool:
        """Whether a look-up finds the longest prefix that matches; `key` is then LPM_KEY."""
        return self.kind == "lpm_trie"


@final
@dataclass(frozen=True, slots=True)
class Queue:
    """Values in an order. `kind` is the name of its row in abi.maps: "queue", first in first out, or "stack", last in first out."""

    name: str
    kind: str
    value: StoredType
    max_entries: int


@final
@dataclass(frozen=True, slots=True)
class EventBuffer:
    """Where records go to user space. `kind` is a row name of abi.maps: a "ringbuf" of `size` bytes, or a "perf_event_array", which has
    a ring for each CPU (`size` 0)."""

    name: str
    kind: str
    record: StructType
    size: int
