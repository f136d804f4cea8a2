"""Maps whose records come to user space, ring buffers and perf event arrays, with their readers."""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Protocol, Self, final

from pybpfnf.errors import InputError
from pybpfnf.kernel.bpf import explained
from pybpfnf.kernel.maps import Map
from pybpfnf.kernel.perf import PerfReader, online_cpus
from pybpfnf.kernel.ringbuf import RingReader
from pybpfnf.runner import MOST_UNREAD, MapAccess

_PAUSE = 0.001  # seconds: what a program still writes wakes nobody, and is ready in no time


class Reader(Protocol):
    """Gives the records since it last did; `fd` is readable when there are more."""

    fd: int
    lost: int

    def read(self) -> Iterator[bytes]: ...
    def close(self) -> None: ...


def _ring(map_: Map) -> Iterator[Reader]:
    yield RingReader(map_)


def _rings_of_cpus(map_: Map) -> Iterator[Reader]:
    for cpu in online_cpus():
        yield PerfReader(map_, cpu)


_READERS: Mapping[str, Callable[[Map], Iterator[Reader]]] = {"ringbuf": _ring, "perf_event_array": _rings_of_cpus}
"""What opens the readers, by map type."""


@final
class EventMap:
    """A map that carries records, with its readers: a `runner.EventAccess`. It opens them when records are first asked for.

    A ring buffer keeps what was sent before, as far as there is room; a perf event array has no ring until there is a reader.
    """

    def __init__(self, map_: Map) -> None:
        self._map = map_
        self.spec = map_.spec
        self.value_size = 0
        self._unread: deque[bytes] = deque(maxlen=MOST_UNREAD)
        self._not_kept = 0
        self._readers: list[Reader] = []
        self._stack = ExitStack()

    def start(self) -> None:
        """Open the readers, where they are not open. Raises SystemLacksError without the rights, KernelError."""
        if self._readers:
            return
        opened = []
        with ExitStack() as stack:
            try:
                for reader in _READERS[self.spec.type](self._map):
                    stack.callback(reader.close)
                    opened.append(reader)
            except OSError as error:
                raise explained(f"read the records of map {self.spec.name}", error) from None
            self._stack = stack.pop_all()
        self._readers = opened

    @property
    def lost(self) -> int:
        return self._not_kept + sum(reader.lost for reader in self._readers)

    def read_records(self) -> list[bytes]:
        """The records since this was last asked; they stay to be taken by `take_record`."""
        self.start()
        found = [record for reader in self._readers for record in reader.read()]
        self._not_kept += max(0, len(self._unread) + len(found) - MOST_UNREAD)
        self._unread += found
        return found

    def gather(self) -> int:
        self.read_records()
        return len(self._unread)

    def take_record(self) -> bytes | None:
        return self._unread.popleft() if self._unread else None

    def wait(self, timeout: float | None) -> bool:
        self.start()
        poll = select.poll()
        for reader in self._readers:
            poll.register(reader.fd, select.POLLIN)
        end = None if timeout is None else time.monotonic() + timeout
        while not self.gather():
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                return False
            if poll.poll(None if left is None else left * 1000):
                # Readable, and yet nothing to read: the first record is still being written.
                time.sleep(0 if self.gather() else _PAUSE)
        return True

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
        """Stop reading; what has not been taken is gone."""
        self._readers = []
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.close()


def event_maps(maps: Iterable[Map]) -> dict[str, EventMap]:
    """Those of the maps that carry records, by name; none is read yet."""
    return {each.spec.name: EventMap(each) for each in maps if each.spec.type in _READERS}


def with_readers(maps: Mapping[str, Map], stack: ExitStack) -> Mapping[str, MapAccess]:
    """The maps, those that carry records with their readers, which close with the stack."""
    events = event_maps(maps.values())
    for each in events.values():
        stack.enter_context(each)
    return {**maps, **events}
