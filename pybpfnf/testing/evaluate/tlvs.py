"""TLVs of the SRH: a view of one is its offset in the packet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pybpfnf.dsl import ir
from pybpfnf.dsl.types import BoolType, IntType, ItemsType, OctetsType, TlvViewType, Type
from pybpfnf.testing.evaluate.run import Look, Run, faulting
from pybpfnf.testing.model_structs import own


def _find_tlv(run: Run, node: ir.FindTlv) -> Look:
    assert isinstance(node.type.inner, TlvViewType)
    layout = node.type.inner.layout
    with faulting(node.span):
        return run.packet.find_tlv(layout.number, layout.lengths)


def _next_tlv(run: Run, node: ir.NextTlv) -> Look:
    after = run.value(node.after)
    with faulting(node.span):
        return run.packet.next_tlv(after)


def _is_tlv(run: Run, node: ir.IsTlv) -> Look:
    kind, length = run.packet.read_at(run.value(node.tlv), 2)
    return int(kind == node.layout.number and length in node.layout.lengths)


def _tlv_as(run: Run, node: ir.TlvAs) -> Look:
    return run.value(node.tlv)


def _tlv_place(run: Run, node: ir.TlvPlace) -> Look:
    return _decoded(run.packet.read_at(_offset(run, node), node.type.size), node.type)


def _offset(run: Run, node: ir.TlvPlace) -> int:
    start: int = run.value(node.base) + node.field.offset
    if isinstance(node, ir.TlvRead):
        return start
    index, items = run.value(node.index), range(_count(run, node))
    assert index in items or not node.in_range, "the index was proven"
    with faulting(node.span):
        return start + items[index if index >= 0 else len(items)] * node.type.size


def _count(run: Run, node: ir.TlvItem | ir.TlvLength) -> int:
    """How many items there are."""
    if not isinstance(node.field.type, ItemsType):
        return node.field.size
    if not node.field.type.trailing:
        return node.field.type.most
    (length,) = run.packet.read_at(run.value(node.base) + 1, 1)
    return (2 + length - node.field.offset) // node.field.type.item.size


def _decoded(raw: bytes, type_: Type) -> Look:
    if isinstance(type_, IntType):
        return int.from_bytes(raw, "big", signed=type_.signed)
    if isinstance(type_, OctetsType):
        return own(raw)
    return int(raw != b"\0") if isinstance(type_, BoolType) else raw


def _set_tlv(run: Run, node: ir.SetTlv) -> None:
    data = _encoded(run, node.value)  # before the place, as in Python
    run.packet.write_at(_offset(run, node.place), data)


def _append_tlv(run: Run, node: ir.AppendTlv) -> None:
    data = b"".join(_encoded(run, part) for part in node.tlv.parts)
    with faulting(node.span):
        run.packet.append_tlv(node.tlv.layout.number, data)


def _insert_tlv(run: Run, node: ir.InsertTlv) -> None:
    data = b"".join(_encoded(run, part) for part in node.tlv.parts)
    at = run.value(node.at)
    with faulting(node.span):
        run.packet.insert_tlv(node.tlv.layout.number, data, at)


def _remove_tlv(run: Run, node: ir.RemoveTlv) -> None:
    at = run.value(node.at)
    with faulting(node.span):
        run.packet.remove_tlv(at)


def _encoded(run: Run, value: ir.Expr | bytes) -> bytes:
    """A field on the wire: network byte order."""
    if isinstance(value, bytes):
        return value
    given: Any = run.value(value)
    if isinstance(given, bytes | memoryview):
        return bytes(given)
    signed = isinstance(value.type, IntType) and value.type.signed
    assert isinstance(value.type, IntType | BoolType)
    return int(given).to_bytes(value.type.size, "big", signed=signed)


EXPRESSIONS: Mapping[type, Callable[[Run, Any], Look]] = {
    ir.FindTlv: _find_tlv,
    ir.NextTlv: _next_tlv,
    ir.IsTlv: _is_tlv,
    ir.TlvAs: _tlv_as,
    ir.TlvRead: _tlv_place,
    ir.TlvItem: _tlv_place,
    ir.TlvLength: _count,
}

STATEMENTS: Mapping[type, Callable[[Run, Any], int | None]] = {
    ir.SetTlv: _set_tlv,
    ir.AppendTlv: _append_tlv,
    ir.InsertTlv: _insert_tlv,
    ir.RemoveTlv: _remove_tlv,
}
