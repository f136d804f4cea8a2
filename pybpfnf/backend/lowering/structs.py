"""Structs in memory: an expression of a struct's type is a pointer to its bytes, in a map's entry or on the stack.

The stack wants every access aligned, whatever the host allows (kernel/bpf/verifier.c, check_ptr_alignment), and LLVM joins
neighbouring accesses into wider ones where the target may do them; so what is not aligned to 8 bytes goes through a
barrier, piece by piece.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import final

from pybpfnf.backend.building.effects import may_move
from pybpfnf.backend.building.frame import Frame
from pybpfnf.backend.building.pulling import can_pull
from pybpfnf.backend.building.values import literal, place_alignment
from pybpfnf.backend.lowering.arithmetic import combine, resize
from pybpfnf.backend.lowering.memory import atomic_update, is_atomic, load_value, store_value
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import (
    U8,
    AddressType,
    ArrayType,
    BoolType,
    FieldType,
    IntType,
    OctetsType,
    StructField,
    StructType,
    Type,
    ViewType,
    struct_of,
)
from pybpfnf.errors import InternalError
from pybpfnf.records import dataclass

_WORD = 8
_AT_ONCE = 64  # bytes of a copy
_PIECE = 4  # of an address, which is aligned to 4 bytes at least
OUT_OF_RANGE = "index out of range"


def lower_struct_value(frame: Frame, node: ir.StructValue) -> str:
    """A buffer of its own on the stack: whole words first, so that padding is zero, then the fields that are not constant."""
    parts = struct_parts(frame, node)
    buffer = constant_buffer(frame, parts.constant)
    fill(frame, buffer, parts)
    return buffer


def lower_array_value(frame: Frame, node: ir.ArrayValue) -> str:
    """The same of an array that is no part of a new struct."""
    parts = _parts(frame, node.type.size, list(_scattered(StructField("", 0, node.type), node)))
    buffer = constant_buffer(frame, parts.constant)
    fill(frame, buffer, parts)
    return buffer


@final
@dataclass(frozen=True, slots=True)
class StructParts:
    """What a new struct is made of: its bytes as far as they are constant, the rest zero; the values of fields; and octets, where they
    lie and how they are aligned there."""

    constant: bytes
    values: tuple[tuple[StructField, str], ...]
    octets: tuple[tuple[StructField, str, int], ...]


def struct_parts(frame: Frame, node: ir.StructValue) -> StructParts:
    """Everything that is computed of a new struct, in the order of its fields."""
    return _parts(frame, node.type.size, [each for field, value in node.values for each in _scattered(field, value)])


def _scattered(field: StructField, value: ir.Expr | bytes) -> Iterator[tuple[StructField, ir.Expr | bytes]]:
    """A field with its value; of a new array each item, as a field where it lies."""
    if not isinstance(value, ir.ArrayValue):
        yield field, value
        return
    for index, item in enumerate(value.items):
        size = value.type.item.size
        yield from _scattered(StructField(f"{field.name}[{index}]", field.offset + index * size, value.type.item), item)


def _parts(frame: Frame, size: int, values: list[tuple[StructField, ir.Expr | bytes]]) -> StructParts:
    constant = bytearray(size)
    computed, octets = [], []
    for index, (field, value) in enumerate(values):
        if isinstance(value, ir.Const):
            value = constant_bytes(value)
        if isinstance(value, bytes):
            _put(constant, field, value)
        elif isinstance(value.type, OctetsType):
            after = [other for _, other in values[index + 1 :]]
            octets.append((field, *octets_before(frame, value, after)))
        else:
            computed.append((field, frame.value(value)))
    return StructParts(bytes(constant), tuple(computed), tuple(octets))


def fill(frame: Frame, buffer: str, parts: StructParts) -> None:
    """Store what is not constant in a struct that is aligned to 8 bytes."""
    for field, lowered in parts.values:
        pointer, alignment = frame.writer.offset(buffer, field.offset), place_alignment(field.offset, _WORD)
        if field.bits:
            _store_bits(frame, pointer, field.type, lowered, field.bits, field.shift)
        else:
            store_field(frame, pointer, alignment, field.type, lowered)
    for field, source, aligned in parts.octets:
        copy(frame, source, frame.writer.offset(buffer, field.offset), field.type.size, min(aligned, place_alignment(field.offset, _WORD)))


def _put(data: bytearray, field: StructField, value: bytes) -> None:
    place = slice(field.offset, field.offset + len(value))
    if field.bits:
        kept = int.from_bytes(value, "little") & ((1 << field.bits) - 1)
        value = (int.from_bytes(data[place], "little") | kept << field.shift).to_bytes(len(value), "little")
    data[place] = value


def constant_bytes(node: ir.Const) -> bytes:
    """A constant as it lies in memory."""
    if isinstance(node.value, bytes):
        return node.value
    size = node.type.size if hasattr(node.type, "size") else _WORD
    return (node.value & ((1 << 8 * size) - 1)).to_bytes(size, "little")


def constant_buffer(frame: Frame, data: bytes) -> str:
    """New memory on the stack with these bytes, filled up to whole words."""
    buffer = frame.room(len(data))
    for start in range(0, len(data), _WORD):
        frame.writer.store("i64", int.from_bytes(data[start : start + _WORD], "little"), frame.writer.offset(buffer, start), _WORD)
    return buffer


# ------------------------------------------------------------------------------------------------------------- places


def lower_place(frame: Frame, node: ir.Member | ir.Item) -> str:
    """The value of a scalar, the pointer to anything larger."""
    pointer, alignment = place_of(frame, node)
    if isinstance(node, ir.Member) and node.field.bits:
        return _load_bits(frame, pointer, node.field.type, node.field.bits, node.field.shift)
    return load_field(frame, pointer, alignment, node.type)


def place_of(frame: Frame, node: ir.Expr) -> tuple[str, int]:
    """The pointer to a place, and how it is aligned."""
    with frame.at(node.span):
        return _place_of(frame, node)


def _place_of(frame: Frame, node: ir.Expr) -> tuple[str, int]:
    match node:
        case ir.Member(base, field):
            pointer, alignment = place_of(frame, base)
            return frame.writer.offset(pointer, field.offset), min(alignment, place_alignment(field.offset, _WORD))
        case ir.Item(base, index):
            pointer, alignment = place_of(frame, base)
            item, count = _items(base.type)
            offset = _item_offset(frame, index, item.size, count)
            return frame.writer.offset(pointer, offset), min(alignment, place_alignment(item.size, _WORD))
        case ir.TlvRead():
            return frame.value(node), 1  # in the packet, at any offset
        case _:
            return frame.value(node), _WORD


def octets_before(frame: Frame, value: ir.Expr, others: Iterable[ir.Expr | bytes]) -> tuple[str, int]:
    """A pointer to raw bytes and its alignment; of those in the packet to a copy, where `others`, evaluated after, may move it."""
    pointer, alignment = place_of(frame, value)
    nodes = (other for other in others if not isinstance(other, bytes))
    if not isinstance(value, ir.TlvRead) or not may_move(nodes, pulls=can_pull(frame.function)):
        return pointer, alignment
    room = frame.room(value.field.size)
    copy(frame, pointer, room, value.field.size, alignment)
    return room, _WORD


def _items(type_: Type) -> tuple[FieldType, int]:
    match type_:
        case ArrayType(item, count):
            return item, count
        case OctetsType(size):
            return U8, size
    raise InternalError(f"an item of a {type_}")


def _item_offset(frame: Frame, index: ir.Expr, size: int, count: int) -> str | int:
    if isinstance(index, ir.Const) and isinstance(index.value, int) and 0 <= index.value < count:
        return index.value * size
    type_ = index.type
    if not isinstance(type_, IntType):
        raise InternalError(f"an index of type {type_}")
    w = frame.writer
    value = resize(frame, frame.value(index), type_, IntType("", 64, type_.signed))
    # The register that is compared is the one that is added: LLVM must not compute it twice.
    value = w.barrier("i64", value)
    proven = not type_.signed and type_.maximum < count
    w.go_on_unless(w.icmp("uge", "i64", value, count), frame.never() if proven else frame.fault(OUT_OF_RANGE))
    return value if size == 1 else w.op("mul", "i64", value, size)


def lower_set_place(frame: Frame, node: ir.SetPlace) -> None:
    if isinstance(node.value.type, OctetsType):
        source, aligned = octets_before(frame, node.value, [node.place])
        pointer, alignment = place_of(frame, node.place)
        copy(frame, source, pointer, node.value.type.size, min(alignment, aligned))
        return
    value = frame.value(node.value)  # Python evaluates the right side first
    pointer, alignment = place_of(frame, node.place)
    if isinstance(node.place, ir.Member) and node.place.field.bits:
        _store_bits(frame, pointer, node.place.type, value, node.place.field.bits, node.place.field.shift)
    else:
        store_field(frame, pointer, alignment, node.place.type, value)


def lower_update_place(frame: Frame, node: ir.UpdatePlace) -> None:
    type_ = node.place.type
    if not isinstance(type_, IntType):
        raise InternalError(f"{node.op.value}= on a field of type {type_}")
    pointer, _ = place_of(frame, node.place)
    if is_atomic(node.op, type_) and _is_shared(node.place):
        atomic_update(frame, pointer, node.op, type_, frame.value(node.value))
        return
    old = load_value(frame, pointer, type_)  # before the right side, as in Python
    store_value(frame, pointer, type_, combine(frame, node.op, type_, old, frame.value(node.value), node.value.type))


def _is_shared(place: ir.Expr) -> bool:
    while isinstance(place, ir.Member | ir.Item):
        place = place.base
    return isinstance(place.type, ViewType) and place.type.shared


# ------------------------------------------------------------------------------------------------- fields in memory


def load_field(frame: Frame, pointer: str, alignment: int, type_: Type) -> str:
    match type_:
        case StructType() | ArrayType() | OctetsType():
            return pointer
        case AddressType() if alignment < _WORD:
            return _load_pieces(frame, pointer, type_.size)
        case IntType() | AddressType() | BoolType():
            return load_value(frame, pointer, type_)
    raise InternalError(f"a field of type {type_}")


def store_field(frame: Frame, pointer: str, alignment: int, type_: Type, value: str) -> None:
    match type_:
        case StructType() | ArrayType() | OctetsType():
            copy(frame, value, pointer, type_.size, min(alignment, type_.alignment))
        case AddressType() if alignment < _WORD:
            _store_pieces(frame, pointer, type_.size, value)
        case IntType() | AddressType() | BoolType():
            store_value(frame, pointer, type_, value)
        case _:
            raise InternalError(f"a field of type {type_}")


def _load_pieces(frame: Frame, pointer: str, size: int) -> str:
    w, whole = frame.writer, "0"
    for start in range(0, size, _PIECE):
        piece = w.barrier("i32", w.load("i32", w.offset(pointer, start), _PIECE))
        whole = w.op("or", "i128", whole, w.op("shl", "i128", w.cast("zext", "i32", piece, "i128"), 8 * start))
    return whole


def _store_pieces(frame: Frame, pointer: str, size: int, value: str) -> None:
    w = frame.writer
    for start in range(0, size, _PIECE):
        piece = w.cast("trunc", "i128", w.op("lshr", "i128", value, 8 * start), "i32")
        w.store("i32", w.barrier("i32", piece), w.offset(pointer, start), _PIECE)


def _load_bits(frame: Frame, pointer: str, type_: Type, bits: int, shift: int) -> str:
    assert isinstance(type_, IntType)
    w, integer = frame.writer, f"i{type_.width}"
    unit = load_value(frame, pointer, type_)
    return w.op("and", integer, w.op("lshr", integer, unit, shift), (1 << bits) - 1)


def _store_bits(frame: Frame, pointer: str, type_: Type, value: str, bits: int, shift: int) -> None:
    assert isinstance(type_, IntType)
    w, integer, mask = frame.writer, f"i{type_.width}", (1 << bits) - 1
    others = w.op("and", integer, load_value(frame, pointer, type_), ~(mask << shift))
    placed = w.op("shl", integer, w.op("and", integer, value, mask), shift)
    store_value(frame, pointer, type_, w.op("or", integer, others, placed))


# -------------------------------------------------------------------------------------------------------- whole values


def copy(frame: Frame, source: str, target: str, size: int, alignment: int) -> None:
    """The two are the same place, or apart. What is large goes piece by piece, and volatile: LLVM would keep what it has read for
    whoever reads the copy, which is more than there are registers, on the stack."""
    w, large = frame.writer, size > _AT_ONCE
    for begin in range(0, size, _AT_ONCE):
        chunks = list(_chunks(begin, min(begin + _AT_ONCE, size), alignment))
        values = [_load_chunk(frame, source, start, width, volatile=large) for start, width in chunks]
        for (start, width), value in zip(chunks, values, strict=True):
            w.store(f"i{width * 8}", value, w.offset(target, start), width, volatile=large)


def _load_chunk(frame: Frame, pointer: str, start: int, width: int, *, volatile: bool = False) -> str:
    w, integer = frame.writer, f"i{width * 8}"
    value = w.load(integer, w.offset(pointer, start), width, volatile=volatile)
    return value if width == _WORD else w.barrier(integer, value)


def _chunks(start: int, end: int, alignment: int) -> Iterator[tuple[int, int]]:
    """Aligned accesses (start, width) that cover the bytes."""
    while start < end:
        width = min(alignment, place_alignment(start, _WORD))
        while width > end - start:
            width //= 2
        yield start, width
        start += width


def lower_equal(frame: Frame, left: ir.Expr, right: ir.Expr) -> str:
    """An i1: whether two structs (or octets) have the same values; what is no field's is not compared."""
    (one, first), (other, second) = place_of(frame, left), place_of(frame, right)
    type_ = struct_of(left.type) or left.type
    assert isinstance(type_, StructType | OctetsType)
    w, differing = frame.writer, "0"
    for begin, end in _runs(type_):
        for start, width in _chunks(begin, end, min(first, second, type_.alignment)):
            pair = [_load_chunk(frame, pointer, start, width) for pointer in (one, other)]
            difference = w.op("xor", f"i{width * 8}", *pair)
            wide = difference if width == _WORD else w.cast("zext", f"i{width * 8}", difference, "i64")
            differing = w.op("or", "i64", differing, wide)
            if type_.size > _AT_ONCE:
                # Else LLVM puts the sum in another order, and keeps what it has read on the stack until then.
                differing = w.barrier("i64", differing)
    return w.icmp("eq", "i64", differing, 0)


def _runs(type_: FieldType, base: int = 0) -> Iterator[tuple[int, int]]:
    """The bytes (begin, end) that fields have; padding lies between, and the runs of one struct are joined where they touch."""
    if not isinstance(type_, StructType):
        yield base, base + type_.size
        return
    begin = end = base
    for field in type_.fields:
        for start, stop in _runs(field.type, base + field.offset):
            if start > end:
                yield begin, end
                begin = start
            end = max(end, stop)
    yield begin, end


def lower_constant(frame: Frame, node: ir.Const) -> str:
    """A constant: of a struct a buffer with its bytes."""
    if isinstance(node.value, bytes) and not isinstance(node.type, AddressType):
        return constant_buffer(frame, node.value)
    return literal(node.value)
