"""Finding the upper-layer header: past IPv6 extension headers (RFC 8200 section 4), or IPv4's options."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, final

from pybpfnf.abi.headers import HEADERS, NEXT_HEADERS
from pybpfnf.backend.building.frame import Frame
from pybpfnf.backend.building.linear import packet_memory
from pybpfnf.backend.building.pulling import can_pull, in_one_piece
from pybpfnf.backend.lowering.memory import forgotten
from pybpfnf.backend.lowering.packet import growth_slot, pointer_at, require, srh_slot
from pybpfnf.backend.lowering.view import NONE, PAST_THE_END
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import HeaderType, PacketViewType
from pybpfnf.errors import InternalError
from pybpfnf.records import dataclass

_IPV6, _IPV4 = HEADERS["ipv6"], HEADERS["ipv4"]
_MOST_HEADERS = 8
_SHORTEST = 8  # bytes of an extension header
_FRAGMENT, _AUTHENTICATION = NEXT_HEADERS["fragment"], NEXT_HEADERS["ah"]
_EXTENSIONS = sum(1 << NEXT_HEADERS[name] for name in ("hop_by_hop", "routing", "fragment", "ah", "destination_options"))
_OFFSET_OF_FRAGMENT = 0xFFF8  # in the fragment header's third and fourth byte
_NO_IP = "no IP header in the packet"
Look: TypeAlias = Callable[[str, str], None]
"""Is given the pointer to a header, its first 8 bytes in the packet, and its number, an i64. To emit no branch."""
TOO_MANY = f"more than {_MOST_HEADERS} extension headers in the packet"


def lower_find_header(frame: Frame, node: ir.FindHeader) -> str:
    view = node.type.inner
    if not isinstance(view, PacketViewType) or not isinstance(view.of, HeaderType):
        raise InternalError(f"a search for {node.type}")
    w = frame.writer
    offset, number, found = w.slot("i64"), w.slot("i32"), w.slot("i64")
    w.store("i64", NONE, found)
    growth = _growth(frame)
    other, upper, done = (w.label(hint) for hint in ("ipv4", "upper", "sought"))
    with in_one_piece(frame):
        data, _ = packet_memory(frame)
        require(frame, data, _IPV4.size, _NO_IP)
        version = w.op("lshr", "i8", w.load("i8", data), _IPV4.fields["version"].shift)
        frame.leave_if(w.icmp("ne", "i8", w.barrier("i8", version), 6), other)
        walk_ipv6(frame, data, growth, offset, number, upper, done)
        frame.place(other)
        frame.fault_if(w.icmp("ne", "i8", w.barrier("i8", version), 4), _NO_IP)
        begin_ipv4(frame, data, offset, number, done)
        frame.jump(upper)
        frame.place(upper)
        frame.leave_if(w.icmp("ne", "i32", w.load("i32", number), str(view.of.number)), done)
        data, _ = packet_memory(frame)
        place = w.load("i64", offset)
        require(frame, pointer_at(frame, data, place), view.of.size, PAST_THE_END)
        # Else the verifier would follow each number of headers, before and after a pull, through all that comes.
        w.store("i64", forgotten(frame, place) if can_pull(frame.function) else place, found)
    frame.place(done)
    return w.load("i64", found)


def walk_ipv6(
    frame: Frame, data: str, growth: Growth | None, offset: str, number: str, upper: str, missing: str, look: Look | None = None
) -> None:
    """To `upper` with the upper layer's number and offset; to `missing` in a fragment that is not the first. `look` sees each header
    on the way.

    No branch but those that leave: the verifier follows each way through the iterations by itself. The offset stays far below
    the 0x7fff that it follows: 40 + 8 * 2048.
    """
    w = frame.writer
    require(frame, data, _IPV6.size, _NO_IP)
    w.store("i64", _IPV6.size, offset)
    w.store("i32", _number(frame, w.offset(data, _IPV6.fields["next_header"].offset)), number)
    left = w.slot("i64")
    w.store("i64", _MOST_HEADERS + 1, left)
    again = w.label("extension")
    w.place(again)
    kind = w.load("i32", number)
    wide = w.cast("zext", "i32", kind, "i64")
    known = w.op("lshr", "i64", _EXTENSIONS, w.op("and", "i64", wide, 63))
    is_extension = w.op("and", "i64", w.op("and", "i64", known, zero_mask(frame, w.op("lshr", "i64", wide, 6))), 1)
    frame.leave_if(w.icmp("eq", "i64", w.barrier("i64", is_extension), 0), upper)
    tries = w.op("sub", "i64", w.barrier("i64", w.load("i64", left)), 1)
    w.store("i64", tries, left)
    frame.fault_if(w.icmp("eq", "i64", tries, 0), TOO_MANY)
    here = pointer_at(frame, data, w.load("i64", offset))
    require(frame, here, _SHORTEST, PAST_THE_END)
    is_fragment = zero_mask(frame, w.op("xor", "i64", wide, _FRAGMENT))
    place = w.cast("zext", "i16", _swapped(frame, w.load("i16", w.offset(here, 2), 1)), "i64")
    later = w.op("and", "i64", w.op("and", "i64", place, _OFFSET_OF_FRAGMENT), is_fragment)
    frame.leave_if(w.icmp("ne", "i64", w.barrier("i64", later), 0), missing)
    if look is not None:
        look(here, wide)
    units = _units(frame, here, growth, w.load("i64", offset))
    w.store("i64", w.op("add", "i64", w.load("i64", offset), _length(frame, units, wide, is_fragment)), offset)
    w.store("i32", _number(frame, here), number)
    frame.loop_back(again)


@final
@dataclass(frozen=True, slots=True)
class Growth:
    """The SRH's offset, and by how many units of 8 bytes it has grown since the kernel last wrote its length byte; i64 both."""

    place: str
    units: str


