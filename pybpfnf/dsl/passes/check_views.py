"""What must hold of the nodes of `ir.views`; a table for `check_ir`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pybpfnf.dsl import ir
from pybpfnf.dsl.types import U8, U64, HeaderType, IntType, OctetsType, OptionalType, PacketViewType, Type, WireArrayType, WireType


def _view_of(type_: Type) -> HeaderType | WireArrayType | None:
    return type_.of if isinstance(type_, PacketViewType) else None


def _gives(type_: Type, field: WireType) -> bool:
    """Whether reading the field gives this type."""
    return _view_of(type_) == field if isinstance(field, HeaderType | WireArrayType) else type_ == field


def _view_at(node: ir.ViewAt) -> bool:
    found = node.type.inner if isinstance(node.type, OptionalType) else node.type
    return node.offset.type == U64 and isinstance(_view_of(found), HeaderType)


def _find(node: ir.FindHeader) -> bool:
    header = _view_of(node.type.inner)
    return isinstance(header, HeaderType) and header.number is not None


def _read(node: ir.WireRead) -> bool:
    header = _view_of(node.base.type)
    return isinstance(header, HeaderType) and node.field in header.fields and _gives(node.type, node.field.type)


def _item(node: ir.WireItem) -> bool:
    if not isinstance(node.index.type, IntType):
        return False
    array = _view_of(node.base.type)
    if isinstance(array, WireArrayType):
        return _gives(node.type, array.item)
    return isinstance(node.base, ir.WireRead) and isinstance(node.base.type, OctetsType) and node.type == U8


def _set(node: ir.SetWire) -> bool:
    return not isinstance(node.place.type, PacketViewType) and node.value.type == node.place.type


VIEW_CHECKS: Mapping[type, Callable[[Any], bool]] = {
    ir.ViewAt: _view_at,
    ir.FindHeader: _find,
    ir.WireRead: _read,
    ir.WireItem: _item,
    ir.SetWire: _set,
}
