"""The reader of one CPU's ring of a perf event array (kernel/events/ring_buffer.c, include/uapi/linux/perf_event.h)."""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import platform
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import final

from pybpfnf.errors import SystemLacksError
from pybpfnf.kernel.bpf import Fd, explained
from pybpfnf.kernel.libc import LIBC, checked
from pybpfnf.kernel.maps import Map
from pybpfnf.kernel.ringbuf import LENGTH, POSITION, fence

_PAGES = 64  # of a CPU's ring of samples: a power of two
_HEAD, _TAIL = 1024, 1032  # of struct perf_event_mmap_page: data_head, data_tail
_HEADER = struct.Struct("=IHH")  # struct perf_event_header: type, misc, size
_LOST = struct.Struct("=QQ")  # of PERF_RECORD_LOST: the event's id, and how many
_RECORD_LOST, _RECORD_SAMPLE = 2, 9  # PERF_RECORD_LOST, PERF_RECORD_SAMPLE
_ENABLE = 0x2400  # PERF_EVENT_IOC_ENABLE
_ONLINE = Path("/sys/devices/system/cpu/online")
_SYSTEM_CALLS = {"x86_64": 298, "aarch64": 241}  # perf_event_open


class _Attr(ctypes.Structure):
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
    """One CPU's samples. A sample is what the program sent, and up to 7 bytes more: perf rounds its size up.

    `lost` counts what found the ring full, as far as perf has said so: with the next sample that there was room for.
    """

    def __init__(self, array: Map, cpu: int) -> None:
        """Take the CPU's place in the array, from another reader too."""
        self.lost = 0
        self._fd = _open_output_event(cpu)
        try:
            self.fd = self._fd.number
            self._size = _PAGES * mmap.PAGESIZE
            self._ring = mmap.mmap(self.fd, mmap.PAGESIZE + self._size)
            fcntl.ioctl(self.fd, _ENABLE, 0)
            array.update(cpu.to_bytes(4, "little"), self.fd.to_bytes(4, "little"))
        except BaseException:
            self._fd.close()
            raise

    def read(self) -> Iterator[bytes]:
        """The samples since the last time."""
        (head,) = POSITION.unpack_from(self._ring, _HEAD)
        fence()
        (tail,) = POSITION.unpack_from(self._ring, _TAIL)
        while tail < head:
            kind, _, size = _HEADER.unpack(self._bytes(tail, _HEADER.size))
            at = tail + _HEADER.size
            if kind == _RECORD_SAMPLE:
                (length,) = LENGTH.unpack(self._bytes(at, LENGTH.size))
                yield self._bytes(at + LENGTH.size, length)
            elif kind == _RECORD_LOST:
                self.lost += _LOST.unpack(self._bytes(at, _LOST.size))[1]
            tail += size
            fence()
            POSITION.pack_into(self._ring, _TAIL, tail)

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
    attr = _Attr(type=1, size=ctypes.sizeof(_Attr), config=10, sample_period=1, sample_type=1 << 10, wakeup_events=1)
    try:
        # pid -1 and a CPU: whatever runs there; no group; PERF_FLAG_FD_CLOEXEC.
        return Fd(checked(int(LIBC.syscall(number, ctypes.byref(attr), -1, cpu, -1, 8))))
    except OSError as error:
        raise explained(f"open a perf event on CPU {cpu}", error) from None


def online_cpus() -> list[int]:
    """CPUs that run now; a perf event cannot be opened on another."""
    found: list[int] = []
    for part in _ONLINE.read_text().strip().split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found
