"""Expressions: nodes with a value. Each knows its type and its span."""

from __future__ import annotations

from typing import TypeAlias, final

from pybpfnf.abi.contexts import ContextField
from pybpfnf.abi.headers import Field, Header
from pybpfnf.abi.helpers import Helper
from pybpfnf.diagnostics import Span
from pybpfnf.dsl.ir.actions import CloneRedirect, HasHeader, PushEncap, Redirect, Seg6ActionCall
from pybpfnf.dsl.ir.calls import Absent, InlinedCall, Present, SubprogramCall
from pybpfnf.dsl.ir.events import Emit
from pybpfnf.dsl.ir.lookups import MapContains, MapGet, MapRead
from pybpfnf.dsl.ir.names import Local, Variable
from pybpfnf.dsl.ir.operators import BinaryOp, CompareOp, LogicalOp, UnaryOp
from pybpfnf.dsl.ir.queues import QueueTake
from pybpfnf.dsl.ir.tlvs import FindTlv, IsTlv, NextTlv, SegmentCount, SegmentRead, TlvAs, TlvItem, TlvLength, TlvRead
from pybpfnf.dsl.ir.views import FindHeader, ViewAt, WireItem, WireRead
from pybpfnf.dsl.types import (
    BOOL,
    U64,
    ArrayType,
    BoolType,
    IntType,
    StructField,
    StructType,
    Type,
)
from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Const:
    """An integer, a bool (0 or 1), a verdict's number, or an address (16 bytes)."""

    value: int | bytes
    type: Type
    span: Span


@final
@dataclass(frozen=True, slots=True)
class LocalRead:
    """`bounds`: the lowest and the highest value that an integer can have here, where the compiler knows better than its type."""

    local: Local
    type: Type
    span: Span
    bounds: tuple[int, int] | None = None


@final
@dataclass(frozen=True, slots=True)
class VariableRead:
    variable: Variable
    type: Type
    span: Span


@final
@dataclass(frozen=True, slots=True)
class HeaderRead:
    """Read `field` of the packet's IPv6 header ("ipv6") or of its SRH ("srh", searched past hop-by-hop and destination
    options). Big-endian on the wire, a host integer here. Faults where the header is not there or runs past the packet."""

    header: Header
    field: Field
    type: Type
    span: Span


@final
@dataclass(frozen=True, slots=True)
class ContextRead:
    """Read a field of the context (`__sk_buff`)."""

    field: ContextField
    type: Type
    span: Span


@final
@dataclass(frozen=True, slots=True)
class ReceiveTime:
    """When the packet came, nanoseconds since the Unix epoch, by the kernel's stamp on it (sk_buff's `tstamp`); 0 without one. `offset`
    is where the stamp is."""

    offset: Expr
    span: Span
    type: IntType = U64


@final
@dataclass(frozen=True, slots=True)
class Convert:
    """The operand reduced to `type` (an IntType): widening keeps the value, narrowing keeps the low bits; a bool becomes 0 or 1."""

    operand: Expr
    type: Type
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Binary:
    """For shifts the right operand may have another integer type than the left; the result has the left's."""

    op: BinaryOp
    left: Expr
    right: Expr
    type: IntType
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Unary:
    op: UnaryOp
    operand: Expr
    type: IntType
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Compare:
    """Operands of one type: integers by value (signedness from the type); bools, verdicts and addresses for == and != only."""

    op: CompareOp
    left: Expr
    right: Expr
    span: Span
    type: BoolType = BOOL


@final
@dataclass(frozen=True, slots=True)
class InPrefix:
    """Whether the first `length` bits of an address are those of `network`, 16 bytes with zeros after them."""

    address: Expr
    network: bytes
    length: int
    span: Span
    type: BoolType = BOOL


@final
@dataclass(frozen=True, slots=True)
class Logical:
    """Short-circuit; operands are bools. Chained comparisons become these, the middle operand bound to a Local first by a Let."""

    op: LogicalOp
    left: Expr
    right: Expr
    span: Span
    type: BoolType = BOOL


@final
@dataclass(frozen=True, slots=True)
class Not:
    operand: Expr
    span: Span
    type: BoolType = BOOL


@final
@dataclass(frozen=True, slots=True)
class Let:
    """Evaluate `value` into `local` (used only inside `body`), then `body`."""

    local: Local
    value: Expr
    body: Expr
    type: Type
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Conditional:
    """`then if test else orelse`; only one arm is evaluated."""

    test: Expr
    then: Expr
    orelse: Expr
    type: Type
    span: Span


@final
@dataclass(frozen=True, slots=True)
class IsNone:
    """The operand's type is an OptionalType."""

    operand: Expr
    span: Span
    type: BoolType = BOOL


@final
@dataclass(frozen=True, slots=True)
class Unwrap:
    """The value of an optional that the function has asked about: never None here, no check is made."""

    operand: Expr
    type: Type
    span: Span


@final
@dataclass(frozen=True, slots=True)
class HelperCall:
    """Call a helper whose arguments are at most the context and scalars; `args` are the scalars, u64 each. The result is a u64."""

    helper: Helper
    args: tuple[Expr, ...]
    type: Type
    span: Span


@final
@dataclass(frozen=True, slots=True)
class StructValue:
    """A new struct: each field of its type with its value; what is no field's is zero. Octets and fixed arrays may be constant bytes."""

    values: tuple[tuple[StructField, Expr | bytes], ...]
    type: StructType
    span: Span


@final
@dataclass(frozen=True, slots=True)
class ArrayValue:
    """A new array: each item with its value, worked out in this order; octets and arrays in it may be constant bytes."""

    items: tuple[Expr | bytes, ...]
    type: ArrayType
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Member:
    """`base.field`, where `base` is a struct or a view of one: the value for a scalar, the place for anything larger."""

    base: Expr
    field: StructField
    type: Type
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Item:
    """`base[index]` of a fixed array (or a byte of octets) in a struct; an index out of range faults."""

    base: Expr
    index: Expr
    type: Type
    span: Span


Place: TypeAlias = Member | Item


Expr: TypeAlias = (
    Const
    | LocalRead
    | VariableRead
    | HeaderRead
    | ContextRead
    | ReceiveTime
    | Convert
    | Binary
    | Unary
    | Compare
    | InPrefix
    | Logical
    | Not
    | Let
    | Conditional
    | MapRead
    | MapGet
    | MapContains
    | IsNone
    | Unwrap
    | HelperCall
    | Seg6ActionCall
    | HasHeader
    | PushEncap
    | Redirect
    | CloneRedirect
    | StructValue
    | ArrayValue
    | Member
    | Item
    | SegmentCount
    | SegmentRead
    | FindTlv
    | NextTlv
    | IsTlv
    | TlvAs
    | TlvRead
    | TlvItem
    | Emit
    | QueueTake
    | TlvLength
    | ViewAt
    | FindHeader
    | WireRead
    | WireItem
    | InlinedCall
    | SubprogramCall
    | Absent
    | Present
)
