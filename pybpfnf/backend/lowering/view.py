"""Headers anywhere in the packet: their places, reading their fields and items. Writing them is in `packet_write`.

A view is its offset from the packet's first byte, an i64; all ones stand for None. An offset outlives what takes pointers away;
what the verifier was shown of it is kept in `Packet.views`, by the view's value and by the local that holds it, for as long as
that is true: so a view is checked once, and once more after a join or a helper that takes pointers away.
"""

from __future__ import annotations

from collections.abc import Callable

from pybpfnf.backend.building.frame import Frame
from pybpfnf.backend.building.known import local_of
from pybpfnf.backend.building.linear import packet_memory
from pybpfnf.backend.building.pulling import in_one_piece
from pybpfnf.backend.building.values import llvm_type
from pybpfnf.backend.lowering.arithmetic import resize
from pybpfnf.backend.lowering.packet import FARTHEST, leave_unless_there, pointer_at
from pybpfnf.backend.lowering.structs import OUT_OF_RANGE
from pybpfnf.dsl import ir
from pybpfnf.dsl.building.intervals import interval_of
from pybpfnf.dsl.types import (
    U8,
    AddressType,
    BoolType,
    IntType,
    OctetsType,
    OptionalType,
    PacketViewType,
    WireArrayType,
    WireField,
    WireType,
)
from pybpfnf.errors import InternalError

PAST_THE_END = "past the end of the packet"
NONE = "-1"
_WORD = 8


def lower_view_at(frame: Frame, node: ir.ViewAt) -> str:
    """Beyond what the verifier follows is past the end too: `data_end` is never so far behind `data`, whose memory is one piece."""
    w, offset = frame.writer, frame.value(node.offset)
    if isinstance(node.type, OptionalType):
        view = node.type.inner
        found, missing = w.slot("i64"), w.label("missing")
        w.store("i64", NONE, found)
        with in_one_piece(frame, _end(frame, offset, _size(view))):
            place, _ = shown(frame, offset, _size(view), lambda: missing)
            w.store("i64", place, found)
        frame.place(missing)
        return w.load("i64", found)
    with in_one_piece(frame, _end(frame, offset, _size(node.type))):
        place, pointer = shown(frame, offset, _size(node.type), lambda: frame.fault(PAST_THE_END), interval_of(node.offset).high)
    frame.packet = frame.packet.with_view(place, pointer)
    return place


def _end(frame: Frame, offset: str, size: int) -> str:
    return frame.writer.op("add", "i64", offset, size)


def _size(view: object) -> int:
    if not isinstance(view, PacketViewType):
        raise InternalError(f"a view of type {view}")
    return view.of.size


def shown(frame: Frame, offset: str, size: int, elsewhere: Callable[[], str], most: int | None = None) -> tuple[str, str]:
    """The offset, and the pointer there, `size` bytes shown to be in the packet; leaves for the label `elsewhere` where they are not.

    `most`: the largest value that the offset has, where the compiler knows.
    """
    w = frame.writer
    data, _ = packet_memory(frame)
    if offset.lstrip("-").isdecimal():
        pointer = w.offset(data, int(offset))
        leave_unless_there(frame, pointer, size, elsewhere())
        return offset, pointer
    bounded = w.barrier("i64", offset)
    too_far = frame.never() if most is not None and most <= FARTHEST else elsewhere()
    frame.leave_if(w.icmp("ugt", "i64", bounded, FARTHEST), too_far)
    pointer = pointer_at(frame, data, bounded)
    leave_unless_there(frame, pointer, size, elsewhere())
    return bounded, pointer


# ------------------------------------------------------------------------------------------------------------- places


def place_pointer(frame: Frame, node: ir.Expr) -> str:
    """The first byte of a place, all its bytes known to the verifier to be in the packet."""
    match node:
        case ir.WireRead(base, field):
            return frame.writer.offset(place_pointer(frame, base), field.offset)
        case ir.WireItem(index=ir.Const(int() as index)) if 0 <= index < items_of(node.base)[1]:
            return frame.writer.offset(place_pointer(frame, node.base), index * items_of(node.base)[0].size)
        case ir.WireItem():
            # A pointer to which an unknown number is added has to be shown to the verifier again.
            _, pointer = shown(frame, lower_place_offset(frame, node), items_of(node.base)[0].size, frame.never)
            return pointer
        case _:
            return _view_pointer(frame, node)


def _view_pointer(frame: Frame, node: ir.Expr) -> str:
    local = local_of(node)
    known = None if local is None else frame.packet.views.get(local)
    if known is not None:
        return known
    offset = frame.value(node)
    known = frame.packet.views.get(offset)
    if known is None:
        _, known = shown(frame, offset, _size(node.type), frame.never)
    frame.packet = frame.packet.with_view(offset if local is None else local, known)
    return known


