"""Records that programs send to user space: ring buffers (kernel/bpf/ringbuf.c) and perf event arrays, read as bytes."""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import platform
import struct
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, final

from pybpfnf.errors import InputError, SystemLacksError
from pybpfnf.kernel.bpf import Fd, explained
from pybpfnf.kernel.libc import LIBC, checked
from pybpfnf.kernel.maps import Map

_BUSY, _DISCARDED = 1 << 31, 1 << 30  # BPF_RINGBUF_BUSY_BIT, BPF_RINGBUF_DISCARD_BIT, in a record's length
_HEADER = 8  # BPF_RINGBUF_HDR_SZ
_POSITION = struct.Struct("=Q")
_LENGTH = struct.Struct("=I")

_PERF_PAGES = 64  # of a CPU's ring of samples: a power of two
_HEAD, _TAIL = 1024, 1032  # of struct perf_event_mmap_page: data_head, data_tail
_PERF_HEADER = struct.Struct("=IHH")  # struct perf_event_header: type, misc, size
_RECORD_SAMPLE = 9  # PERF_RECORD_SAMPLE
_ENABLE = 0x2400  # PERF_EVENT_IOC_ENABLE
_ONLINE = Path("/sys/devices/system/cpu/online")
_SYSTEM_CALLS = {"x86_64": 298, "aarch64": 241}  # perf_event_open


class Reader(Protocol):
    """Gives the records since it last did."""

    def read(self) -> Iterator[bytes]: ...
    def close(self) -> None: ...


@final
class RingReader:
    """The one reader of a ring buffer: the kernel keeps how far it has read."""

    def __init__(self, ring: Map) -> None:
        self._size = ring.spec.max_entries
        self._page = mmap.PAGESIZE
        self._consumer = mmap.mmap(ring.fd, self._page)
        # The data is mapped twice in a row, so that no record is cut at the end.
        self._producer = mmap.mmap(ring.fd, self._page + 2 * self._size, prot=mmap.PROT_READ, offset=self._page)

    def read(self) -> Iterator[bytes]:
        (position,) = _POSITION.unpack_from(self._consumer)
        (end,) = _POSITION.unpack_from(self._producer)
        while position < end:
            start = self._page + position % self._size
            (length,) = _LENGTH.unpack_from(self._producer, start)
            if length & _BUSY:
                return
            size = length & ~_DISCARDED
            if not length & _DISCARDED:
                yield self._producer[start + _HEADER : start + _HEADER + size]
            position += (size + _HEADER + 7) // 8 * 8
            _POSITION.pack_into(self._consumer, 0, position)

    def close(self) -> None:
        self._consumer.close()
        self._producer.close()


class _PerfEventAttr(ctypes.Structure):
    """struct perf_event_attr up to PERF_ATTR_SIZE_VER0 (include/uapi/linux/perf_event.h)."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("config", ctypes.c_uint64),
        ("sample_period", ctypes.c_uint64),
        ("sample_type", ctypes.c_uint64),
        ("read_format", ctypes.c_uint64),
        ("flags", ctypes.c_uint64),
        ("wakeup_events", ctypes.c_uint32),
        ("bp_type", ctypes.c_uint32),
        ("config1", ctypes.c_uint64),
    )


@final
class PerfReader:
    """One CPU's samples of a perf event array. A sample is what the program sent, and up to 7 bytes more: perf rounds its size up."""

    def __init__(self, array: Map, cpu: int) -> None:
        self._fd = _open_output_event(cpu)
        try:
            self._size = _PERF_PAGES * mmap.PAGESIZE
            self._ring = mmap.mmap(self._fd.number, mmap.PAGESIZE + self._size)
            fcntl.ioctl(self._fd.number, _ENABLE, 0)
            array.update(cpu.to_bytes(4, "little"), self._fd.number.to_bytes(4, "little"))
        except BaseException:
            self._fd.close()
            raise

    def read(self) -> Iterator[bytes]:
        (head,) = _POSITION.unpack_from(self._ring, _HEAD)
        (tail,) = _POSITION.unpack_from(self._ring, _TAIL)
        while tail < head:
            kind, _, size = _PERF_HEADER.unpack(self._bytes(tail, _PERF_HEADER.size))
            if kind == _RECORD_SAMPLE:
                at = tail + _PERF_HEADER.size
                (length,) = _LENGTH.unpack(self._bytes(at, _LENGTH.size))
                yield self._bytes(at + _LENGTH.size, length)
            tail += size
            _POSITION.pack_into(self._ring, _TAIL, tail)

    def _bytes(self, position: int, size: int) -> bytes:
        """Bytes of the ring, across its end."""
        start = position % self._size
        first = self._ring[mmap.PAGESIZE + start : mmap.PAGESIZE + min(start + size, self._size)]
        return first + self._ring[mmap.PAGESIZE : mmap.PAGESIZE + size - len(first)]

    def close(self) -> None:
        self._ring.close()
        self._fd.close()


