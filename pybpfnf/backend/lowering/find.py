"""Finding a TLV in the SRH, reading its fields, writing them.

A TLV that was found is its offset from the IPv6 header, an i64; 0, where a header is, stands for None. An offset outlives
what takes pointers away (bpf_lwt_seg6_store_bytes does, though it moves nothing); each read makes the pointer again.
"""

from __future__ import annotations

from pybpfnf.abi.headers import HEADERS, MOST_TLVS
from pybpfnf.backend.building.frame import Frame
from pybpfnf.backend.building.known import local_of
from pybpfnf.backend.building.linear import packet_memory
from pybpfnf.backend.building.values import llvm_type
from pybpfnf.backend.lowering.append import MALFORMED, tlv_area
from pybpfnf.backend.lowering.arithmetic import resize
from pybpfnf.backend.lowering.memory import settled
from pybpfnf.backend.lowering.packet import require, store_bytes, swap
from pybpfnf.backend.lowering.wire import Image
from pybpfnf.dsl import ir
from pybpfnf.dsl.building.intervals import interval_of
from pybpfnf.dsl.types import AddressType, BoolType, IntType, ItemsType, OctetsType, TlvLayout, TlvViewType, Type
from pybpfnf.errors import InternalError

_TLV = HEADERS["tlv"]
_OUT_OF_RANGE = "index out of range"
_SIGN = 1 << 31
_FARTHEST = 0x7FFF  # that the verifier follows when it is added to a packet pointer


def lower_find_tlv(frame: Frame, node: ir.FindTlv) -> str:
    """Walk by a pointer and by the bytes that are left, as `append` does; the offset is a difference of pointers, which tells
    the verifier nothing of the way through the walk."""
    w, layout = frame.writer, node.type.inner
    assert isinstance(layout, TlvViewType)
    first, area, _ = tlv_area(frame)
    data, _ = packet_memory(frame)
    tlv, left, count, found, place = w.slot("ptr"), w.slot("i64"), w.slot("i64"), w.slot("i64"), w.slot("ptr")
    w.store("ptr", first, tlv)
    w.store("i64", area, left)
    w.store("i64", MOST_TLVS, count)
    w.store("i64", 0, found)
    w.store("ptr", data, place)
    again, other, done = (w.label(hint) for hint in ("tlv", "other", "walked"))
    w.place(again)
    remaining = w.load("i64", left)
    w.go_on_unless(w.icmp("sle", "i64", remaining, 0), done)
    here = w.load("ptr", tlv)
    require(frame, here, _TLV.size, MALFORMED)
    kind, length = w.load("i8", here), w.load("i8", w.offset(here, 1))
    if frame.walks_often:
        w.go_on_unless(w.icmp("ne", "i32", _differs(frame, layout.layout, kind, length), 0), other)
    else:  # sooner, but two ways at each TLV for the verifier, which other walks would multiply
        w.go_on_unless(w.icmp("ne", "i8", kind, layout.layout.number), other)
        w.go_on_unless(w.icmp("ne", "i32", _wrong_length(frame, layout.layout, length), 0), other)
    whole = layout.layout.size if layout.layout.trailing is None else _size(frame, length)
    frame.fault_if(w.icmp("slt", "i64", remaining, whole), MALFORMED)
    require(frame, here, whole, MALFORMED)  # nobody else has, of a packet on a route
    distance = w.op("sub", "i64", w.cast("ptrtoint", "ptr", here, "i64"), w.cast("ptrtoint", "ptr", data, "i64"))
    w.store("i64", settled(frame, w.barrier("i64", distance)), found)
    w.store("ptr", here, place)
    w.jump(done)

    w.place(other)
    size = _size(frame, length)
    w.store("ptr", w.offset(here, size), tlv)
    rest = w.op("sub", "i64", remaining, size)
    w.store("i64", rest, left)
    tries = w.op("sub", "i64", w.barrier("i64", w.load("i64", count)), 1)
    w.store("i64", tries, count)
    last = w.label("last")
    frame.loop_back_if(w.icmp("ne", "i64", tries, 0), again, last)
    w.place(last)
    frame.fault_if(w.icmp("sgt", "i64", rest, 0), f"more than {MOST_TLVS} TLVs in the SRH")
    w.place(done)
    value = w.load("i64", found)
    if layout.layout.trailing is None and not frame.walks_often:
        # Read where one was found alone. There the verifier knows of this very pointer what it was shown; where none was, it knows the
        # offset, and goes no further.
        frame.packet = frame.packet.with_view(value, w.load("ptr", place))
    return value


