"""Nodes for what is in the SRH: its segments, and TLVs where they lie or to be written."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, final

from pybpfnf.diagnostics import Span
from pybpfnf.dsl.types import (
    ADDRESS,
    BOOL,
    U8,
    AddressType,
    BoolType,
    IntType,
    OctetsType,
    OptionalType,
    TlvField,
    TlvLayout,
    TlvViewType,
    ValueType,
)
from pybpfnf.records import dataclass

if TYPE_CHECKING:
    from pybpfnf.dsl.ir.expressions import Expr


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
