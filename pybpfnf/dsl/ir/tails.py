"""Tail calls: a function goes on in another program, and does not come back."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from pybpfnf.diagnostics import Span
from pybpfnf.records import dataclass

if TYPE_CHECKING:
    from pybpfnf.dsl.ir.expressions import Expr


@final
@dataclass(frozen=True, slots=True)
class ProgArray:
    """Programs of one hook by index; `slots` has the names of those that are there, in the order of their numbers."""

    name: str
    size: int
    slots: tuple[tuple[int, str], ...]


@final
@dataclass(frozen=True, slots=True)
class TailCall:
    """Go on in the program of slot `index`, an integer of any type, with the same packet. Ends a path.

    No program there, no such slot, and more tail calls than the kernel allows for one packet fault here.
    """

    array: ProgArray
    index: Expr
    span: Span
