"""Expressions: nodes with a value. Each knows its type and its span."""

from __future__ import annotations

from typing import TypeAlias, final

from pybpfnf.abi.contexts import ContextField
from pybpfnf.abi.headers import Field, Header
from pybpfnf.abi.helpers import Helper
from pybpfnf.diagnostics import Span
from pybpfnf.dsl.ir.calls import Absent, InlinedCall, Present
from pybpfnf.dsl.ir.events import Emit
from pybpfnf.dsl.ir.lookups import MapContains, MapGet, MapRead
from pybpfnf.dsl.ir.names import Local, Variable
from pybpfnf.dsl.ir.operators import BinaryOp, CompareOp, EncapKind, LogicalOp, Seg6Action, UnaryOp
from pybpfnf.dsl.ir.queues import QueueTake
from pybpfnf.dsl.ir.views import FindHeader, ViewAt, WireItem, WireRead
from pybpfnf.dsl.types import (
    ADDRESS,
    BOOL,
    NONE,
    U8,
    AddressType,
    BoolType,
    IntType,
    NoneType,
    OctetsType,
    OptionalType,
    StructField,
    StructType,
    TlvField,
    TlvLayout,
    TlvViewType,
    Type,
    ValueType,
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
    """A new struct: each field of its type with its value; what is no field's is zero. Octets and fixed arrays are constant bytes."""

    values: tuple[tuple[StructField, Expr | bytes], ...]
    type: StructType
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


@final
@dataclass(frozen=True, slots=True)
class SegmentCount:
    """How many segments the SRH has: 1 to 127. Faults where there is no SRH, or it has not room for so many."""

    span: Span
    type: IntType = U8


@final
@dataclass(frozen=True, slots=True)
class SegmentRead:
    """Segment List[index] of the SRH (RFC 8754 section 2: 0 is the last of the path). An index out of range faults, as does a segment
    past the packet's end; `in_range`: the index is known to be that of a segment."""

    index: Expr
    span: Span
    in_range: bool = False
    type: AddressType = ADDRESS


@final
@dataclass(frozen=True, slots=True)
class FindTlv:
    """`srh.find(T)`: the first TLV that has T's type and length, None where there is none; `type` is an OptionalType of a TlvViewType.

    Faults where there is no SRH, its TLVs run past its end, or there are more than 32 before.
    """

    type: OptionalType
    span: Span


@final
@dataclass(frozen=True, slots=True)
class NextTlv:
    """The TLV after `after`, a view of ANY_TLV, or the first where that is at 0; None where there are no more. `type` is an OptionalType of
    such a view. Faults where the TLV runs past the SRH's end."""

    after: Expr
    type: OptionalType
    span: Span


@final
@dataclass(frozen=True, slots=True)
class IsTlv:
    """Whether a TLV in the packet has the type of a class and a length that the class can have."""

    tlv: Expr
    layout: TlvLayout
    span: Span
    type: BoolType = BOOL


@final
@dataclass(frozen=True, slots=True)
class TlvAs:
    """A TLV as the class that it was found to be; no check is made."""

    tlv: Expr
    type: TlvViewType
    span: Span


@final
@dataclass(frozen=True, slots=True)
class TlvRead:
    """A field of a TLV in the packet, `base` a TlvViewType: big-endian there, a host integer here."""

    base: Expr
    field: TlvField
    type: ValueType | OctetsType
    span: Span


@final
@dataclass(frozen=True, slots=True)
class TlvItem:
    """An item of a TLV's field in the packet, `base` a TlvViewType: a byte of octets, an item of an array. An index out of range
    faults; `in_range`: it never is, as a loop over the items made it."""

    base: Expr
    field: TlvField
    index: Expr
    type: ValueType
    span: Span
    in_range: bool = False


@final
@dataclass(frozen=True, slots=True)
class TlvLength:
    """How many items the trailing array of a TLV in the packet has."""

    base: Expr
    field: TlvField
    span: Span
    type: IntType = U8


TlvPlace: TypeAlias = TlvRead | TlvItem


@final
@dataclass(frozen=True, slots=True)
class TlvValue:
    """A TLV to write: each field of the layout with its value, an array's with those of its items; constant raw bytes are `bytes`."""

    layout: TlvLayout
    values: tuple[tuple[TlvField, Expr | bytes | tuple[Expr, ...]], ...]
    span: Span

    @property
    def size(self) -> int:
        """Bytes on the wire, without padding."""
        trailing = self.layout.trailing
        items = self.values[-1][1] if trailing is not None else ()
        return self.layout.size + (len(items) * trailing.item.size if trailing is not None and isinstance(items, tuple) else 0)

    @property
    def parts(self) -> tuple[Expr | bytes, ...]:
        """What it is made of, in the order in which it is evaluated."""
        return tuple(part for _, value in self.values for part in (value if isinstance(value, tuple) else (value,)))


@final
@dataclass(frozen=True, slots=True)
class SrhValue:
    """A new SRH: `path` in travel order (the first element is the next segment), addresses all. TLVs are padded with
    PadN to a multiple of 8. `tag` is a u16, `flags` a u8."""

    path: tuple[Expr, ...]
    tlvs: tuple[TlvValue, ...]
    tag: Expr
    flags: Expr
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Seg6ActionCall:
    """Run a seg6 action; its parameter is an address (END_X), an s32 table (END_T, END_DT6) or an SrhValue (END_B6*).

    Faults when the helper fails; else gives the verdict REDIRECT.
    """

    action: Seg6Action
    parameter: Expr | SrhValue
    type: Type
    span: Span


@final
@dataclass(frozen=True, slots=True)
class HasHeader:
    """Whether the packet has the header: an IPv6 header ("ipv6"), or after one an SRH ("srh"), past hop-by-hop and destination
    options. In hooks whose packets may be without."""

    header: Header
    span: Span
    type: BoolType = BOOL


@final
@dataclass(frozen=True, slots=True)
class PushEncap:
    """Encapsulate the packet, or insert the SRH; faults when the helper fails. Packet data moves, and has other headers.

    For IP, `source` (an address) and `hop_limit` (a u8) are those of the outer IPv6 header, whose payload length and traffic class
    the function fills in; None for the others, which the kernel gives its own. Gives nothing.
    """

    kind: EncapKind
    srh: SrhValue
    source: Expr | None
    hop_limit: Expr | None
    span: Span
    type: NoneType = NONE


Expr: TypeAlias = (
    Const
    | LocalRead
    | VariableRead
    | HeaderRead
    | ContextRead
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
    | StructValue
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
    | Absent
    | Present
)