def _size(frame: Frame, length: str) -> str:
    """Bytes of a TLV with this length byte, an i64."""
    w = frame.writer
    return w.op("add", "i64", w.cast("zext", "i8", length, "i64"), _TLV.size)


def _differs(frame: Frame, layout: TlvLayout, kind: str, length: str) -> str:
    """An i32 of which only we know that it is 0 where type and length are the class's."""
    w = frame.writer
    wrong_type = w.cast("zext", "i8", w.op("xor", "i8", kind, layout.number), "i32")
    return w.barrier("i32", w.op("or", "i32", wrong_type, _wrong_length(frame, layout, length)))


def _wrong_length(frame: Frame, layout: TlvLayout, length: str) -> str:
    """An i32 of which only we know that it is 0 where the length is one of the class's: of a length that is compared itself the verifier
    knows the value on one way, and tells apart twice as many ways with each TLV."""
    w = frame.writer
    items = w.op("sub", "i32", w.cast("zext", "i8", length, "i32"), layout.lengths[0])
    if layout.trailing is None:
        return w.barrier("i32", items)
    # The bytes of the array: not less than none, no more than there may be, a whole number of items.
    most = w.op("sub", "i32", layout.lengths[-1] - layout.lengths[0], items)
    beyond = w.op("and", "i32", w.op("or", "i32", items, most), _SIGN)
    part = w.op("and", "i32", items, layout.trailing.item.size - 1)
    return w.barrier("i32", w.op("or", "i32", beyond, part))


def lower_next_tlv(frame: Frame, node: ir.NextTlv) -> str:
    w = frame.writer
    after = frame.value(node.after)
    _, area, end = tlv_area(frame)
    place, found = w.slot("i64"), w.slot("i64")
    w.store("i64", w.op("sub", "i64", end, area), place)
    w.store("i64", 0, found)
    further, there, done = (w.label(hint) for hint in ("further", "there", "done"))
    frame.branch(w.icmp("ne", "i64", after, 0), further, there)
    frame.place(further)
    length = w.load("i8", w.offset(tlv_pointer(frame, after, _TLV.size), 1), 1)
    w.store("i64", w.op("add", "i64", after, w.op("add", "i64", w.cast("zext", "i8", length, "i64"), _TLV.size)), place)
    frame.jump(there)
    frame.place(there)
    here = settled(frame, w.barrier("i64", w.load("i64", place)))
    left = w.op("sub", "i64", end, here)
    frame.leave_if(w.icmp("sle", "i64", left, 0), done)
    frame.fault_if(w.icmp("ugt", "i64", here, _FARTHEST), MALFORMED)
    data, _ = packet_memory(frame)
    tlv = w.barrier("ptr", w.offset(data, here))
    require(frame, tlv, _TLV.size, MALFORMED)
    size = w.op("add", "i64", w.cast("zext", "i8", w.load("i8", w.offset(tlv, 1)), "i64"), _TLV.size)
    frame.fault_if(w.icmp("slt", "i64", left, size), MALFORMED)
    require(frame, tlv, size, MALFORMED)
    w.store("i64", here, found)
    frame.place(done)
    return settled(frame, w.barrier("i64", w.load("i64", found)))


def lower_is_tlv(frame: Frame, node: ir.IsTlv) -> str:
    w = frame.writer
    tlv = tlv_pointer(frame, frame.value(node.tlv), _TLV.size)
    return w.icmp("eq", "i32", _differs(frame, node.layout, w.load("i8", tlv), w.load("i8", w.offset(tlv, 1))), 0)


def lower_tlv_as(frame: Frame, node: ir.TlvAs) -> str:
    return frame.value(node.tlv)


def lower_tlv_read(frame: Frame, node: ir.TlvRead) -> str:
    """The value; of raw bytes the pointer to them, which moves with the packet."""
    w = frame.writer
    return _load(frame, w.offset(_fixed_part(frame, node.base), node.field.offset), node.type)


