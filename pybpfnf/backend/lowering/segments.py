"""The segment list: how long it is, and its elements."""

from __future__ import annotations

from pybpfnf.abi.headers import HEADERS, SEGMENT_SIZE
from pybpfnf.backend.building.frame import Frame
from pybpfnf.backend.building.values import place_alignment
from pybpfnf.backend.lowering.arithmetic import resize
from pybpfnf.backend.lowering.packet import require, srh_view
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import IntType
from pybpfnf.errors import InternalError

_SRH = HEADERS["srh"]
_TOO_MANY = "the segments run past the SRH's end"
_OUT_OF_RANGE = "index out of range"
_LARGEST_INDEX = 127  # the header's length has room for no more segments
_UNITS = SEGMENT_SIZE // 8  # of the header's length, for a segment


def lower_segment_count(frame: Frame, node: ir.SegmentCount) -> str:
    w = frame.writer
    return w.cast("trunc", "i64", _count(frame), "i8")


def lower_segment_read(frame: Frame, node: ir.SegmentRead) -> str:
    w, type_ = frame.writer, node.index.type
    if not isinstance(type_, IntType):
        raise InternalError(f"an index of type {type_}")
    index = resize(frame, frame.value(node.index), type_, IntType("", 64, type_.signed))
    if not node.in_range:
        index = w.barrier("i64", index)
        frame.fault_if(w.icmp("uge", "i64", index, _count(frame)), _OUT_OF_RANGE)
        # A verifier before Linux 6.8 learns nothing from a comparison with what is no constant.
        index = w.op("and", "i64", w.barrier("i64", index), _LARGEST_INDEX)
    offset = w.op("mul", "i64", index, SEGMENT_SIZE)
    # One value: the verifier knows only the very pointer that was compared.
    segment = w.barrier("ptr", w.offset(w.offset(srh_view(frame), offset), _SRH.size))
    require(frame, segment, SEGMENT_SIZE, _TOO_MANY)
    return w.load("i128", segment, place_alignment(_SRH.size, SEGMENT_SIZE))


def _count(frame: Frame) -> str:
    """An i64 that the verifier knows to be at most 127; faults where the header's length has not room for so many (RFC 8754 section 2)."""
    w, srh = frame.writer, srh_view(frame)
    # Volatile, as for the TLVs: what the function has compared the field with would else stand in its place, unbounded.
    last_entry, length = (
        w.cast("zext", "i8", w.load("i8", w.offset(srh, _SRH.fields[name].offset), 1, volatile=True), "i64")
        for name in ("last_entry", "hdr_ext_len")
    )
    count = w.barrier("i64", w.op("add", "i64", last_entry, 1))
    frame.fault_if(w.icmp("ugt", "i64", count, w.op("udiv", "i64", length, _UNITS)), _TOO_MANY)
    return count
