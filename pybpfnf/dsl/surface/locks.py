"""Spin locks as an author writes them: a field of a struct, and the `with` statement for it."""

from __future__ import annotations

from types import TracebackType
from typing import final

from pybpfnf.dsl.surface.definitions import only_compiled


@final
class SpinLock:
    """A lock in an entry of a Hash or an Array: `lock: SpinLock = SpinLock()` in its Struct, at most one.

    `with path.lock:` in a function changes several fields of the entry as one: no other CPU that takes the lock, and nobody who
    reads the map, sees some of the changes alone. struct bpf_spin_lock, 4 bytes; no value has it in ordinary Python.
    """

    def __enter__(self) -> None:
        only_compiled("taking a lock")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        """The lock is released, however the block is left."""
