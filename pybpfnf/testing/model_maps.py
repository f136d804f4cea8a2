"""Maps as a function sees them: an array is a list, a hash a dict that can be full; of a per-CPU map, what the CPU that runs has.

A hash that drops entries drops the one that was made first: which one is nobody's contract, so no test may depend on it."""

from __future__ import annotations

from collections import deque
from typing import Any, TypeAlias, final

from pybpfnf.dsl import ir
from pybpfnf.dsl.types import BoolType, IntType, StructType
from pybpfnf.testing.model_structs import own

Value: TypeAlias = int | bytes
"""An integer in its type's range, a bool or a verdict as its number, an address as 16 bytes. A map may hold windows on structs."""


@final
class HashContents(dict[Value, Any]):
    """A hash of at most `max_entries` keys; one more raises OverflowError, or with `drops` takes the place of another."""

    def __init__(self, max_entries: int, *, drops: bool = False) -> None:
        super().__init__()
        self.max_entries = max_entries
        self.drops = drops

    def __setitem__(self, key: Value, value: Any) -> None:
        if key not in self and len(self) >= self.max_entries:
            if not self.drops:
                raise OverflowError("the map is full")
            del self[next(iter(self))]
        super().__setitem__(key, value)


@final
class TrieContents:
    """Values by prefix: a key is its length in bits and an address, as in memory. What is looked up is the longest that covers it."""

    def __init__(self, max_entries: int) -> None:
        self.entries: dict[bytes, Any] = {}
        self.max_entries = max_entries

    def match(self, key: bytes) -> bytes | None:
        """The key that the longest prefix was stored under; None where none covers this one."""
        lengths = range(_length(key), -1, -1)
        return next((shorter for length in lengths if (shorter := _cut(key, length)) in self.entries), None)

    def get(self, key: bytes) -> Any:
        found = self.match(key)
        return None if found is None else self.entries[found]

    def __contains__(self, key: bytes) -> bool:
        return self.match(key) is not None

    def __getitem__(self, key: bytes) -> Any:
        found = self.match(key)
        if found is None:
            raise KeyError(key)
        return self.entries[found]

    def __setitem__(self, key: bytes, value: Any) -> None:
        """Under this very prefix. Raises OverflowError."""
        if key not in self.entries and len(self.entries) >= self.max_entries:
            raise OverflowError("the map is full")
        self.entries[key] = value

    def __delitem__(self, key: bytes) -> None:
        del self.entries[key]


def _length(key: bytes) -> int:
    return int.from_bytes(key[:4], "little")


def _cut(key: bytes, length: int) -> bytes:
    """The prefix of that length that covers the key, zeros after it."""
    address = int.from_bytes(key[4:], "big")
    rest = 8 * len(key[4:]) - length
    return length.to_bytes(4, "little") + (address >> rest << rest).to_bytes(len(key[4:]), "big")


@final
class QueueContents:
    """Values in the order of their coming; a stack gives the last first."""

    def __init__(self, queue: ir.Queue) -> None:
        self.values: deque[Any] = deque(maxlen=queue.max_entries)
        self._next = -1 if queue.kind == "stack" else 0

    def push(self, value: Any, *, drop_oldest: bool) -> None:
        """With `drop_oldest` the oldest of a full one goes; else raises OverflowError."""
        if len(self.values) == self.values.maxlen and not drop_oldest:
            raise OverflowError("the map is full")
        self.values.append(value)

    def peek(self) -> Any:
        return self.values[self._next] if self.values else None

    def pop(self) -> Any:
        value = self.peek()
        if self.values:
            del self.values[self._next]
        return value


@final
class StructArray(list[memoryview]):
    """An array of structs. One that is stored is copied into its entry, where views of the entry see it."""

    def __setitem__(self, index: Any, value: Any) -> None:
        self[index][:] = value


Contents: TypeAlias = Any  # a list, a HashContents or a TrieContents: all are read and written by `contents[key]`


def empty_map(map_: ir.Map) -> Contents:
    """A new map's contents: an array has all its indexes, each value all zeros."""
    if map_.is_trie:
        return TrieContents(map_.max_entries)
    if not map_.row.indexed:
        return HashContents(map_.max_entries, drops=map_.row.drops)
    if isinstance(map_.value, StructType):
        return StructArray(own(bytes(map_.value.size)) for _ in range(map_.max_entries))
    zero = 0 if isinstance(map_.value, IntType | BoolType) else bytes(map_.value.size)
    return [zero] * map_.max_entries


def stored(contents: Contents, map_: ir.Map, key: Value) -> Any:
    """`m[key]`: the value, or the map's default, which becomes an entry where values are structs. Raises KeyError, IndexError, or
    OverflowError."""
    if isinstance(map_.value, StructType) and isinstance(map_.default, bytes) and key not in contents:
        contents[key] = own(map_.default)
    if map_.default is not None and key not in contents:
        return map_.default
    return contents[key]
