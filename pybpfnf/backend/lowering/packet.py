"""Reading and writing packet headers: the IPv6 header, the search for the SRH, and its writable fields.

Each access goes through a pointer that was compared with data_end in the form that the verifier follows: `data + offset +
size > data_end`, on the very pointer that is then used.
"""

from __future__ import annotations

from pybpfnf.abi.headers import HEADERS, NEXT_HEADERS, ROUTING_TYPES, Field
from pybpfnf.backend.building.frame import CONTEXT, Frame
from pybpfnf.backend.building.linear import packet_memory
from pybpfnf.backend.building.pulling import can_pull, in_one_piece
from pybpfnf.backend.building.values import place_alignment
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import AddressType, IntType
from pybpfnf.errors import InternalError

_IPV6, _IPV4, _SRH = HEADERS["ipv6"], HEADERS["ipv4"], HEADERS["srh"]
_OPTIONS = (NEXT_HEADERS["hop_by_hop"], NEXT_HEADERS["destination_options"])
_MOST_HEADERS = 4  # extension headers looked at, the SRH included
_NO_SRH = "no SRH in the packet"
FARTHEST = 0x7FFF  # that the verifier follows when it is added to a packet pointer
REFUSED = "the kernel refused to change the SRH"

# The part of the SRH's fixed header that bpf_lwt_seg6_store_bytes writes: flags and tag (net/core/filter.c).
_WRITABLE = range(_SRH.fields["flags"].offset, _SRH.size)


def lower_header_read(frame: Frame, node: ir.HeaderRead) -> str:
    value = read_field(frame, header_view(frame, node.header.name), node.field, node.type)
    if (node.header.name, node.field.name) != (_SRH.name, "hdr_ext_len"):
        return value
    # What was appended counts too, whether or not the kernel has written it down by now.
    w = frame.writer
    units = w.op("lshr", "i64", w.load("i64", growth_slot(frame)), 3)
    return w.op("add", "i8", value, w.cast("trunc", "i64", units, "i8"))


def read_field(frame: Frame, header: str, field: Field, type_: object) -> str:
    """A field of the header at a pointer, as a host integer of `type_`."""
    w = frame.writer
    bits = field.storage * 8
    align = place_alignment(field.offset, field.storage)
    place = w.offset(header, field.offset)
    value = w.load(f"i{bits}", place, align)
    if isinstance(type_, AddressType):
        return value
    if not isinstance(type_, IntType) or bits not in (8, 16, 32, 64):
        raise InternalError(f"the field {field.name} read as {type_}")
    value = swap(frame, bits, value)
    if field.shift:
        value = w.op("lshr", f"i{bits}", value, field.shift)
    if field.shift + field.width < bits:
        value = w.op("and", f"i{bits}", value, (1 << field.width) - 1)
    if bits == type_.width:
        return value
    return w.cast("zext" if type_.width > bits else "trunc", f"i{bits}", value, f"i{type_.width}")


def swap(frame: Frame, bits: int, value: str) -> str:
    """Host to network byte order, or back."""
    return value if bits == 8 else frame.writer.value(f"call i{bits} @llvm.bswap.i{bits}(i{bits} {value})")


def store_srh_field(frame: Frame, node: ir.SetHeader) -> None:
    """A field of the SRH, by the kernel's helper for it."""
    field = node.field
    if node.header.name != _SRH.name or field.offset not in _WRITABLE or field.offset + field.storage > _WRITABLE.stop:
        raise InternalError(f"{node.header.name}.{field.name} cannot be written")
    w, bits = frame.writer, field.storage * 8
    value = frame.value(node.value)
    if field.width < bits:
        value = _merged(frame, field, value, node.value.type)
    offset = srh_offset(frame)
    buffer = frame.scratch("buffer", field.storage)
    w.store(f"i{bits}", swap(frame, bits, value), buffer, 8)
    store_bytes(frame, w.op("add", "i64", offset, field.offset), buffer, str(field.storage))


def _merged(frame: Frame, field: Field, value: str, type_: object) -> str:
    """The bit field's storage, in host order, with `value` put in its place."""
    w, bits = frame.writer, field.storage * 8
    if not isinstance(type_, IntType):
        raise InternalError(f"the bit field {field.name} written as {type_}")
    mask = ((1 << field.width) - 1) << field.shift
    place = w.offset(srh_view(frame), field.offset)
    others = swap(frame, bits, w.load(f"i{bits}", place, place_alignment(field.offset, field.storage)))
    if type_.width != bits:
        value = w.cast("zext" if type_.width < bits else "trunc", f"i{type_.width}", value, f"i{bits}")
    shifted = w.op("and", f"i{bits}", w.op("shl", f"i{bits}", value, field.shift), mask)
    return w.op("or", f"i{bits}", w.op("and", f"i{bits}", others, ~mask), shifted)


