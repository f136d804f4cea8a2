"""Writing the packet itself, which lwt_xmit may: fields of views and of its headers, with the checksums that follow them.

What can fail is looked at before anything is written: such a fault exit leaves the packet as it was.
"""

from __future__ import annotations

from typing import final

from pybpfnf.abi.checksums import CHECKSUM_SIZE, CHECKSUMS
from pybpfnf.abi.headers import HEADERS, NEXT_HEADERS
from pybpfnf.abi.programs import PacketRights
from pybpfnf.backend.building.frame import Frame
from pybpfnf.backend.building.values import llvm_type
from pybpfnf.backend.lowering.checksum import difference, mend_for_address, mend_here, mend_upper, sum_before
from pybpfnf.backend.lowering.packet import header_view, store_srh_field
from pybpfnf.backend.lowering.structs import place_of
from pybpfnf.backend.lowering.upper import find_checksum
from pybpfnf.backend.lowering.view import (
    PAST_THE_END,
    field_of,
    item_offset,
    items_of,
    load_big_endian,
    place_pointer,
    shown,
    view_at,
    word_chunks,
)
from pybpfnf.dsl import ir
from pybpfnf.dsl.passes.checksums import Covered, checksum_over, place_size
from pybpfnf.dsl.types import AddressType, BoolType, HeaderType, IntType, OctetsType, PacketViewType, Type, WireField
from pybpfnf.errors import InternalError
from pybpfnf.records import dataclass

_WORD = 8
_IPV4 = HEADERS["ipv4"]
_IPV4_CHECKSUM = CHECKSUMS[NEXT_HEADERS["ipv4"]]
_ADDRESSES = ("source", "destination")


@final
@dataclass(frozen=True, slots=True)
class _New:
    """What is to be written: an LLVM value; or octets, a pointer to them with its alignment."""

    type: Type
    value: str
    alignment: int = 0


def lower_set_wire(frame: Frame, node: ir.SetWire) -> None:
    type_ = node.place.type
    # Python evaluates the right side first.
    new = _New(type_, *place_of(frame, node.value)) if isinstance(type_, OctetsType) else _New(type_, frame.value(node.value))
    covered = checksum_over(node.place)
    if covered is None:
        _write(frame, place_pointer(frame, node.place), field_of(node.place), new)
    else:
        _write_covered(frame, node.place, covered, new)
    frame.packet = frame.packet.written()


def _write_covered(frame: Frame, place: ir.WirePlace, covered: Covered, new: _New) -> None:
    """A place in a header that has a checksum, which follows."""
    w, row = frame.writer, covered.row
    offset = _offset_in(frame, place, covered.header)  # before any pointer: what it is worked out from may be in the packet
    header, pointer = view_at(frame, covered.header)
    checksum = w.offset(pointer, row.offset)
    if row.offset + CHECKSUM_SIZE > _size(covered.header):  # the class is a part of the header
        _, checksum = shown(frame, w.op("add", "i64", header, row.offset), CHECKSUM_SIZE, lambda: frame.fault(PAST_THE_END))
    if isinstance(offset, int):
        target = w.offset(pointer, offset)
    else:
        _, target = shown(frame, w.op("add", "i64", header, offset), place_size(place), frame.never)
    before = sum_before(frame, target, place_size(place))
    _write(frame, target, field_of(place), new)
    changed = difference(frame, before, offset)
    if row.covers is None:
        mend_upper(frame, row, header, changed)
    else:
        mend_here(frame, checksum, changed)


def _size(header: ir.Expr) -> int:
    if not isinstance(header.type, PacketViewType) or not isinstance(header.type.of, HeaderType):
        raise InternalError(f"a checksum in a {header.type}")
    return header.type.of.size


def _offset_in(frame: Frame, node: ir.Expr, header: ir.Expr) -> int | str:
    """Where a place begins in the header that it is a part of: a number, or an i64."""
    if node is header:
        return 0
    match node:
        case ir.WireRead(base, field):
            before, step = _offset_in(frame, base, header), field.offset  # type: int | str, int | str
        case ir.WireItem(base, index):
            item, count = items_of(base)
            before, step = _offset_in(frame, base, header), item_offset(frame, index, item.size, count)
        case _:
            raise InternalError("a place that is not in its header")
    if isinstance(before, int) and isinstance(step, int):
        return before + step
    return frame.writer.op("add", "i64", before, step)