def view_at(frame: Frame, node: ir.Expr) -> tuple[str, str]:
    """A header: the offset of its first byte, an i64, and the pointer there. Each part of the expression is worked out once."""
    w = frame.writer
    match node:
        case ir.WireRead(base, field):
            offset, pointer = view_at(frame, base)
            return w.op("add", "i64", offset, field.offset), w.offset(pointer, field.offset)
        case ir.WireItem(base, index):
            item, count = items_of(base)
            offset, _ = view_at(frame, base)
            return shown(frame, w.op("add", "i64", offset, item_offset(frame, index, item.size, count)), item.size, frame.never)
        case _ if local_of(node) is not None:
            return frame.value(node), _view_pointer(frame, node)
        case _:
            offset = frame.value(node)
            known = frame.packet.views.get(offset)
            return (offset, known) if known is not None else shown(frame, offset, _size(node.type), frame.never)


def lower_place_offset(frame: Frame, node: ir.Expr) -> str:
    """A view as a value: the offset of its first byte."""
    w = frame.writer
    match node:
        case ir.WireRead(base, field):
            return w.op("add", "i64", lower_place_offset(frame, base), field.offset)
        case ir.WireItem(base, index):
            item, count = items_of(base)
            return w.op("add", "i64", lower_place_offset(frame, base), item_offset(frame, index, item.size, count))
        case _:
            return frame.value(node)


def items_of(base: ir.Expr) -> tuple[WireType, int]:
    match base.type:
        case PacketViewType(WireArrayType(item, count)):
            return item, count
        case OctetsType(size):
            return U8, size
    raise InternalError(f"an item of a {base.type}")


def item_offset(frame: Frame, index: ir.Expr, size: int, count: int) -> str | int:
    if isinstance(index, ir.Const) and isinstance(index.value, int):
        return index.value * size
    type_ = index.type
    if not isinstance(type_, IntType):
        raise InternalError(f"an index of type {type_}")
    w, most = frame.writer, interval_of(index)
    value = resize(frame, frame.value(index), type_, IntType("", 64, type_.signed))
    if not 0 <= most.low <= most.high < count:
        value = w.barrier("i64", value)
        frame.fault_if(w.icmp("uge", "i64", value, count), OUT_OF_RANGE)
    return w.op("mul", "i64", value, size)


# -------------------------------------------------------------------------------------------------------------- reads


def lower_wire_read(frame: Frame, node: ir.WireRead | ir.WireItem) -> str:
    """The value of a scalar, octets copied to the stack, the offset of what has fields or items."""
    if isinstance(node.type, PacketViewType):
        return lower_place_offset(frame, node)
    pointer, w = place_pointer(frame, node), frame.writer
    field = field_of(node)
    match node.type:
        case IntType(width=width):
            return _read_integer(frame, pointer, field, width)
        case BoolType():
            return w.icmp("ne", "i8", w.load("i8", pointer), 0)
        case AddressType():
            return w.load(llvm_type(node.type), pointer, 1)
        case OctetsType(size):
            return _copy_out(frame, pointer, size)
    raise InternalError(f"a field of type {node.type} in a header")


def field_of(node: ir.WireRead | ir.WireItem) -> WireField:
    """The field; an item as a field that is whole."""
    if isinstance(node, ir.WireRead):
        return node.field
    item, _ = items_of(node.base)
    return WireField("", 0, item, item.size)


def _read_integer(frame: Frame, pointer: str, field: WireField, width: int) -> str:
    w = frame.writer
    whole, wide = load_big_endian(frame, pointer, field.size)
    if field.shift:
        whole = w.op("lshr", f"i{wide}", whole, field.shift)
    if field.bits and field.shift + field.bits < field.size * 8:
        whole = w.op("and", f"i{wide}", whole, (1 << field.bits) - 1)
    if wide == width:
        return whole
    return w.cast("zext" if width > wide else "trunc", f"i{wide}", whole, f"i{width}")


def load_big_endian(frame: Frame, pointer: str, size: int) -> tuple[str, int]:
    """The integer that `size` bytes are, and how many bits it has: 8, 16, 32 or 64."""
    w, bits = frame.writer, size * 8
    wide = 1 << (bits - 1).bit_length()
    value = w.load(f"i{bits}", pointer, 1)
    if wide != bits:
        value = w.cast("zext", f"i{bits}", value, f"i{wide}")
    if wide > 8:
        value = w.value(f"call i{wide} @llvm.bswap.i{wide}(i{wide} {value})")
    return (w.op("lshr", f"i{wide}", value, wide - bits) if wide != bits else value), wide


def word_chunks(size: int) -> list[tuple[int, int]]:
    """(start, width) of accesses that cover `size` bytes, each as wide as what is left."""
    chunks, start = [], 0
    while start < size:
        width = next(width for width in (_WORD, 4, 2, 1) if width <= size - start)
        chunks.append((start, width))
        start += width
    return chunks


def _copy_out(frame: Frame, pointer: str, size: int) -> str:
    w, room = frame.writer, frame.room(size)
    for start, width in word_chunks(size):
        value = w.load(f"i{width * 8}", w.offset(pointer, start), 1)
        w.store(f"i{width * 8}", value, w.offset(room, start), width)
    return room
