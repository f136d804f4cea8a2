"""Dynamic pointers: a place, a length and rights that the kernel keeps, behind 16 bytes of the program's stack."""

from __future__ import annotations

import struct
from enum import Enum
from typing import final

from pybpfnf.records import dataclass
from pybpfnf.vm.memory import Memory

DYNPTR_SIZE = 16  # struct bpf_dynptr
_MARK = struct.Struct("<QQ")
_ALL = (1 << 64) - 1


class Of(Enum):
    """What one points to."""

    NOTHING = "nothing"
    VALUE = "a map's value"
    RECORD = "a ring buffer record"
    PACKET = "the packet"


@final
@dataclass(frozen=True, slots=True)
class Dynptr:
    """`size` bytes, from `start`: an address, of the packet an offset. `reference`: the reservation that it stands for, also of one that
    failed and points to nothing; 0 where it stands for none. `record`: the address that was reserved."""

    of: Of = Of.NOTHING
    start: int = 0
    size: int = 0
    read_only: bool = False
    reference: int = 0
    record: int = 0

    def lacks(self, offset: int, length: int) -> bool:
        return length > self.size or offset > self.size - length


@final
class Dynptrs:
    """Those of a run, by the address of their 16 bytes. What is in these is the kernel's business: here they say that nobody has written
    over them."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._at: dict[int, Dynptr] = {}
        self._references = 0

    def put(self, place: int, dynptr: Dynptr) -> None:
        self._at[place] = dynptr
        self._memory.write(place, _mark(place))

    def at(self, place: int) -> Dynptr | None:
        """None where there is none, or was one before its bytes were written over."""
        found = self._at.get(place)
        return found if found is not None and self._memory.read(place, DYNPTR_SIZE) == _mark(place) else None

    def new_reference(self) -> int:
        self._references += 1
        return self._references

    def give_back(self, reference: int) -> None:
        """All that stand for this reservation are gone."""
        self._at = {place: each for place, each in self._at.items() if each.reference != reference}

    @property
    def held(self) -> bool:
        """Whether a reservation is to be given back."""
        return bool(self._at) and any(each.reference for each in self._at.values())

    def clear(self) -> None:
        self._at.clear()


def _mark(place: int) -> bytes:
    return _MARK.pack(place, ~place & _ALL)
