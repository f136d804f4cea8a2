"""Buffers of records as a function sees them during one packet; the reader has read all records of those before."""

from __future__ import annotations

from typing import final

from pybpfnf.dsl import ir
from pybpfnf.records import dataclass
from pybpfnf.testing.model_structs import own


@final
@dataclass(slots=True)
class Slot:
    """A record's place, in the order in which they were reserved."""

    data: memoryview
    submitted: bool = False


@final
class Sent:
    """The records of one packet in one buffer."""

    def __init__(self, buffer: ir.EventBuffer) -> None:
        self._buffer = buffer
        self._taken = 0
        self._slots: list[Slot] = []

    def reserve(self, size: int) -> Slot | None:
        """A new record of zeros; None where a ring of fixed size has no room: each record has 8 bytes before it, takes a multiple of 8,
        and 8 bytes stay free."""
        self._taken += (8 + size + 7) // 8 * 8
        if self._buffer.size and self._taken > self._buffer.size - 8:
            self._taken -= (8 + size + 7) // 8 * 8
            return None
        slot = Slot(own(bytes(size)))
        self._slots.append(slot)
        return slot

    @property
    def records(self) -> tuple[bytes, ...]:
        """What the reader gets. What a fault left reserved is discarded."""
        return tuple(bytes(slot.data) for slot in self._slots if slot.submitted)
