"""Maps that carry records to user space: ring buffers (kernel/bpf/ringbuf.c) and perf event arrays (kernel/trace/bpf_trace.c).

The session reads them after each packet, as a reader does that keeps up; within a packet a ring fills.
"""

from __future__ import annotations

import errno
from abc import abstractmethod
from collections import deque
from collections.abc import Iterator
from typing import Any, final

from pybpfnf.records import dataclass
from pybpfnf.runner import MOST_UNREAD
from pybpfnf.vm.maps import Cell, VmMap
from pybpfnf.vm.memory import Region

HEADER_SIZE = 8  # BPF_RINGBUF_HDR_SZ
_LARGEST_RECORD = 0xFFFFFFFF // 4  # RINGBUF_MAX_RECORD_SZ


class EventMap(VmMap):
    """What both have: nothing to look up, and records that a reader takes."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._unread: deque[bytes] = deque(maxlen=MOST_UNREAD)
        self.lost = 0

    def read_records(self) -> list[bytes]:
        """What the reader finds after a packet; it stays to be taken by `take_record`."""
        found = list(self._collect())
        self.lost += max(0, len(self._unread) + len(found) - MOST_UNREAD)
        self._unread += found
        return found

    def gather(self) -> int:
        return len(self._unread)

    def take_record(self) -> bytes | None:
        return self._unread.popleft() if self._unread else None

    def wait(self, timeout: float | None) -> bool:
        """Nothing runs meanwhile, so that it never waits."""
        return bool(self._unread)

    @abstractmethod
    def _collect(self) -> Iterator[bytes]:
        """The records that came since the last time, taken out."""

    def find(self, key: bytes, cpu: int | None = None) -> int:
        return 0

    def put(self, key: bytes, value: bytes, flags: int) -> int:
        return -errno.EINVAL

    def remove(self, key: bytes) -> int:
        return -errno.EINVAL

    def keys(self) -> Iterator[bytes]:
        return iter(())

    def _cell(self, key: bytes) -> Cell | None:
        return None

    def _put_all(self, key: bytes, copies: list[bytes], flags: int) -> int:
        return -errno.EINVAL


@final
@dataclass(slots=True)
class _Record:
    """A record between the reader's and the writers' position; busy while it is reserved."""

    region: Region
    span: int  # bytes of the ring that it takes, with its header
    busy: bool = True
    discarded: bool = False


@final
class RingBuffer(EventMap):
    """Records in the order in which they were reserved; what a run left reserved is never read."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._records: deque[_Record] = deque()
        self._consumer = 0
        self._producer = 0

    def reserve(self, size: int) -> Region | None:
        """A new record; None where there is no room: a byte of the ring always stays free, so that full is not empty."""
        total = self.spec.max_entries
        span = (size + HEADER_SIZE + 7) // 8 * 8
        if size > _LARGEST_RECORD or span > total or self._producer + span - self._consumer > total - 1:
            return None
        region = Region("a ring buffer record", bytearray(size))
        self._memory.add(region)
        self._records.append(_Record(region, span))
        self._producer += span
        return region

    def commit(self, region: Region, *, discard: bool) -> None:
        record = next(record for record in self._records if record.region is region)
        record.busy, record.discarded = False, discard
        self._memory.retire(region, f"the record has been {'discarded' if discard else 'submitted'}")

    def query(self, what: int) -> int:
        """BPF_RB_AVAIL_DATA, BPF_RB_RING_SIZE, BPF_RB_CONS_POS, BPF_RB_PROD_POS; 0 for another."""
        return dict(enumerate((self._producer - self._consumer, self.spec.max_entries, self._consumer, self._producer))).get(what, 0)

    def _collect(self) -> Iterator[bytes]:
        while self._records:
            record = self._records.popleft()
            self._consumer += record.span
            if record.busy:  # of a run that faulted
                self._memory.retire(record.region, "the record is gone")
            elif not record.discarded:
                yield bytes(record.region.data)


@final
class PerfEventArray(EventMap):
    """A ring for each CPU, with a reader on each."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._samples: deque[bytes] = deque()

    def output(self, sample: bytes) -> None:
        """perf rounds a sample up, with its length before it, to 8 bytes; to the reader the rest is part of it
        (kernel/events/core.c, perf_prepare_sample)."""
        self._samples.append(sample.ljust((len(sample) + 4 + 7) // 8 * 8 - 4, b"\0"))

    def _collect(self) -> Iterator[bytes]:
        while self._samples:
            yield self._samples.popleft()
