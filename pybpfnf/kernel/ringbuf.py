"""The reader of a ring buffer (kernel/bpf/ringbuf.c), through memory that it shares with the programs."""

from __future__ import annotations

import mmap
import struct
import threading
from collections.abc import Iterator
from typing import final

from pybpfnf.kernel.maps import Map

_BUSY, _DISCARDED = 1 << 31, 1 << 30  # BPF_RINGBUF_BUSY_BIT, BPF_RINGBUF_DISCARD_BIT, in a record's length
_HEADER = 8  # BPF_RINGBUF_HDR_SZ
# In the machine's own order and alignment, which struct copies in one access: a position is never half of another.
POSITION = struct.Struct("@Q")
LENGTH = struct.Struct("@I")


def fence() -> None:
    """Keep memory accesses before it before those after it, as smp_load_acquire and smp_store_release do in the kernel.

    Python has no fence: a lock that is released and taken orders both ways on every machine, and on x86 costs little.
    """
    lock = threading.Lock()
    lock.acquire()
    lock.release()
    lock.acquire()


@final
class RingReader:
    """The one reader of a ring buffer: the kernel keeps how far it has read, also when another process goes on."""

    lost = 0  # where a ring is full a program is told: nothing is dropped behind its back

    def __init__(self, ring: Map) -> None:
        self.fd = ring.fd
        self._size = ring.spec.max_entries
        self._page = mmap.PAGESIZE
        self._consumer = mmap.mmap(ring.fd, self._page)
        # The data is mapped twice in a row, so that no record is cut at the end.
        self._producer = mmap.mmap(ring.fd, self._page + 2 * self._size, prot=mmap.PROT_READ, offset=self._page)

    def read(self) -> Iterator[bytes]:
        """The records that are complete, up to the first that a program still writes."""
        (position,) = POSITION.unpack_from(self._consumer)
        (end,) = POSITION.unpack_from(self._producer)
        fence()
        while position < end:
            start = self._page + position % self._size
            (length,) = LENGTH.unpack_from(self._producer, start)
            if length & _BUSY:
                return
            fence()
            size = length & ~_DISCARDED
            if not length & _DISCARDED:
                yield self._producer[start + _HEADER : start + _HEADER + size]
            position += (size + _HEADER + 7) // 8 * 8
            fence()
            POSITION.pack_into(self._consumer, 0, position)

    def close(self) -> None:
        self._consumer.close()
        self._producer.close()
