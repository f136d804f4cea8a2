"""Queues and stacks as an author writes them."""

from __future__ import annotations

from typing import Generic, TypeVar, final

from pybpfnf.dsl.surface.definitions import birthplace, only_compiled
from pybpfnf.dsl.surface.stores import checked_size, checked_stored_type
from pybpfnf.types.layout import StoredType

V = TypeVar("V")


class QueueDefinition(Generic[V]):
    """What queues and stacks have: a type of values, room for a number of them, and the name that their module gives them."""

    kind: str  # a row of abi.maps

    value: StoredType
    value_class: type[V]  # what the author gave
    size: int

    def __init__(self, value: type[V], size: int) -> None:
        owner = type(self).__name__
        self.value, self.value_class = checked_stored_type(value, owner, "value"), value
        self.size = checked_size(size, owner)
        self._birthplace = birthplace()

    @property
    def name(self) -> str | None:
        """The name in the module that made it; None where it has none."""
        return self._birthplace.name_of(self)

    def push(self, value: V, *, drop_oldest: bool = False) -> None:
        """Add a value. A full one is a fault; with `drop_oldest` its oldest value goes."""
        only_compiled("adding to a queue")

    def pop(self) -> V | None:
        """Take the next value; None where there is none."""
        only_compiled("taking from a queue")

    def peek(self) -> V | None:
        """The next value, which stays; None where there is none."""
        only_compiled("looking at a queue")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}({self.value}, {self.size}) {self.name or 'without a name'}>"


@final
class Queue(QueueDefinition[V]):
    """`Queue(value type, size)`: at most `size` values, shared by all CPUs: the first that was pushed is the first that is popped."""

    kind = "queue"


@final
class Stack(QueueDefinition[V]):
    """`Stack(value type, size)`: at most `size` values, shared by all CPUs: the last that was pushed is the first that is popped."""

    kind = "stack"