def store_bytes(frame: Frame, offset: str, buffer: str, size: str) -> None:
    """bpf_lwt_seg6_store_bytes at an i64 offset from the IPv6 header, with an i32 size; faults when the kernel refuses."""
    place = frame.writer.cast("trunc", "i64", offset, "i32")
    status = frame.call("lwt_seg6_store_bytes", f"ptr {CONTEXT}", f"i32 {place}", f"ptr {buffer}", f"i32 {size}")
    frame.fault_if(frame.writer.icmp("ne", "i64", status, 0), REFUSED)


def lower_has_header(frame: Frame, node: ir.HasHeader, yes: str, no: str) -> None:
    """Branch on whether the packet has the header. The pointers that are checked on the way stay checked where it has."""
    if node.header.name == _SRH.name:
        _lower_has_srh(frame, yes, no)
        return
    data, _ = packet_memory(frame)
    if node.header.name == _IPV4.name:
        leave_unless_there(frame, data, _IPV4.size, no)
        frame.packet = frame.packet.with_view(_IPV4.name, data)
        frame.branch(_is_version(frame, data, 4), yes, no)
        return
    _leave_unless_ipv6(frame, data, no)
    frame.jump(yes)


def _lower_has_srh(frame: Frame, yes: str, no: str) -> None:
    """Where it is there, and the function may pull, all of it lies in the first piece afterwards."""
    w, whole = frame.writer, frame.writer.label("whole_srh")
    with in_one_piece(frame):
        data, _ = packet_memory(frame)
        _leave_unless_ipv6(frame, data, no)
        _search_srh(frame, no)
        if can_pull(frame.function):
            srh = srh_view(frame)
            length = extension_length(frame, w.load("i8", w.offset(srh, _SRH.fields["hdr_ext_len"].offset)))
            leave_unless_there(frame, w.barrier("ptr", srh), length, whole)
    frame.place(whole)
    frame.jump(yes)


def _leave_unless_ipv6(frame: Frame, data: str, no: str) -> None:
    """Leave for the label unless the packet begins with an IPv6 header.

    The version is seen by the first byte's distance from the least byte of version 7, -16 to -1: one comparison, of a number that is
    not 0, and that neither LLVM nor the verifier knows afterwards (`pulling` needs one).
    """
    w, version = frame.writer, _IPV6.fields["version"]
    if not frame.packet.ipv6:
        leave_unless_there(frame, data, _IPV6.size, no)
        frame.packet = frame.packet.with_ipv6()
    if frame.packet.version is None:
        first = w.cast("zext", "i8", w.load("i8", data), "i32")
        distance = w.barrier("i32", w.op("sub", "i32", first, 7 << version.shift))
        frame.leave_if(w.icmp("ult", "i32", distance, -(1 << version.shift)), no)
        frame.packet = frame.packet.with_version(distance)


def _is_version(frame: Frame, data: str, version: int) -> str:
    w = frame.writer
    return w.icmp("eq", "i8", w.op("lshr", "i8", w.load("i8", data), _IPV6.fields["version"].shift), version)


# ------------------------------------------------------------------------------------------------------------- views


def header_view(frame: Frame, header: str) -> str:
    """A pointer to the header, its fixed part shown to be in the packet; faults where it is not."""
    match header:
        case "ipv4":
            return _ipv4_view(frame)
        case "ipv6":
            return _ipv6_view(frame)
        case "srh":
            return srh_view(frame)
    raise InternalError(f"no access to the header {header!r}")


def require(frame: Frame, pointer: str, size: int | str, message: str) -> None:
    """Fault unless `size` bytes from `pointer` are in the packet."""
    leave_unless_there(frame, pointer, size, frame.fault(message))


def leave_unless_there(frame: Frame, pointer: str, size: int | str, elsewhere: str) -> None:
    """Leave for a label unless `size` bytes from `pointer` are in the packet."""
    _, end = packet_memory(frame)
    beyond = frame.writer.offset(pointer, size)
    if frame.short is not None:
        elsewhere = frame.short.setdefault(elsewhere, frame.writer.label("short"))
    frame.leave_if(frame.writer.icmp("ugt", "ptr", beyond, end), elsewhere)


def pointer_at(frame: Frame, data: str, offset: str) -> str:
    """The packet's byte at an offset that is no constant, by a pointer that stays one value: LLVM would add again at each use, and
    the verifier would not know that the sums, one of them checked, are the same."""
    return frame.writer.barrier("ptr", frame.writer.offset(data, offset))


def _ipv6_view(frame: Frame) -> str:
    """The IPv6 header, all its 40 bytes proven to be there."""
    data, _ = packet_memory(frame)
    if not frame.packet.ipv6:
        require(frame, data, _IPV6.size, "no IPv6 header in the packet")
        frame.packet = frame.packet.with_ipv6()
    return data