def _growth(frame: Frame) -> Growth | None:
    """None where no TLV is put in or taken out. The verifier would follow the walk for each way through what has done so."""
    if not frame.grows:
        return None
    w = frame.writer
    place = forgotten(frame, w.load("i64", srh_slot(frame)))
    units = forgotten(frame, w.op("lshr", "i64", w.load("i64", growth_slot(frame)), 3))
    return Growth(place, units)


def _units(frame: Frame, here: str, growth: Growth | None, offset: str) -> str:
    """The header's length byte, an i64; of the SRH what it is going to be, when the kernel writes it."""
    w = frame.writer
    units = w.cast("zext", "i8", w.load("i8", w.offset(here, 1)), "i64")
    if growth is None:
        return units
    grown = w.op("and", "i64", growth.units, zero_mask(frame, w.op("xor", "i64", offset, growth.place)))
    return w.op("and", "i64", w.op("add", "i64", units, grown), 0xFF)


def _length(frame: Frame, units: str, kind: str, is_fragment: str) -> str:
    """Bytes of an extension header: its second byte counts 8, without the first 8; a fragment header has 8 (RFC 8200 section 4.5);
    an authentication header counts 4, without the first 8 (RFC 4302 section 2.2). Sums alone, so that the verifier sees a bound."""
    w = frame.writer
    counted = w.op("and", "i64", units, w.op("xor", "i64", is_fragment, -1))
    is_authentication = zero_mask(frame, w.op("xor", "i64", kind, _AUTHENTICATION))
    half = w.op("shl", "i64", counted, 2)
    other_half = w.op("and", "i64", half, w.op("xor", "i64", is_authentication, -1))
    return w.op("add", "i64", w.op("add", "i64", half, other_half), _SHORTEST)


def begin_ipv4(frame: Frame, data: str, offset: str, number: str, missing: str) -> None:
    """The header's length counts 4 bytes, and at least 5 (RFC 791 section 3.1)."""
    w = frame.writer
    place = _swapped(frame, w.load("i16", w.offset(data, _IPV4.fields["fragment_offset"].offset), 1))
    later = w.op("and", "i16", place, (1 << _IPV4.fields["fragment_offset"].width) - 1)
    frame.leave_if(w.icmp("ne", "i16", later, 0), missing)
    words = w.op("and", "i64", w.cast("zext", "i8", w.load("i8", data), "i64"), 0xF)
    length = w.barrier("i64", w.op("shl", "i64", words, 2))
    frame.fault_if(w.icmp("ult", "i64", length, _IPV4.size), _NO_IP)
    w.store("i64", length, offset)
    w.store("i32", _number(frame, w.offset(data, _IPV4.fields["protocol"].offset)), number)


def _number(frame: Frame, place: str) -> str:
    w = frame.writer
    return w.barrier("i32", w.cast("zext", "i8", w.load("i8", place), "i32"))


def _swapped(frame: Frame, value: str) -> str:
    return frame.writer.value(f"call i16 @llvm.bswap.i16(i16 {value})")


def zero_mask(frame: Frame, value: str) -> str:
    """All ones where an i64 below 2**63 is zero, else zero; without a branch, which LLVM would make of a comparison."""
    w = frame.writer
    return w.op("ashr", "i64", w.op("sub", "i64", w.barrier("i64", value), 1), 63)
