"""The seg6 actions: their parameter on the stack, the helper call, the verdict."""

from __future__ import annotations

from pybpfnf.abi.headers import HEADERS, ROUTING_TYPES, SEGMENT_SIZE, SRH_TLVS
from pybpfnf.backend.building.frame import CONTEXT, Frame
from pybpfnf.backend.building.values import llvm_type
from pybpfnf.backend.lowering.packet import growth_slot
from pybpfnf.backend.lowering.wire import Image
from pybpfnf.dsl import ir
from pybpfnf.dsl.ir import Seg6Action
from pybpfnf.dsl.types import AddressType, IntType
from pybpfnf.errors import InternalError

_SRH = HEADERS["srh"]

# Actions after which another SRH, or none, is the packet's first one.
_NEW_SRH = frozenset({Seg6Action.END_DT6, Seg6Action.END_B6, Seg6Action.END_B6_ENCAPS})


def lower_seg6_action_call(frame: Frame, node: ir.Seg6ActionCall) -> str:
    w = frame.writer
    parameter, size = _parameter(frame, node)
    status = frame.call("lwt_seg6_action", f"ptr {CONTEXT}", f"i32 {node.action.value}", f"ptr {parameter}", f"i32 {size}")
    frame.fault_if(w.icmp("ne", "i64", status, 0), f"{node.action.name.lower()} failed")
    # The action has validated the SRH, and so has written its length byte.
    w.store("i64", 0, growth_slot(frame))
    if node.action in _NEW_SRH:
        frame.packet = frame.packet.with_new_headers()
    return str(frame.function.hook.verdicts["REDIRECT"])


def _parameter(frame: Frame, node: ir.Seg6ActionCall) -> tuple[str, int]:
    """The stack memory that holds it, and its size in bytes."""
    parameter = node.parameter
    if isinstance(parameter, ir.SrhValue):
        image = srh_image(frame, parameter, keeps_destination=node.action is Seg6Action.END_B6)
        buffer = frame.scratch("buffer", len(image))
        image.write(frame, buffer)
        return buffer, len(image)
    match parameter.type:
        case AddressType() | IntType(width=32):
            size = parameter.type.size
            value = frame.value(parameter)
            buffer = frame.scratch("buffer", size)
            frame.writer.store(llvm_type(parameter.type), value, buffer, 8)
            return buffer, size
    raise InternalError(f"a seg6 action with a parameter of type {parameter.type}")


def srh_image(frame: Frame, srh: ir.SrhValue, *, keeps_destination: bool) -> Image:
    """A whole SRH (RFC 8754 section 2): segments last first, so that Segments Left indexes the next one; the kernel fills in
    the next header.

    `keeps_destination`: the SRH is inserted, and the kernel writes the packet's destination over segment 0
    (net/ipv6/seg6_iptunnel.c, seg6_do_srh_inline), which must therefore be none of the path.
    """
    count = len(srh.path) + keeps_destination
    segments_end = _SRH.size + SEGMENT_SIZE * count
    tlvs = sum(tlv.size for tlv in srh.tlvs)
    padding = padding_after(tlvs)
    image = Image(bytearray(segments_end + tlvs + padding))
    last = count - 1
    fixed = {"hdr_ext_len": len(image) // 8 - 1, "routing_type": ROUTING_TYPES["srh"], "segments_left": last, "last_entry": last}
    for name, value in fixed.items():
        image.constant[_SRH.fields[name].offset] = value
    for index, segment in enumerate(srh.path):
        image.put(frame, segments_end - SEGMENT_SIZE * (index + 1), SEGMENT_SIZE, segment)
    offset = segments_end
    for index, tlv in enumerate(srh.tlvs):
        after = [part for other in srh.tlvs[index + 1 :] for part in other.parts]
        image.put_tlv(frame, offset, tlv, [*after, srh.tag, srh.flags])
        offset += tlv.size
    if padding:
        image.constant[offset : offset + 2] = bytes((SRH_TLVS["padn"], padding - 2))
    for name, expression in (("tag", srh.tag), ("flags", srh.flags)):
        image.put(frame, _SRH.fields[name].offset, _SRH.fields[name].storage, expression)
    return image


def padding_after(size: int) -> int:
    """Bytes of PadN that fill TLVs of `size` bytes up to a multiple of 8: 0 or 2 to 9."""
    least = -size % 8
    return 9 if least == 1 else least
