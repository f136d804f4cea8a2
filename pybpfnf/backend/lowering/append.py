"""Appending a TLV to the SRH: where it goes, how the padding changes, and the two helper calls.

    segments | A | B | PadN | HMAC        becomes        segments | A | B | NEW | PadN' | HMAC

Padding before the HMAC TLV, or at the end where there is none, is replaced: `PadN'` makes the SRH a multiple of 8 bytes
again (RFC 8754 section 2.1). There is no padding of one byte: Linux does not know Pad1, and PadN has two.
"""

from __future__ import annotations

from pybpfnf.abi.headers import HEADERS, MOST_TLVS, SEGMENT_SIZE, SRH_TLVS
from pybpfnf.backend.building.frame import CONTEXT, Frame
from pybpfnf.backend.lowering.memory import forgotten, settled
from pybpfnf.backend.lowering.packet import REFUSED, extension_length, growth_slot, require, srh_offset, srh_view, store_bytes
from pybpfnf.backend.lowering.wire import Image
from pybpfnf.dsl import ir

_SRH, _TLV = HEADERS["srh"], HEADERS["tlv"]
_UNIT = 8
_LONGEST_PADDING = _UNIT + 1  # in place of 1, which PadN cannot be
MALFORMED = "the SRH's TLVs run past its end"


def lower_append_tlv(frame: Frame, node: ir.AppendTlv) -> None:
    w = frame.writer
    size = node.tlv.size
    image = Image(bytearray(size + _TLV.size))
    image.put_tlv(frame, 0, node.tlv)
    image.constant[size] = SRH_TLVS["padn"]

    buffer = frame.scratch("buffer", len(image))
    image.write(frame, buffer)  # before the packet moves: bytes may come from it
    place, old_padding = walk_tlvs(frame)
    remove_padding(frame, place, old_padding)
    padding = padding_for(frame, old_padding, size)
    added = w.op("add", "i64", padding, size)
    adjust_srh(frame, place, added)

    w.store("i8", w.cast("trunc", "i64", w.op("sub", "i64", padding, _TLV.size), "i8"), w.offset(buffer, size + 1), 1)
    store_bytes(frame, place, buffer, _written(frame, padding, size))
    slot = growth_slot(frame)
    growth = w.op("sub", "i64", added, old_padding)
    w.store("i64", w.op("add", "i64", w.load("i64", slot), growth), slot)


def tlv_area(frame: Frame) -> tuple[str, str, str]:
    """A pointer to the SRH's first TLV, how many bytes of TLVs there are, and the offset of the SRH's end (i64s)."""
    w = frame.writer
    srh = srh_view(frame)
    # Volatile: where the function has found the field equal to something, LLVM would take that in its place, and the verifier,
    # which does not know its bounds, would not let it move a pointer.
    hdr_ext_len, last_entry = (
        w.load("i8", w.offset(srh, _SRH.fields[name].offset), 1, volatile=True) for name in ("hdr_ext_len", "last_entry")
    )
    segments = w.op("mul", "i64", w.cast("zext", "i8", last_entry, "i64"), SEGMENT_SIZE)
    srh_size = w.op("add", "i64", extension_length(frame, hdr_ext_len), w.load("i64", growth_slot(frame)))
    if frame.walks_often:
        srh_size = forgotten(frame, srh_size)  # its growth is another number after each way through an earlier walk
    srh_end = w.op("add", "i64", srh_offset(frame), srh_size)
    first = w.offset(w.offset(srh, segments), _SRH.size + SEGMENT_SIZE)
    area = w.op("sub", "i64", w.op("sub", "i64", srh_size, segments), _SRH.size + SEGMENT_SIZE)
    return first, area, srh_end


