"""Queues and stacks of values (kernel/bpf/queue_stack_maps.c): no keys, one end to push to and one to take from."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, final

from pybpfnf.abi.maps import BPF_EXIST, BPF_NOEXIST
from pybpfnf.runner import FaultKind
from pybpfnf.vm.faults import GuestFault
from pybpfnf.vm.host import Host
from pybpfnf.vm.maps import Cell, VmMap


class QueueMap(VmMap):
    """The value pushed first is taken first. User space pushes with `update` and looks at the next with `lookup`, of the key b""."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._waiting: deque[bytes] = deque()

    def push(self, value: bytes, flags: int) -> int:
        """0 or a negative error number. BPF_EXIST: a full one makes room by dropping its oldest value."""
        if flags & BPF_NOEXIST or flags > BPF_EXIST:
            return -errno.EINVAL
        if len(self._waiting) >= self._spec.max_entries:
            if not flags:
                return -errno.E2BIG
            self._waiting.popleft()
        self._waiting.append(value)
        return 0

    def take(self) -> bytes | None:
        """The next value, which is gone; None where there is none."""
        return self._waiting.popleft() if self._waiting else None

    def peek(self) -> bytes | None:
        """The next value, which stays."""
        return self._waiting[0] if self._waiting else None

    def lookup(self, key: bytes) -> bytes | None:
        self._check_key(key)
        return self.peek()

    def put(self, key: bytes, value: bytes, flags: int) -> int:
        return -errno.EINVAL

    def remove(self, key: bytes) -> int:
        return -errno.EINVAL

    def keys(self) -> Iterator[bytes]:
        return iter(())

    def _cell(self, key: bytes) -> Cell | None:
        return None

    def _put_all(self, key: bytes, copies: list[bytes], flags: int) -> int:
        return self.push(copies[0], flags)


@final
class StackMap(QueueMap):
    """The value pushed last is taken first."""

    def take(self) -> bytes | None:
        return self._waiting.pop() if self._waiting else None

    def peek(self) -> bytes | None:
        return self._waiting[-1] if self._waiting else None


# ---------------------------------------------------------------------------------------------------------- helpers


def map_push_elem(host: Host, map_: VmMap, value: bytes, flags: int) -> int:
    return _queue("map_push_elem", map_).push(value, flags)


def map_pop_elem(host: Host, map_: VmMap, place: int) -> int:
    return _give(host, map_, place, _queue("map_pop_elem", map_).take())


def map_peek_elem(host: Host, map_: VmMap, place: int) -> int:
    return _give(host, map_, place, _queue("map_peek_elem", map_).peek())


def _give(host: Host, map_: VmMap, place: int, value: bytes | None) -> int:
    """Zeros where there is no value, as the kernel writes."""
    host.memory.write(place, bytes(map_.spec.value_size) if value is None else value)
    return -errno.ENOENT if value is None else 0


def _queue(helper: str, map_: VmMap) -> QueueMap:
    if not isinstance(map_, QueueMap):
        raise GuestFault(FaultKind.HELPER, f"{helper}: map {map_.spec.name!r} is a {map_.spec.type}, which is no queue and no stack")
    return map_


QUEUE_HELPERS: Mapping[str, Callable[..., int]] = {
    "map_push_elem": map_push_elem,
    "map_pop_elem": map_pop_elem,
    "map_peek_elem": map_peek_elem,
}