def _open_output_event(cpu: int) -> Fd:
    """A software event of a CPU that counts nothing and takes what programs send (PERF_COUNT_SW_BPF_OUTPUT)."""
    number = _SYSTEM_CALLS.get(platform.machine())
    if number is None:
        raise SystemLacksError(f"the system call perf_event_open() is not known on the machine type {platform.machine()}")
    attr = _PerfEventAttr(type=1, size=ctypes.sizeof(_PerfEventAttr), config=10, sample_period=1, sample_type=1 << 10, wakeup_events=1)
    try:
        # pid -1 and a CPU: whatever runs there; no group; PERF_FLAG_FD_CLOEXEC.
        return Fd(checked(int(LIBC.syscall(number, ctypes.byref(attr), -1, cpu, -1, 8))))
    except OSError as error:
        raise explained(f"open a perf event on CPU {cpu}", error) from None


@final
class EventMap:
    """A map that carries records, with its reader: a `runner.MapAccess` that has no entries to look up."""

    def __init__(self, map_: Map) -> None:
        """Start to read; a perf event array drops what is sent before."""
        self._map = map_
        self.spec = map_.spec
        self.value_size = 0
        self._unread: deque[bytes] = deque()
        with ExitStack() as stack:
            self._readers: list[Reader] = []
            for reader in _readers(map_):
                stack.callback(reader.close)
                self._readers.append(reader)
            self._stack = stack.pop_all()

    def read_records(self) -> list[bytes]:
        """The records since this was last asked; they stay to be taken by `take_records`."""
        found = [record for reader in self._readers for record in reader.read()]
        self._unread += found
        return found

    def take_records(self) -> list[bytes]:
        """All records that were not taken yet, the oldest first."""
        self.read_records()
        taken = list(self._unread)
        self._unread.clear()
        return taken

    def lookup(self, key: bytes) -> bytes | None:
        raise self._without_entries()

    def update(self, key: bytes, value: bytes, flags: int = 0) -> None:
        raise self._without_entries()

    def delete(self, key: bytes) -> bool:
        raise self._without_entries()

    def keys(self) -> Iterator[bytes]:
        return iter(())

    def _without_entries(self) -> InputError:
        return InputError(f"map {self.spec.name} is a {self.spec.type}, which has no keys")

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.close()


def is_event_map(map_: Map) -> bool:
    return map_.spec.type in ("ringbuf", "perf_event_array")


def _readers(map_: Map) -> Iterator[Reader]:
    if map_.spec.type == "ringbuf":
        yield RingReader(map_)
        return
    for cpu in _online_cpus():
        yield PerfReader(map_, cpu)


def _online_cpus() -> list[int]:
    """CPUs that run now; a perf event cannot be opened on another."""
    found: list[int] = []
    for part in _ONLINE.read_text().strip().split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found
