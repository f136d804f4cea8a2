"""Calls of an author's functions, and the values that may be None which they take and give."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from pybpfnf.abi.programs import ProgramType
from pybpfnf.diagnostics import Span
from pybpfnf.dsl.ir.names import Local
from pybpfnf.dsl.types import OptionalType, Type
from pybpfnf.records import dataclass

if TYPE_CHECKING:
    from pybpfnf.dsl.ir.expressions import Expr
    from pybpfnf.dsl.ir.statements import Stmt


@final
@dataclass(frozen=True, slots=True)
class InlinedCall:
    """A call of `function`, written out: first its parameters are assigned, then its body runs until a Leave.

    Every path of `body` ends in a Leave. The value is then what `result` holds; None where the function gives nothing.
    `defined` is where the function's name stands in its definition; spans in the body are `called_from` this node's.
    """

    function: str
    defined: Span
    body: tuple[Stmt, ...]
    result: Local | None
    type: Type
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Subprogram:
    """A function that is there once, for all its callers of one hook. `name`: its symbol; `function`: what the author calls it.

    A call assigns its parameters, then its body runs until a Leave; the value is then what `result` holds. A fault in it is its
    own, and each caller goes to its own fault exit. `packet_name`: what it calls the packet, empty where it is not given that.
    """

    name: str
    function: str
    hook: ProgramType
    packet_name: str
    parameters: tuple[Local, ...]
    body: tuple[Stmt, ...]
    result: Local | None
    locals: tuple[Local, ...]
    span: Span


@final
@dataclass(frozen=True, slots=True)
class SubprogramCall:
    """A call of a subprogram. `arguments`: each parameter with what it is given, in the order in which they are worked out."""

    subprogram: Subprogram
    arguments: tuple[tuple[Local, Expr], ...]
    type: Type
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Leave:
    """Leave the innermost function that was called; its result, where it has one, is assigned before."""

    span: Span


@final
@dataclass(frozen=True, slots=True)
class Absent:
    """None, where a look-up that can miss goes."""

    type: OptionalType
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Present:
    """A value, where a look-up that can miss goes."""

    operand: Expr
    type: OptionalType
    span: Span
