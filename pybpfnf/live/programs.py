"""Live program arrays: which function is in which slot."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import final

from pybpfnf.runner import MapAccess

_INDEX_SIZE = 4  # bytes of the index of a program array


@final
class LivePrograms(Mapping[int, str]):
    """The names of a program array's functions by slot, as they were loaded; a slot that has been emptied since is not there."""

    def __init__(self, access: MapAccess) -> None:
        self.spec = access.spec
        self._access = access
        self._names = dict(self.spec.programs)

    def __getitem__(self, slot: int) -> str:
        """Raises KeyError for an empty slot, and for one that the array does not have."""
        if slot not in self._names or self._access.lookup(slot.to_bytes(_INDEX_SIZE, sys.byteorder)) is None:
            raise KeyError(slot)
        return self._names[slot]

    def __iter__(self) -> Iterator[int]:
        return (slot for slot in self._names if self._access.lookup(slot.to_bytes(_INDEX_SIZE, sys.byteorder)) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)
