"""Appending a TLV to the SRH: where it goes, how the padding changes, and the two helper calls.

    segments | A | B | PadN | HMAC        becomes        segments | A | B | NEW | PadN' | HMAC

Padding before the HMAC TLV, or at the end where there is none, is replaced: `PadN'` makes the SRH a multiple of 8 bytes
again (RFC 8754 section 2.1). There is no padding of one byte: Linux does not know Pad1, and PadN has two.
"""

from __future__ import annotations

from pybpfnf.abi.headers import HEADERS, SEGMENT_SIZE, SRH_TLVS
from pybpfnf.backend.frame import CONTEXT, Frame
from pybpfnf.backend.lower_packet import REFUSED, extension_length, packet_memory, require, srh_offset, srh_view, store_bytes
from pybpfnf.backend.wire import Image
from pybpfnf.dsl import ir

_SRH, _TLV = HEADERS["srh"], HEADERS["tlv"]
_UNIT = 8
_LONGEST_PADDING = _UNIT + 1  # in place of 1, which PadN cannot be
_MALFORMED = "the SRH's TLVs run past its end"
MOST_TLVS = 32  # that the walk looks at


def lower_append_tlv(frame: Frame, node: ir.AppendTlv) -> None:
    w = frame.writer
    size = node.tlv.layout.size
    image = Image(bytearray(size + _LONGEST_PADDING))
    image.put_tlv(frame, 0, node.tlv)
    image.constant[size] = SRH_TLVS["padn"]

    place, old_padding = _walk(frame)
    padding = _padding(frame, old_padding, size)
    total = w.op("add", "i64", padding, size)
    growth = w.op("sub", "i64", total, old_padding)
    _adjust_srh(frame, place, growth)

    buffer = frame.scratch("buffer", len(image))
    image.write(frame, buffer)
    length = w.cast("trunc", "i64", w.op("sub", "i64", padding, _TLV.size), "i8")
    w.store("i8", length, w.offset(buffer, size + 1), 1)
    store_bytes(frame, place, buffer, w.cast("trunc", "i64", total, "i32"))
    slot = growth_slot(frame)
    w.store("i64", w.op("add", "i64", w.load("i64", slot), growth), slot)


def growth_slot(frame: Frame) -> str:
    """How many bytes the SRH has grown by since its length byte was right: the kernel updates that byte only when it next
    validates the SRH (net/ipv6/seg6_local.c, seg6_bpf_has_valid_srh)."""
    return frame.register("srh_growth", "i64", "0")


def _walk(frame: Frame) -> tuple[str, str]:
    """Walk over the TLVs up to the HMAC or the end; gives the offset of the padding there, and how long it is (i64s)."""
    w = frame.writer
    srh = srh_view(frame)
    offset = srh_offset(frame)
    data, _ = packet_memory(frame)
    last_entry = w.load("i8", w.offset(srh, _SRH.fields["last_entry"].offset))
    segments = w.op("mul", "i64", w.cast("zext", "i8", last_entry, "i64"), SEGMENT_SIZE)
    first = w.op("add", "i64", w.op("add", "i64", offset, segments), _SRH.size + SEGMENT_SIZE)
    length = extension_length(frame, w.load("i8", w.offset(srh, _SRH.fields["hdr_ext_len"].offset)))
    grown = w.op("add", "i64", length, w.load("i64", growth_slot(frame)))
    srh_end = w.op("add", "i64", offset, grown)

    here, padding, count = (w.slot("i64") for _ in range(3))
    w.store("i64", first, here)
    w.store("i64", first, padding)
    w.store("i64", MOST_TLVS + 1, count)
    again, other, following, done = (w.label(hint) for hint in ("tlv", "other", "next", "walked"))
    w.place(again)
    left = w.op("sub", "i64", w.barrier("i64", w.load("i64", count)), 1)
    w.store("i64", left, count)
    cursor = w.load("i64", here)
    w.go_on_unless(w.icmp("uge", "i64", cursor, srh_end), done)
    frame.fault_if(w.icmp("eq", "i64", left, 0), f"more than {MOST_TLVS} TLVs in the SRH")
    tlv = w.offset(data, cursor)
    require(frame, tlv, _TLV.size, _MALFORMED)
    kind = w.load("i8", tlv)
    w.go_on_unless(w.icmp("eq", "i8", kind, SRH_TLVS["hmac"]), done)
    value_size = w.cast("zext", "i8", w.load("i8", w.offset(tlv, 1)), "i64")
    end = w.op("add", "i64", w.op("add", "i64", cursor, value_size), _TLV.size)
    w.store("i64", end, here)
    w.branch(w.icmp("eq", "i8", kind, SRH_TLVS["padn"]), following, other)
    w.place(other)
    w.store("i64", end, padding)
    w.place(following)
    frame.loop_back(again)

    w.place(done)
    stop = w.load("i64", here)
    frame.fault_if(w.icmp("ugt", "i64", stop, srh_end), _MALFORMED)
    start = w.load("i64", padding)
    return start, w.op("sub", "i64", stop, start)


def _padding(frame: Frame, old: str, size: int) -> str:
    """Bytes of padding after a TLV of `size` bytes that replaces `old` bytes of padding: 0 or 2 to 9."""
    w = frame.writer
    least = w.op("and", "i64", w.op("sub", "i64", old, size), _UNIT - 1)
    return w.select(w.icmp("eq", "i64", least, 1), "i64", _LONGEST_PADDING, least)


def _adjust_srh(frame: Frame, place: str, growth: str) -> None:
    """bpf_lwt_seg6_adjust_srh: zeros come in at `place`, or bytes go there; faults when the kernel refuses."""
    w = frame.writer
    arguments = (w.cast("trunc", "i64", value, "i32") for value in (place, growth))
    status = frame.call("lwt_seg6_adjust_srh", f"ptr {CONTEXT}", *(f"i32 {argument}" for argument in arguments))
    frame.fault_if(w.icmp("ne", "i64", status, 0), REFUSED)