def lower_tlv_item(frame: Frame, node: ir.TlvItem) -> str:
    return _load(frame, tlv_pointer(frame, _item_offset(frame, node), node.type.size), node.type)


def _load(frame: Frame, place: str, type_: Type) -> str:
    w = frame.writer
    match type_:
        case IntType(width=width):
            return swap(frame, width, w.load(f"i{width}", place, 1))
        case AddressType():
            return w.load(llvm_type(type_), place, 1)
        case BoolType():
            return w.icmp("ne", "i8", w.load("i8", place), 0)
        case OctetsType():
            return place
    raise InternalError(f"a field of type {type_} in a TLV")


def _field_offset(frame: Frame, node: ir.TlvPlace) -> str:
    """From the IPv6 header, an i64."""
    return frame.writer.op("add", "i64", frame.value(node.base), node.field.offset)


def _item_offset(frame: Frame, node: ir.TlvItem) -> str:
    """From the IPv6 header; faults where the index is out of range, unless it is proven not to be."""
    w, start, type_ = frame.writer, _field_offset(frame, node), node.index.type
    assert isinstance(type_, IntType)
    index = resize(frame, frame.value(node.index), type_, IntType("", 64, type_.signed))
    if not node.in_range:
        index = _in_range(frame, node, index)
    return w.op("add", "i64", start, w.op("mul", "i64", index, node.type.size))


def _in_range(frame: Frame, node: ir.TlvItem, index: str) -> str:
    w, values = frame.writer, interval_of(node.index)
    if isinstance(node.field.type, ItemsType) and node.field.type.trailing:
        count = w.cast("zext", "i8", item_count(frame, node), "i64")
    else:
        count = str(node.field.size // node.type.size)
        if 0 <= values.low <= values.high < int(count):
            return index
    index = w.barrier("i64", index)
    frame.fault_if(w.icmp("uge", "i64", index, count), _OUT_OF_RANGE)
    return index


def lower_tlv_length(frame: Frame, node: ir.TlvLength) -> str:
    return item_count(frame, node)


def item_count(frame: Frame, node: ir.TlvLength | ir.TlvItem) -> str:
    """How many items a trailing array has, an i8: the search has seen that they are whole, and no more than there may be."""
    w, items = frame.writer, node.field.type
    assert isinstance(items, ItemsType)
    length = w.load("i8", w.offset(_fixed_part(frame, node.base), 1), 1)
    return w.op("udiv", "i8", w.op("sub", "i8", length, node.field.offset - _TLV.size), items.item.size)


def _fixed_part(frame: Frame, base: ir.Expr) -> str:
    """A pointer to a TLV, its bytes before a trailing array shown to the verifier: once, as long as the packet stays where it is."""
    local, type_ = local_of(base), base.type
    assert isinstance(type_, TlvViewType)
    known = None if local is None else frame.packet.views.get(local)
    if known is None:
        known = tlv_pointer(frame, frame.value(base), type_.layout.size)
        if local is not None:
            frame.packet = frame.packet.with_view(local, known)
    return known


def tlv_pointer(frame: Frame, offset: str, size: int) -> str:
    """Bytes of a TLV, shown to the verifier once more; the walk has found them in the packet, so nothing fails here."""
    w = frame.writer
    data, end = packet_memory(frame)
    never = frame.never()
    bounded = w.barrier("i64", offset)
    w.go_on_unless(w.icmp("ugt", "i64", bounded, _FARTHEST), never)
    place = w.offset(data, bounded)
    w.go_on_unless(w.icmp("ugt", "ptr", w.offset(place, size), end), never)
    return place


def lower_set_tlv(frame: Frame, node: ir.SetTlv) -> None:
    """Write one field or item through the helper, the only way to write an SRH."""
    place, type_ = node.place, node.value.type
    assert isinstance(type_, IntType | AddressType | BoolType | OctetsType)
    image = Image(bytearray(type_.size))
    image.put(frame, 0, type_.size, node.value, [node.place])
    offset = _item_offset(frame, place) if isinstance(place, ir.TlvItem) else _field_offset(frame, place)
    buffer = frame.scratch("buffer", type_.size)
    image.write(frame, buffer)
    store_bytes(frame, offset, buffer, str(type_.size))
