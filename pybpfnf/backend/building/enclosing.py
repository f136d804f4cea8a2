"""What is around a statement that is lowered: loops, calls of functions, a lock; and what of it an exit gives back."""

from __future__ import annotations

from typing import final

from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Loop:
    """Labels: where the next iteration begins, what follows when there is none, and what comes after the loop. `iterator`: where the
    kernel's is, of a loop that the kernel counts; `calls`: how many are around the loop."""

    following: str
    done: str
    end: str
    iterator: str | None = None
    calls: int = 0


@final
@dataclass(frozen=True, slots=True)
class InlinedScope:
    """The metadata node of a function that is inlined, and its file."""

    subprogram: str
    file: str


@final
@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that is held: a pointer to it, and how many loops and calls are around the `with`."""

    pointer: str
    loops: int
    calls: int


@final
@dataclass(frozen=True, slots=True)
class Held:
    """What is to be given back before an exit: reserved records by their slots, a lock, the iterators of loops."""

    exit_: str
    reserved: frozenset[str]
    lock: Lock | None
    iterators: tuple[str, ...]
