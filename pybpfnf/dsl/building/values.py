"""What an expression is while it is built: a number not yet typed, a typed IR expression, or something known only to the compiler."""

from __future__ import annotations

import ast
from typing import TypeAlias, final

from pybpfnf.abi.headers import Header
from pybpfnf.diagnostics import Span
from pybpfnf.dsl import ir
from pybpfnf.dsl.building.intervals import Interval
from pybpfnf.dsl.types import HeaderType, ItemsType, StructType, TlvField, TlvLayout
from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Literal:
    """A mathematical integer that has no type yet: it takes the other operand's, or that of the place it goes to.

    `unknown`: a local of which this pass has seen literals only; its value is not to be used.
    """

    value: int
    unknown: bool = False


@final
@dataclass(frozen=True, slots=True)
class Choice:
    """`1 if test else 2`: like a literal, it takes its type from where it goes."""

    test: ir.Expr
    then: Literal | Choice
    orelse: Literal | Choice
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Typed:
    """An expression of the IR. `counter`: it counts a loop over constants, and each of its values is like a literal."""

    expr: ir.Expr
    counter: Interval | None = None


@final
@dataclass(frozen=True, slots=True)
class Poison:
    """An expression that was found wrong, and reported; nothing more is said about what uses it."""


@final
@dataclass(frozen=True, slots=True)
class PacketView:
    """The packet, the function's parameter."""


@final
@dataclass(frozen=True, slots=True)
class HeaderView:
    """A header in the packet, as `pkt.srh` gives it; through a local, its name and what has moved the packet since."""

    header: Header
    local: str | None = None
    moved: Span | None = None


@final
@dataclass(frozen=True, slots=True)
class MapPlace:
    """A map of the module."""

    map: ir.Map


@final
@dataclass(frozen=True, slots=True)
class QueuePlace:
    """A queue or stack of the module."""

    queue: ir.Queue


@final
@dataclass(frozen=True, slots=True)
class EventsPlace:
    """A ring buffer or a perf event array of the module."""

    buffer: ir.EventBuffer


@final
@dataclass(frozen=True, slots=True)
class Segments:
    """The segment list of the SRH, `pkt.srh.segments`."""

    view: HeaderView


@final
@dataclass(frozen=True, slots=True)
class Tlvs:
    """The TLVs of the SRH, `pkt.srh.tlvs`."""

    view: HeaderView


@final
@dataclass(frozen=True, slots=True)
class TlvItems:
    """The items of an array in a TLV in the packet; `base` is a view of the TLV."""

    base: ir.Expr
    field: TlvField
    items: ItemsType


@final
@dataclass(frozen=True, slots=True)
class Method:
    """`receiver.name`, to be called."""

    receiver: PacketView | HeaderView | MapPlace | EventsPlace | QueuePlace
    name: str


@final
@dataclass(frozen=True, slots=True)
class TlvClass:
    """A class that an author derived from Tlv."""

    layout: TlvLayout


@final
@dataclass(frozen=True, slots=True)
class StructClass:
    """A class that an author derived from Struct."""

    type: StructType


@final
@dataclass(frozen=True, slots=True)
class HeaderClass:
    """A class that an author derived from Header."""

    type: HeaderType


@final
@dataclass(frozen=True, slots=True)
class Built:
    """A TLV or an SRH that the function makes."""

    value: ir.TlvValue | ir.SrhValue


@final
@dataclass(frozen=True, slots=True)
class Appended:
    """`srh.append(tlv)`: a statement, and as a value nothing."""

    tlv: ir.TlvValue


@final
@dataclass(frozen=True, slots=True)
class Effect:
    """A call that is these statements, and as a value nothing."""

    statements: tuple[ir.Stmt, ...]


@final
@dataclass(frozen=True, slots=True)
class Reserving:
    """`events.reserve()`: to be given a name at once."""

    buffer: ir.EventBuffer


@final
@dataclass(frozen=True, slots=True)
class ProgramsPlace:
    """An array of programs."""

    array: ir.ProgArray


@final
@dataclass(frozen=True, slots=True)
class ProgramSlot:
    """`NEXT[i]`, to be called."""

    array: ir.ProgArray
    index: ir.Expr


@final
@dataclass(frozen=True, slots=True)
class TailCalling:
    """`NEXT[i](pkt)`: to be returned at once."""

    call: ir.TailCall


@final
@dataclass(frozen=True, slots=True)
class Redirecting:
    """`pkt.redirect(ifindex)`: to be returned at once."""

    call: ir.Redirect


@final
@dataclass(frozen=True, slots=True)
class Constant:
    """A Python object that the function captures or writes: bytes, text, a tuple, a module, a function."""

    value: object


@final
@dataclass(frozen=True, slots=True)
class Listed:
    """A list that is written out, where one can stand; each item with where it is."""

    items: tuple[tuple[Value, ast.expr], ...]


@final
@dataclass(frozen=True, slots=True)
class Nothing:
    """The result of a call that gives nothing, and Python's None."""


Value: TypeAlias = (
    Literal
    | Choice
    | Typed
    | Poison
    | PacketView
    | HeaderView
    | MapPlace
    | EventsPlace
    | QueuePlace
    | Segments
    | Tlvs
    | TlvItems
    | Method
    | TlvClass
    | StructClass
    | HeaderClass
    | Built
    | Appended
    | Effect
    | Reserving
    | ProgramsPlace
    | ProgramSlot
    | TailCalling
    | Redirecting
    | Constant
    | Listed
    | Nothing
)

Number: TypeAlias = Literal | Choice | Typed

POISON = Poison()
