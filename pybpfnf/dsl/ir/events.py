"""Records to user space: an expression that sends one, and statements for one that is filled in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from pybpfnf.diagnostics import Span
from pybpfnf.dsl.ir.names import EventBuffer, Local
from pybpfnf.dsl.types import BOOL, BoolType
from pybpfnf.records import dataclass

if TYPE_CHECKING:
    from pybpfnf.dsl.ir.expressions import Expr


@final
@dataclass(frozen=True, slots=True)
class Emit:
    """Send a record, a struct or a view of one; whether there was room. `packet` (a u32) for a perf event array: so many bytes of the
    packet follow, or all of a shorter one; None: none."""

    buffer: EventBuffer
    record: Expr
    packet: Expr | None
    span: Span
    type: BoolType = BOOL


@final
@dataclass(frozen=True, slots=True)
class Reserve:
    """`local` (an optional view) is a new record in a ring buffer, all zeros, or None where the ring is full.

    On every path it comes to a Release of the local; a fault in between discards it.
    """

    buffer: EventBuffer
    local: Local
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Release:
    """Submit the record that `local` has, or discard it. It is there."""

    buffer: EventBuffer
    local: Local
    submitted: bool
    span: Span
