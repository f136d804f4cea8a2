"""Encapsulations: the new headers on the stack, and bpf_lwt_push_encap."""

from __future__ import annotations

from pybpfnf.abi.headers import ETHER_TYPES, HEADERS, NEXT_HEADERS, SEGMENT_SIZE
from pybpfnf.backend.building.frame import CONTEXT, Frame
from pybpfnf.backend.lowering.packet import swap
from pybpfnf.backend.lowering.seg6 import srh_image
from pybpfnf.backend.lowering.wire import Image
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import AddressType
from pybpfnf.errors import InternalError

_IPV6, _SRH = HEADERS["ipv6"], HEADERS["srh"]
_PUSHES = {
    ir.EncapKind.SEG6: "the encapsulation failed",
    ir.EncapKind.SEG6_INLINE: "the SRH could not be inserted",
    ir.EncapKind.IP: "the encapsulation failed",
}


def lower_push_encap(frame: Frame, node: ir.PushEncap) -> str:
    w = frame.writer
    srh = srh_image(frame, node.srh, keeps_destination=node.kind is ir.EncapKind.SEG6_INLINE)
    image = srh if node.source is None else _outer_image(frame, node, srh)
    buffer = frame.scratch("buffer", len(image))
    image.write(frame, buffer)
    if node.source is not None:
        _fill_in(frame, buffer, len(srh))
    status = frame.call("lwt_push_encap", f"ptr {CONTEXT}", f"i32 {node.kind.value}", f"ptr {buffer}", f"i32 {len(image)}")
    frame.fault_if(w.icmp("ne", "i64", status, 0), _PUSHES[node.kind])
    frame.packet = frame.packet.with_new_headers()
    return "0"


def _outer_image(frame: Frame, node: ir.PushEncap, srh: Image) -> Image:
    """An IPv6 header to the first of the path, and the SRH after it."""
    if node.source is None or node.hop_limit is None or not isinstance(node.source.type, AddressType):
        raise InternalError("an IP encapsulation without its source and hop limit")
    image = Image(bytearray(_IPV6.size) + srh.constant, [(_IPV6.size + offset, value, type_) for offset, value, type_ in srh.values])
    image.octets = [(_IPV6.size + offset, pointer, alignment, type_) for offset, pointer, alignment, type_ in srh.octets]
    image.constant[0] = 6 << _IPV6.fields["version"].shift
    image.constant[_IPV6.fields["next_header"].offset] = NEXT_HEADERS["routing"]
    first = _IPV6.size + _SRH.size + SEGMENT_SIZE * (len(node.srh.path) - 1)  # the last of the list
    destination = _IPV6.fields["destination"].offset
    image.constant[destination : destination + SEGMENT_SIZE] = image.constant[first : first + SEGMENT_SIZE]
    image.values += [(destination, value, type_) for offset, value, type_ in image.values if offset == first]
    image.octets += [(destination, pointer, aligned, type_) for offset, pointer, aligned, type_ in image.octets if offset == first]
    image.put(frame, _IPV6.fields["source"].offset, SEGMENT_SIZE, node.source)
    image.put(frame, _IPV6.fields["hop_limit"].offset, 1, node.hop_limit)
    return image


def _fill_in(frame: Frame, buffer: str, pushed: int) -> None:
    """The payload length, and what the SRH says of the packet inside: the kernel mends neither."""
    w = frame.writer
    fields = frame.function.hook.context.fields
    length = w.load("i32", frame.context_field(fields["len"].offset), 4, volatile=True)
    protocol = w.load("i32", frame.context_field(fields["protocol"].offset), 4, volatile=True)
    payload = w.cast("trunc", "i32", w.op("add", "i32", length, pushed), "i16")
    w.store("i16", swap(frame, 16, payload), w.offset(buffer, _IPV6.fields["payload_length"].offset), 2)
    ipv4 = int.from_bytes(ETHER_TYPES["ipv4"].to_bytes(2, "big"), "little")  # as it lies in the context
    is_ipv4 = w.icmp("eq", "i32", protocol, ipv4)
    inside = w.select(is_ipv4, "i8", NEXT_HEADERS["ipv4"], NEXT_HEADERS["ipv6"])
    w.store("i8", inside, w.offset(buffer, _IPV6.size + _SRH.fields["next_header"].offset), 1)
