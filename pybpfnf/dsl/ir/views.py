"""Nodes for what lies in the packet beyond the IPv6 header and the SRH: views of headers, their fields and items."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, final

from pybpfnf.diagnostics import Span
from pybpfnf.dsl.types import OptionalType, PacketViewType, Type, WireField
from pybpfnf.records import dataclass

if TYPE_CHECKING:
    from pybpfnf.dsl.ir.expressions import Expr


@final
@dataclass(frozen=True, slots=True)
class ViewAt:
    """`pkt.view(T, at=offset)`, `pkt.get(T, at=offset)`: a view of the bytes `offset` (a u64) after the packet's first.

    `type` is a PacketViewType: faults where they run past the packet's end; or an OptionalType of one: None there.
    """

    offset: Expr
    type: PacketViewType | OptionalType
    span: Span


@final
@dataclass(frozen=True, slots=True)
class FindHeader:
    """`pkt.find(T)`: a view of the upper-layer header, where its number is T's; else None, as in a fragment that is not the first.

    Past the IPv6 extension headers, or IPv4's options. Faults where a header runs past the packet's end, or there are more than 8
    extension headers. `type` is an OptionalType of a PacketViewType.
    """

    type: OptionalType
    span: Span


@final
@dataclass(frozen=True, slots=True)
class WireRead:
    """A field of a header in the packet, `base` a PacketViewType: a host integer, an address, octets, or a view of what is larger."""

    base: Expr
    field: WireField
    type: Type
    span: Span


@final
@dataclass(frozen=True, slots=True)
class WireItem:
    """`base[index]`, of an array in the packet or of a WireRead of octets; an index out of range faults."""

    base: Expr
    index: Expr
    type: Type
    span: Span


WirePlace: TypeAlias = WireRead | WireItem


@final
@dataclass(frozen=True, slots=True)
class SetWire:
    """`place = value`, in the packet itself: an integer, a bool, an address or octets; a bit field keeps the low bits."""

    place: WirePlace
    value: Expr
    span: Span
