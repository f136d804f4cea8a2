"""Where a function sends records to user space: ring buffers and perf event arrays, as an author writes them."""

from __future__ import annotations

from typing import Generic, TypeVar, final

from pybpfnf.dsl.surface.definitions import DefinitionError, birthplace, only_compiled
from pybpfnf.dsl.surface.stores import checked_stored_type
from pybpfnf.dsl.surface.structs import Struct, is_struct
from pybpfnf.dsl.types import StructType

R = TypeVar("R", bound=Struct)

PAGE_SIZE = 4096  # of the hosts that we load on; a ring has whole pages (kernel/bpf/ringbuf.c, ringbuf_map_alloc)
RECORD_HEADER = 8  # BPF_RINGBUF_HDR_SZ, before each record, which is rounded up to 8 bytes
_LARGEST_RING = 1 << 30  # bytes, of whose pages a kernel on 64 bits can still map each twice
_LARGEST_SAMPLE = 65_000  # bytes: a perf sample has its size in 16 bits (kernel/trace/bpf_trace.c, bpf_perf_event_output)


class _Events(Generic[R]):
    """What both have: the type of their records, and the name that their module gives them."""

    kind: str  # a row of abi.maps
    record: StructType
    value_class: type[R]  # what the author gave
    size: int
    key_class: object = None

    @property
    def name(self) -> str | None:
        """The name in the module that made it; None where it has none."""
        return self._birthplace.name_of(self)

    def __init__(self, record: type[R], size: int) -> None:
        owner = type(self).__name__
        if not is_struct(record):
            raise DefinitionError(f"{owner}: {record!r} is no type of records", hint="write the name of a class derived from Struct")
        checked_stored_type(record, owner, "record")
        self.record, self.value_class, self.size = record.layout, record, size
        self._birthplace = birthplace(3)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}({self.record}) {self.name or 'without a name'}>"


@final
class RingBuf(_Events[R]):
    """`RingBuf(Record, size)`: records for one reader, in the order in which all CPUs reserved them, in `size` bytes: a power of two of
    whole pages. Each record takes 8 bytes more, rounded up to 8.

    `events.emit(Record(...))` sends a record; a full ring is a fault. `events.try_emit(...)` says whether there was room. Between
    `record = events.reserve()` and `events.submit(record)` a record's fields are written in place.
    """

    kind = "ringbuf"

    def __init__(self, record: type[R], size: int) -> None:
        super().__init__(record, size)
        if not isinstance(size, int) or isinstance(size, bool) or not PAGE_SIZE <= size <= _LARGEST_RING or size & (size - 1):
            hint = f"write {PAGE_SIZE}, {2 * PAGE_SIZE}, {4 * PAGE_SIZE} and so on, as in `RingBuf({self.record}, 1 << 16)`"
            raise DefinitionError(f"RingBuf: {size!r} is no size: a power of two of bytes, in whole pages", code="overflow", hint=hint)
        if record_size(self.record) >= size:
            hint = f"give it at least {1 << record_size(self.record).bit_length()} bytes"
            raise DefinitionError(f"RingBuf: no {self.record} fits into {size} bytes", code="overflow", hint=hint)

    def emit(self, record: R) -> None:
        """Send a record. Where the ring is full, the function faults."""
        only_compiled("sending a record")

    def try_emit(self, record: R) -> bool:
        """Send a record where there is room; whether there was."""
        only_compiled("sending a record")

    def reserve(self) -> R | None:
        """A record in the ring, all zeros, to be filled in place; None where the ring is full. On every path it is submitted or
        discarded; a fault in between discards it."""
        only_compiled("reserving a record")

    def submit(self, record: R) -> None:
        """Hand a reserved record to the reader."""
        only_compiled("submitting a record")

    def discard(self, record: R) -> None:
        """Give a reserved record up."""
        only_compiled("discarding a record")


@final
class PerfEventArray(_Events[R]):
    """`PerfEventArray(Record)`: records through a ring for each CPU, which the reader opens. The start of the packet may go with them."""

    kind = "perf_event_array"

    def __init__(self, record: type[R]) -> None:
        super().__init__(record, 0)
        if self.record.size > _LARGEST_SAMPLE:
            hint = f"use at most {_LARGEST_SAMPLE} bytes"
            raise DefinitionError(f"PerfEventArray: a {self.record} has {self.record.size} bytes", code="overflow", hint=hint)

    def emit(self, record: R, *, packet: int = 0) -> None:
        """Send a record, and after it the first `packet` bytes of the packet, from its IP header on, or all of a shorter one. Where
        nobody reads this CPU's ring, or it is full, the function faults."""
        only_compiled("sending a record")

    def try_emit(self, record: R, *, packet: int = 0) -> bool:
        """Send a record as `emit` does; whether it was sent."""
        only_compiled("sending a record")


def record_size(record: StructType) -> int:
    """Bytes that a record takes in a ring."""
    return (RECORD_HEADER + record.size + 7) // 8 * 8
