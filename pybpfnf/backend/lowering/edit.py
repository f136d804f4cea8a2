"""TLVs put in before another one, and taken out: the SRH grows or shrinks there, and its padding is made anew.

segments | A | B | PadN | HMAC        insert at B        segments | A | NEW | B | PadN' | HMAC
segments | A | B | PadN | HMAC        remove B           segments | A | PadN' | HMAC
"""

from __future__ import annotations

from pybpfnf.abi.headers import HEADERS, SRH_TLVS
from pybpfnf.backend.building.frame import Frame
from pybpfnf.backend.lowering.append import adjust_srh, padding_for, remove_padding, walk_tlvs
from pybpfnf.backend.lowering.find import tlv_pointer
from pybpfnf.backend.lowering.packet import growth_slot, store_bytes
from pybpfnf.backend.lowering.wire import Image
from pybpfnf.dsl import ir

_TLV = HEADERS["tlv"]


def lower_insert_tlv(frame: Frame, node: ir.InsertTlv) -> None:
    w, size = frame.writer, node.tlv.size
    image = Image(bytearray(size))
    image.put_tlv(frame, 0, node.tlv, [node.at])
    buffer = frame.scratch("buffer", size)
    image.write(frame, buffer)  # before the packet moves: bytes may come from it
    found = frame.value(node.at)
    place, old = walk_tlvs(frame)
    at = w.barrier("i64", w.select(w.icmp("ult", "i64", found, place), "i64", found, place))
    remove_padding(frame, place, old)
    adjust_srh(frame, at, str(size))
    store_bytes(frame, at, buffer, str(size))
    _grow(frame, w.op("sub", "i64", size, old))
    _pad(frame, w.op("add", "i64", place, size), padding_for(frame, old, size))


def lower_remove_tlv(frame: Frame, node: ir.RemoveTlv) -> None:
    w, at = frame.writer, frame.value(node.at)
    tlv = tlv_pointer(frame, at, _TLV.size)
    frame.fault_if(w.icmp("eq", "i8", w.load("i8", tlv), SRH_TLVS["hmac"]), "the HMAC TLV is not removed")
    length = w.cast("zext", "i8", w.load("i8", w.offset(tlv, 1)), "i64")
    less = w.op("sub", "i64", -_TLV.size, length)
    adjust_srh(frame, at, less)
    _grow(frame, less)
    place, old = walk_tlvs(frame)
    remove_padding(frame, place, old)
    grown = w.load("i64", growth_slot(frame))
    _grow(frame, w.op("sub", "i64", 0, old))
    _pad(frame, place, padding_for(frame, old, grown))


def _grow(frame: Frame, growth: str) -> None:
    """The SRH is so much longer than its length byte says, until the kernel writes that."""
    w, slot = frame.writer, growth_slot(frame)
    w.store("i64", w.op("add", "i64", w.load("i64", slot), growth), slot)


def _pad(frame: Frame, place: str, padding: str) -> None:
    """PadN of so many bytes at a place, where it is any."""
    w = frame.writer
    some, done = w.label("padded"), w.label("unpadded")
    frame.branch(w.icmp("ne", "i64", padding, 0), some, done)
    frame.place(some)
    adjust_srh(frame, place, padding)
    buffer = frame.scratch("buffer", _TLV.size)
    w.store("i8", SRH_TLVS["padn"], buffer, 8)
    w.store("i8", w.cast("trunc", "i64", w.op("sub", "i64", padding, _TLV.size), "i8"), w.offset(buffer, 1), 1)
    store_bytes(frame, place, buffer, str(_TLV.size))
    _grow(frame, padding)
    frame.place(done)