# ------------------------------------------------------------------------------------------------ the packet's headers


def lower_set_header(frame: Frame, node: ir.SetHeader) -> None:
    if frame.function.hook.packet is PacketRights.READ_WRITE:
        _set_where_it_lies(frame, node)
    else:
        store_srh_field(frame, node)


def _set_where_it_lies(frame: Frame, node: ir.SetHeader) -> None:
    """A field of the IP header or the SRH. IPv4's own checksum follows, and with an address that of the upper layer."""
    w, field = frame.writer, node.field
    value = frame.value(node.value)
    is_ip = node.header.name != HEADERS["srh"].name
    upper = find_checksum(frame, node.header, field.name) if is_ip and field.name in _ADDRESSES else None
    header = header_view(frame, node.header.name)
    place = w.offset(header, field.offset)
    before = sum_before(frame, place, field.storage)
    bits = field.width if field.width < field.storage * 8 else 0
    if not isinstance(node.value.type, IntType | AddressType):
        raise InternalError(f"{node.header.name}.{field.name} written as {node.value.type}")
    wire = WireField(field.name, field.offset, node.value.type, field.storage, bits, field.shift)
    _write(frame, place, wire, _New(node.value.type, value))
    changed = difference(frame, before, field.offset)
    frame.packet = frame.packet.written()
    if node.header.name == _IPV4.name:
        mend_here(frame, w.offset(header, _IPV4_CHECKSUM.offset), changed)
    if upper is None:
        return
    done = w.label("mended")
    frame.leave_if(w.icmp("slt", "i64", w.load("i64", upper.place), 0), done)
    mend_for_address(frame, w.load("i64", upper.place), w.load("i64", upper.optional), changed)
    frame.place(done)


# -------------------------------------------------------------------------------------------------------------- bytes


def _write(frame: Frame, pointer: str, field: WireField, new: _New) -> None:
    w = frame.writer
    match new.type:
        case OctetsType(size):
            _copy_in(frame, new, pointer, size)
        case IntType(width=width):
            _write_integer(frame, pointer, field, new.value, width)
        case BoolType():
            w.store("i8", w.cast("zext", "i1", new.value, "i8"), pointer)
        case AddressType():
            w.store(llvm_type(new.type), new.value, pointer, 1)
        case _:
            raise InternalError(f"a field of type {new.type} in a header")


def _copy_in(frame: Frame, new: _New, pointer: str, size: int) -> None:
    w, step = frame.writer, min(new.alignment, _WORD)
    for start, width in (part for chunk in word_chunks(size) for part in _split(*chunk, step)):
        value = w.load(f"i{width * 8}", w.offset(new.value, start), width)
        w.store(f"i{width * 8}", value, w.offset(pointer, start), 1)


def _split(start: int, width: int, step: int) -> list[tuple[int, int]]:
    narrow = min(width, step)
    return [(at, narrow) for at in range(start, start + width, narrow)]


def _write_integer(frame: Frame, pointer: str, field: WireField, value: str, width: int) -> None:
    w, bits = frame.writer, field.size * 8
    wide = 1 << (bits - 1).bit_length()
    if width != wide:
        value = w.cast("zext" if width < wide else "trunc", f"i{width}", value, f"i{wide}")
    if field.bits:
        mask = ((1 << field.bits) - 1) << field.shift
        others, _ = load_big_endian(frame, pointer, field.size)
        shifted = w.op("and", f"i{wide}", w.op("shl", f"i{wide}", value, field.shift), mask)
        value = w.op("or", f"i{wide}", w.op("and", f"i{wide}", others, ~mask), shifted)
    if wide != bits:
        value = w.op("shl", f"i{wide}", value, wide - bits)
    if wide > 8:
        value = w.value(f"call i{wide} @llvm.bswap.i{wide}(i{wide} {value})")
    if wide != bits:
        value = w.cast("trunc", f"i{wide}", value, f"i{bits}")
    w.store(f"i{bits}", value, pointer, 1)