def walk_tlvs(frame: Frame) -> tuple[str, str]:
    """Walk over the TLVs up to the HMAC or the end; gives the offset of the padding there, and how long it is (i64s).

    The walk goes by a pointer and by the bytes that are left, which never meet: a number that is added to a packet pointer has
    the verifier follow everything that it was ever compared with, and tell each way through the walk apart.
    """
    w = frame.writer
    first, area, srh_end = tlv_area(frame)
    tlv, left, left_at_padding, count = w.slot("ptr"), *(w.slot("i64") for _ in range(3))
    w.store("ptr", first, tlv)
    w.store("i64", area, left)
    w.store("i64", area, left_at_padding)
    w.store("i64", MOST_TLVS + 1, count)
    again, other, following, done = (w.label(hint) for hint in ("tlv", "other", "next", "walked"))
    w.place(again)
    tries = w.op("sub", "i64", w.barrier("i64", w.load("i64", count)), 1)
    w.store("i64", tries, count)
    remaining = w.load("i64", left)
    w.go_on_unless(w.icmp("sle", "i64", remaining, 0), done)
    frame.fault_if(w.icmp("eq", "i64", tries, 0), f"more than {MOST_TLVS} TLVs in the SRH")
    here = w.load("ptr", tlv)
    require(frame, here, _TLV.size, MALFORMED)
    kind = w.load("i8", here)
    w.go_on_unless(w.icmp("eq", "i8", kind, SRH_TLVS["hmac"]), done)
    size = w.op("add", "i64", w.cast("zext", "i8", w.load("i8", w.offset(here, 1)), "i64"), _TLV.size)
    w.store("ptr", w.offset(here, size), tlv)
    now = w.op("sub", "i64", remaining, size)
    w.store("i64", now, left)
    w.branch(w.icmp("eq", "i8", kind, SRH_TLVS["padn"]), following, other)
    w.place(other)
    w.store("i64", now, left_at_padding)
    w.place(following)
    frame.loop_back(again)

    w.place(done)
    rest = w.load("i64", left)
    frame.fault_if(w.icmp("slt", "i64", rest, 0), MALFORMED)
    with_padding = w.load("i64", left_at_padding)
    place, padding = w.op("sub", "i64", srh_end, with_padding), w.op("sub", "i64", with_padding, rest)
    return settled(frame, place), settled(frame, padding)


def remove_padding(frame: Frame, place: str, padding: str) -> None:
    """Take the old padding out, where there is any: seldom, so that the usual case pays a branch."""
    w = frame.writer
    some, done = w.label("padded"), w.label("unpadded")
    w.branch(w.icmp("ne", "i64", padding, 0), some, done)
    w.place(some)
    adjust_srh(frame, place, w.op("sub", "i64", 0, padding))
    w.place(done)


def padding_for(frame: Frame, old: str, size: int | str) -> str:
    """Bytes of padding that replace `old` ones where `size` bytes were added to a multiple of 8: 0 or 2 to 9."""
    w = frame.writer
    least = w.op("and", "i64", w.op("sub", "i64", old, size), _UNIT - 1)
    return w.select(w.icmp("eq", "i64", least, 1), "i64", _LONGEST_PADDING, least)


def adjust_srh(frame: Frame, place: str, growth: str) -> None:
    """bpf_lwt_seg6_adjust_srh: zeros come in at `place`, or bytes go there; faults when the kernel refuses."""
    w = frame.writer
    arguments = [w.cast("trunc", "i64", value, "i32") for value in (place, growth)]
    status = frame.call("lwt_seg6_adjust_srh", f"ptr {CONTEXT}", *(f"i32 {argument}" for argument in arguments))
    frame.fault_if(w.icmp("ne", "i64", status, 0), REFUSED)


def _written(frame: Frame, padding: str, size: int) -> str:
    """How many bytes to write, an i32: the TLV, and the type and length of its padding where it has any; the rest is zero already.

    One constant on each way. A length computed from the padding would have the verifier tell apart each way through the walk,
    248,000 instructions in place of 2,500.
    """
    w = frame.writer
    written = w.slot("i32")
    w.store("i32", size, written)
    padded, done = w.label("padded"), w.label("unpadded")
    w.branch(w.icmp("ne", "i64", padding, 0), padded, done)
    w.place(padded)
    w.store("i32", w.barrier("i32", size + _TLV.size), written)
    w.place(done)
    return w.load("i32", written)
