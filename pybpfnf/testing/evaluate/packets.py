"""Reading and writing the packet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pybpfnf.dsl import ir
from pybpfnf.dsl.types import BoolType, IntType, TlvViewType
from pybpfnf.testing.evaluate.run import Look, Run, faulting


def _header_read(run: Run, node: ir.HeaderRead) -> Look:
    with faulting(node.span):
        return run.packet.read(node.header, node.field)


def _find_tlv(run: Run, node: ir.FindTlv) -> Look:
    """Its offset in the packet."""
    assert isinstance(node.type.inner, TlvViewType)
    layout = node.type.inner.layout
    with faulting(node.span):
        return run.packet.find_tlv(layout.number, layout.size - 2)


def _tlv_read(run: Run, node: ir.TlvRead) -> Look:
    raw = run.packet.read_at(run.value(node.base) + node.field.offset, node.field.size)
    if isinstance(node.type, IntType):
        return int.from_bytes(raw, "big", signed=node.type.signed)
    return int(raw != b"\0") if isinstance(node.type, BoolType) else raw


def _set_header(run: Run, node: ir.SetHeader) -> None:
    value = run.value(node.value)
    with faulting(node.span):
        run.packet.write(node.header, node.field, value)


def _set_tlv(run: Run, node: ir.SetTlv) -> None:
    data = _tlv_field(run, node.value)
    run.packet.write_at(run.value(node.place.base) + node.place.field.offset, data)


def _append_tlv(run: Run, node: ir.AppendTlv) -> None:
    data = b"".join(_tlv_field(run, value) for _, value in node.tlv.values)
    with faulting(node.span):
        run.packet.append_tlv(node.tlv.layout.number, data)


def _tlv_field(run: Run, value: ir.Expr | bytes) -> bytes:
    """A field on the wire: network byte order."""
    if isinstance(value, bytes):
        return value
    given: Any = run.value(value)
    if isinstance(given, bytes):
        return given
    signed = isinstance(value.type, IntType) and value.type.signed
    assert isinstance(value.type, IntType | BoolType)
    return int(given).to_bytes(value.type.size, "big", signed=signed)


EXPRESSIONS: Mapping[type, Callable[[Run, Any], Look]] = {
    ir.HeaderRead: _header_read,
    ir.FindTlv: _find_tlv,
    ir.TlvRead: _tlv_read,
}

STATEMENTS: Mapping[type, Callable[[Run, Any], int | None]] = {
    ir.SetHeader: _set_header,
    ir.SetTlv: _set_tlv,
    ir.AppendTlv: _append_tlv,
}
