"""Packets that leave by another device (net/core/filter.c: bpf_redirect, bpf_clone_redirect)."""

from __future__ import annotations

from pybpfnf.abi.headers import HEADERS
from pybpfnf.backend.building.frame import CONTEXT, Frame
from pybpfnf.backend.building.values import place_alignment
from pybpfnf.backend.lowering.structs import copy, place_of
from pybpfnf.dsl import ir

_ETHERNET = HEADERS["ethernet"]
_ADDRESS = 6


def lower_redirect(frame: Frame, node: ir.Redirect) -> str:
    """The verdict. The device is chosen last, and cannot fail: where it is none, the kernel drops the packet."""
    ifindex = frame.value(node.ifindex)
    if node.link is not None:
        _put_ethernet(frame, *node.link)
    frame.call("redirect", f"i32 {ifindex}", "i64 0")
    return str(frame.function.hook.verdicts["REDIRECT"])


def _put_ethernet(frame: Frame, destination: ir.Expr, source: ir.Expr) -> None:
    """A header in front of the packet, whose bytes are on the stack before anything changes."""
    w = frame.writer
    buffer = frame.scratch("buffer", _ETHERNET.size)
    for name, node in (("destination", destination), ("source", source)):
        pointer, alignment = place_of(frame, node)
        offset = _ETHERNET.fields[name].offset
        copy(frame, pointer, w.offset(buffer, offset), _ADDRESS, min(alignment, place_alignment(offset, 8)))
    protocol = frame.context_field(frame.function.hook.context.fields["protocol"].offset)
    kind = w.cast("trunc", "i32", w.load("i32", protocol, 4, volatile=True), "i16")  # in network byte order, as the header has it
    w.store("i16", kind, w.offset(buffer, _ETHERNET.fields["ether_type"].offset), 2)
    status = frame.call("skb_change_head", f"ptr {CONTEXT}", f"i32 {_ETHERNET.size}", "i64 0")
    frame.fault_if(w.icmp("ne", "i64", status, 0), "no room for an Ethernet header")
    arguments = (f"ptr {CONTEXT}", "i32 0", f"ptr {buffer}", f"i32 {_ETHERNET.size}", "i64 0")
    frame.fault_if(w.icmp("ne", "i64", frame.call("skb_store_bytes", *arguments), 0), "no room for an Ethernet header")
    frame.packet = frame.packet.with_new_headers()


def lower_clone_redirect(frame: Frame, node: ir.CloneRedirect) -> str:
    ifindex = frame.value(node.ifindex)
    status = frame.call("clone_redirect", f"ptr {CONTEXT}", f"i32 {ifindex}", "i64 0")
    frame.fault_if(frame.writer.icmp("ne", "i64", status, 0), "the copy was not sent")
    return "0"
