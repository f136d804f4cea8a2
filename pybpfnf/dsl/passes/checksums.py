"""Which checksum a write to a header in the packet changes.

A view's class says what the bytes are by its number: all that is written in one of number 17, or in a header within it, is in the
checksum of a UDP header that begins where the class does. What is outside of such a class is in none.
"""

from __future__ import annotations

from typing import TypeAlias, final

from pybpfnf.abi.checksums import CHECKSUM_SIZE, CHECKSUMS, Checksum
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import HeaderType, OptionalType, PacketViewType, WireArrayType
from pybpfnf.errors import InternalError
from pybpfnf.records import dataclass

Place: TypeAlias = ir.WireRead | ir.WireItem


@final
@dataclass(frozen=True, slots=True)
class Covered:
    """`row` of the header that `header`, a part of the place, is a view of."""

    header: ir.Expr
    row: Checksum


def checksum_over(place: Place) -> Covered | None:
    """The checksum that a write to the place changes; None where it changes none, or is one to the checksum itself.

    Of several the innermost: with it right, those around it are as they were.
    """
    low = high = 0  # where in the header at hand the place begins, at least and at most
    size, node = place_size(place), place  # type: int, ir.Expr
    while isinstance(node, ir.WireRead | ir.WireItem):
        least, most = _steps(node)
        low, high, node = low + least, high + most, node.base
        row = _row(node)
        if row is None:
            continue
        if low == high and row.offset - size < low < row.offset + CHECKSUM_SIZE:
            return None
        if row.covers is None or high + size <= row.covers:
            return Covered(node, row)
    return None


def place_size(place: Place) -> int:
    """Its bytes."""
    if isinstance(place, ir.WireRead):
        return place.field.size
    return _item_size(place.base)


def _steps(node: Place) -> tuple[int, int]:
    """The least and the largest offset in its base."""
    match node:
        case ir.WireRead(field=field):
            return field.offset, field.offset
        case ir.WireItem(base, ir.Const(int() as index)):
            return index * _item_size(base), index * _item_size(base)
        case ir.WireItem(base):
            return 0, (_count(base) - 1) * _item_size(base)


def _item_size(base: ir.Expr) -> int:
    return base.type.of.item.size if isinstance(base.type, PacketViewType) and isinstance(base.type.of, WireArrayType) else 1


def _count(base: ir.Expr) -> int:
    if isinstance(base.type, PacketViewType) and isinstance(base.type.of, WireArrayType):
        return base.type.of.count
    if isinstance(base, ir.WireRead):
        return base.field.size
    raise InternalError(f"an item of a {base.type}")


def _row(node: ir.Expr) -> Checksum | None:
    type_ = node.type.inner if isinstance(node.type, OptionalType) else node.type
    if not isinstance(type_, PacketViewType) or not isinstance(type_.of, HeaderType) or type_.of.number is None:
        return None
    return CHECKSUMS.get(type_.of.number)