def _ipv4_view(frame: Frame) -> str:
    """The IPv4 header, its first 20 bytes proven to be there."""
    data, _ = packet_memory(frame)
    if _IPV4.name not in frame.packet.views:
        require(frame, data, _IPV4.size, "no IPv4 header in the packet")
        frame.packet = frame.packet.with_view(_IPV4.name, data)
    return data


def srh_offset(frame: Frame) -> str:
    """The SRH's offset from the IPv6 header, an i64; faults where there is no SRH."""
    if not frame.packet.srh_found:
        _search_srh(frame, frame.fault(_NO_SRH))
    return frame.writer.load("i64", srh_slot(frame))


def growth_slot(frame: Frame) -> str:
    """How many bytes the SRH has grown by since its length byte was right: the kernel updates that byte only when it next
    validates the SRH (net/ipv6/seg6_local.c, seg6_bpf_has_valid_srh)."""
    return frame.register("srh_growth", "i64", "0")


def srh_view(frame: Frame) -> str:
    """The SRH with its 8 fixed bytes proven to be there."""
    if not frame.packet.srh_found:
        _search_srh(frame, frame.fault(_NO_SRH))
    if frame.packet.srh is None:
        data, _ = packet_memory(frame)
        srh = pointer_at(frame, data, srh_offset(frame))
        require(frame, srh, _SRH.size, _NO_SRH)
        frame.packet = frame.packet.with_srh(srh)
        return srh
    return frame.packet.srh


def srh_slot(frame: Frame) -> str:
    return frame.register("srh_offset", "i64", "0")


def _search_srh(frame: Frame, missing: str) -> None:
    """Walk from the IPv6 header past hop-by-hop and destination options; where there is no SRH, to the label `missing`.

    Offsets stay far below the 0x7fff that the verifier follows for packet pointers: 40 + 3 * 2048.
    """
    w = frame.writer
    data, _ = packet_memory(frame)
    first = w.offset(data, _IPV6.size)
    leave_unless_there(frame, first, _SRH.size, missing)
    frame.packet = frame.packet.with_ipv6()
    offset, header, kind, left = srh_slot(frame), w.slot("ptr"), w.slot("i32"), w.slot("i32")
    w.store("i64", _IPV6.size, offset)
    w.store("ptr", first, header)
    next_header = w.load("i8", w.offset(data, _IPV6.fields["next_header"].offset))
    first_kind = w.barrier("i32", w.cast("zext", "i8", next_header, "i32"))
    w.store("i32", first_kind, kind)
    if can_pull(frame.function):
        # Most packets there have no SRH: they are to be done before the loop is set up.
        known = [w.icmp("eq", "i32", first_kind, number) for number in (NEXT_HEADERS["routing"], *_OPTIONS)]
        frame.leave_if(w.negate(w.op("or", "i1", w.op("or", "i1", known[0], known[1]), known[2])), missing)
    w.store("i32", _MOST_HEADERS, left)
    again, option, found = w.label("header"), w.label("option"), w.label("srh")
    w.place(again)
    here = w.load("ptr", header)
    w.branch(w.icmp("eq", "i32", w.load("i32", kind), NEXT_HEADERS["routing"]), found, option)
    w.place(option)
    is_option = [w.icmp("eq", "i32", w.load("i32", kind), number) for number in _OPTIONS]
    frame.leave_if(w.negate(w.op("or", "i1", *is_option)), missing)
    # Read before the pointer goes on, which then needs no second register.
    w.store("i32", w.barrier("i32", w.cast("zext", "i8", w.load("i8", here), "i32")), kind)
    length = extension_length(frame, w.load("i8", w.offset(here, 1)))
    following = pointer_at(frame, here, length)
    w.store("i64", w.op("add", "i64", w.load("i64", offset), length), offset)
    w.store("ptr", following, header)
    leave_unless_there(frame, following, _SRH.size, missing)
    now_left = w.op("sub", "i32", w.barrier("i32", w.load("i32", left)), 1)
    w.store("i32", now_left, left)
    frame.loop_back_if(w.icmp("ne", "i32", now_left, 0), again, missing)
    w.place(found)
    srh = w.load("ptr", header)
    routing_type = w.load("i8", w.offset(srh, _SRH.fields["routing_type"].offset))
    frame.leave_if(w.icmp("ne", "i8", routing_type, ROUTING_TYPES["srh"]), missing)
    frame.packet = frame.packet.with_srh(srh)


def extension_length(frame: Frame, hdr_ext_len: str) -> str:
    """Bytes of an extension header with this length field (an i8), as an i64: it counts 8 bytes, less the first (RFC 8200 4)."""
    w = frame.writer
    units = w.op("add", "i64", w.cast("zext", "i8", hdr_ext_len, "i64"), 1)
    return w.op("shl", "i64", units, 3)
