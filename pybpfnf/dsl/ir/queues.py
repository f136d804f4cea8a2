"""Queues and stacks: values in the order in which they came, for all CPUs."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from pybpfnf.diagnostics import Span
from pybpfnf.dsl.ir.names import Queue
from pybpfnf.dsl.types import OptionalType
from pybpfnf.records import dataclass

if TYPE_CHECKING:
    from pybpfnf.dsl.ir.expressions import Expr


@final
@dataclass(frozen=True, slots=True)
class QueuePush:
    """Add a value. Where the queue is full: with `drop_oldest` the oldest value goes, else it faults."""

    queue: Queue
    value: Expr
    drop_oldest: bool
    span: Span


@final
@dataclass(frozen=True, slots=True)
class QueueTake:
    """The next value, or None where there is none; `remove`: it is then in the queue no more. A struct is a copy of its own."""

    queue: Queue
    remove: bool
    type: OptionalType
    span: Span
