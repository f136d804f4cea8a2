"""Headers anywhere in the packet. A view is its offset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pybpfnf.abi.checksums import CHECKSUM_SIZE
from pybpfnf.dsl import ir
from pybpfnf.dsl.passes.checksums import checksum_over
from pybpfnf.dsl.types import HeaderType, OctetsType, OptionalType, PacketViewType, WireArrayType, WireField
from pybpfnf.testing.evaluate.run import Look, Run, faulting
from pybpfnf.testing.model_checksums import mend
from pybpfnf.testing.model_headers import read_wire, require, upper_layer, write_wire
from pybpfnf.testing.model_packet import PacketError


def _view_at(run: Run, node: ir.ViewAt) -> Look:
    offset, packet = run.value(node.offset), run.packet.encode()
    if isinstance(node.type, OptionalType):
        assert isinstance(node.type.inner, PacketViewType)
        return offset if offset + node.type.inner.of.size <= len(packet) else None
    with faulting(node.span):
        return require(packet, offset, node.type.of.size)


def _find_header(run: Run, node: ir.FindHeader) -> Look:
    assert isinstance(node.type.inner, PacketViewType)
    header = node.type.inner.of
    assert isinstance(header, HeaderType)
    with faulting(node.span):
        found = upper_layer(run.packet.encode())
        if found is None or found[0] != header.number:
            return None
        return require(run.packet.encode(), found[1], header.size)


def _place(run: Run, node: ir.WirePlace) -> tuple[int, WireField]:
    """Where it begins, and what is there: of an item, a field that is whole."""
    start = _start(run, node.base)
    if isinstance(node, ir.WireRead):
        return start + node.field.offset, node.field
    index = run.value(node.index)
    match node.base.type:
        case PacketViewType(WireArrayType(item, count)):
            size = item.size
        case OctetsType(count):
            size = 1
    with faulting(node.span):
        offset = range(0, count * size, size)[index if index >= 0 else count]
    return start + offset, WireField("", 0, _whole(node), size)


def _whole(node: ir.WireItem) -> Any:
    return node.type.of if isinstance(node.type, PacketViewType) else node.type


def _start(run: Run, node: ir.Expr) -> int:
    """The offset of a view, or of octets in the packet."""
    if isinstance(node, ir.WireRead | ir.WireItem):
        return _place(run, node)[0]
    offset: int = run.value(node)
    return offset


def _read(run: Run, node: ir.WirePlace) -> Look:
    offset, field = _place(run, node)
    if isinstance(node.type, PacketViewType):
        return offset
    return read_wire(run.packet.read_at(offset, field.size), field, node.type)


def _set(run: Run, node: ir.SetWire) -> None:
    value = run.value(node.value)  # before the place, as in Python
    offset, field = _place(run, node.place)
    covered = checksum_over(node.place)
    if covered is None:
        run.packet.write_at(offset, write_wire(run.packet.read_at(offset, field.size), field, value))
        return
    header = _start(run, covered.header)
    with faulting(node.span):
        place = require(run.packet.encode(), header + covered.row.offset, CHECKSUM_SIZE)
    before = run.packet.read_at(offset, field.size)
    after = write_wire(before, field, value)
    run.packet.write_at(offset, after)
    with faulting(node.span):
        if covered.row.covers is None and place % 2:
            raise PacketError("the kernel refused to mend the checksum")
        mend(run.packet, place, (offset - header) % 2, before, after, optional=covered.row.optional)


EXPRESSIONS: Mapping[type, Callable[[Run, Any], Look]] = {
    ir.ViewAt: _view_at,
    ir.FindHeader: _find_header,
    ir.WireRead: _read,
    ir.WireItem: _read,
}

STATEMENTS: Mapping[type, Callable[[Run, Any], int | None]] = {ir.SetWire: _set}
