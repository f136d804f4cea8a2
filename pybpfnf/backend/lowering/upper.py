"""The checksum of the upper layer, which has the packet's addresses in its pseudo-header (RFC 8200 section 8.1, RFC 9293 section 3.1)."""

from __future__ import annotations

from typing import final

from pybpfnf.abi.checksums import CHECKSUM_SIZE, CHECKSUMS
from pybpfnf.abi.headers import HEADERS, NEXT_HEADERS, Header
from pybpfnf.backend.building.frame import Frame
from pybpfnf.backend.building.linear import packet_memory
from pybpfnf.backend.building.pulling import in_one_piece
from pybpfnf.backend.lowering.find_header import Look, begin_ipv4, walk_ipv6, zero_mask
from pybpfnf.backend.lowering.memory import forgotten
from pybpfnf.backend.lowering.packet import header_view, pointer_at, require
from pybpfnf.backend.lowering.view import PAST_THE_END
from pybpfnf.records import dataclass

_NONE = -1
_ROUTING = NEXT_HEADERS["routing"]
_SEGMENTS_LEFT = HEADERS["srh"].fields["segments_left"].offset  # of any routing header (RFC 8200 section 4.4)


@final
@dataclass(frozen=True, slots=True)
class UpperChecksum:
    """Slots of i64: `place`, the checksum's offset, below zero where there is none; `optional`: 1 where zero stands for none."""

    place: str
    optional: str


def find_checksum(frame: Frame, header: Header, field: str) -> UpperChecksum:
    """The checksum that is taken over this address of the packet, its bytes shown to be in the packet. Faults as `pkt.find` does.

    None in a fragment that is not the first; and none for the destination while a routing header has segments left: its last one
    is in the pseudo-header then.
    """
    w = frame.writer
    found = UpperChecksum(w.slot("i64"), w.slot("i64"))
    offset, number, left = w.slot("i64"), w.slot("i32"), w.slot("i64")
    for slot, value in ((found.place, _NONE), (found.optional, 0), (left, 0)):
        w.store("i64", value, slot)
    upper, done = w.label("upper"), w.label("sought")
    with in_one_piece(frame):
        data = header_view(frame, header.name)
        if header.name == HEADERS["ipv4"].name:
            begin_ipv4(frame, data, offset, number, done)
            frame.jump(upper)
        else:
            look = _looking_for_segments(frame, left) if field == "destination" else None
            walk_ipv6(frame, data, None, offset, number, upper, done, look)
        frame.place(upper)
        _take(frame, found, w.load("i64", offset), w.cast("zext", "i32", w.load("i32", number), "i64"), w.load("i64", left), done)
    frame.place(done)
    return found


def _looking_for_segments(frame: Frame, left: str) -> Look:
    """Adds the segments that routing headers have left to the slot."""
    w = frame.writer

    def look(here: str, number: str) -> None:
        segments = w.cast("zext", "i8", w.load("i8", w.offset(here, _SEGMENTS_LEFT)), "i64")
        of_routing = w.op("and", "i64", segments, zero_mask(frame, w.op("xor", "i64", number, _ROUTING)))
        w.store("i64", w.op("or", "i64", w.load("i64", left), of_routing), left)

    return look


def _take(frame: Frame, found: UpperChecksum, offset: str, number: str, left: str, missing: str) -> None:
    """Fill the slots where the upper layer has such a checksum. Its place is summed up without a branch, and then forgotten: the
    verifier would follow each way here, each with another offset, through all that comes."""
    w = frame.writer
    is_one, within, optional = "0", "0", "0"  # masks and numbers, i64
    for row in (row for row in CHECKSUMS.values() if row.addresses):
        is_this = zero_mask(frame, w.op("xor", "i64", number, row.number))
        is_one = w.op("or", "i64", is_one, is_this)
        within = w.op("or", "i64", within, w.op("and", "i64", is_this, row.offset))
        optional = w.op("or", "i64", optional, w.op("and", "i64", is_this, int(row.optional)))
    is_one = w.op("and", "i64", is_one, zero_mask(frame, left))
    frame.leave_if(w.icmp("eq", "i64", w.barrier("i64", is_one), 0), missing)
    # Kept from LLVM, which would leave the mask out: of an `or` of two unknown numbers a verifier before Linux 6.10 knows nothing.
    place = w.op("add", "i64", offset, w.op("and", "i64", w.barrier("i64", within), 31))
    data, _ = packet_memory(frame)
    require(frame, pointer_at(frame, data, place), CHECKSUM_SIZE, PAST_THE_END)
    w.store("i64", forgotten(frame, place), found.place)
    w.store("i64", forgotten(frame, optional), found.optional)
