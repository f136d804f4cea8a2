"""Records to user space: reserved in a ring and filled there, or sent from the stack through a perf event array."""

from __future__ import annotations

from pybpfnf.backend.building.frame import CONTEXT, Frame
from pybpfnf.backend.building.values import place_alignment
from pybpfnf.backend.lowering.structs import copy, fill, place_of, struct_parts
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import StructType

_CURRENT_CPU = (1 << 32) - 1  # BPF_F_CURRENT_CPU
_PACKET_SHIFT = 32  # BPF_F_CTXLEN_MASK: how much of the packet follows
_WORD = 8


def lower_emit_test(frame: Frame, node: ir.Emit, yes: str, no: str) -> None:
    """Branch on whether the record was sent."""
    if node.buffer.kind == "perf_event_array":
        frame.branch(_perf_output(frame, node), yes, no)
    elif isinstance(node.record, ir.StructValue):
        _emit_new(frame, node, node.record, yes, no)
    else:
        source, alignment = place_of(frame, node.record)
        record = _reserve(frame, node.buffer, no)
        copy(frame, source, record, node.buffer.record.size, min(alignment, node.buffer.record.alignment))
        _submit(frame, record, yes)


def lower_emit(frame: Frame, node: ir.Emit) -> str:
    w = frame.writer
    result = w.slot("i1")
    yes, no, end = (w.label(hint) for hint in ("sent", "full", "end"))
    lower_emit_test(frame, node, yes, no)
    for label, answer in ((yes, "true"), (no, "false")):
        frame.place(label)
        w.store("i1", answer, result)
        frame.jump(end)
    frame.place(end)
    return w.load("i1", result)


def _emit_new(frame: Frame, node: ir.Emit, value: ir.StructValue, yes: str, no: str) -> None:
    """Built in the ring. Its values come first: what faults there has reserved nothing."""
    parts = struct_parts(frame, value)
    record = _reserve(frame, node.buffer, no)
    _fill_words(frame, record, parts.constant)
    fill(frame, record, parts)
    _submit(frame, record, yes)


def _reserve(frame: Frame, buffer: ir.EventBuffer, full: str) -> str:
    """A pointer to a new record."""
    w = frame.writer
    record = frame.call("ringbuf_reserve", f"ptr @{buffer.name}", f"i64 {buffer.record.size}", "i64 0", result="ptr")
    w.keep_apart()
    frame.leave_if(w.icmp("eq", "ptr", record, "null"), full)
    return record


def _submit(frame: Frame, record: str, then: str) -> None:
    frame.call_void("ringbuf_submit", f"ptr {record}", "i64 0")
    frame.jump(then)


def _fill_words(frame: Frame, record: str, data: bytes) -> None:
    """These bytes, which a record has not: it has what an earlier one left there."""
    start = 0
    while start < len(data):
        width = place_alignment(start, _WORD)
        while width > len(data) - start:
            width //= 2
        value = int.from_bytes(data[start : start + width], "little")
        frame.writer.store(f"i{width * 8}", value, frame.writer.offset(record, start), width)
        start += width


def _perf_output(frame: Frame, node: ir.Emit) -> str:
    """An i1: whether bpf_perf_event_output took the record."""
    w = frame.writer
    flags = str(_CURRENT_CPU)
    source, _ = place_of(frame, node.record)
    if node.packet is not None:
        wanted = frame.value(node.packet)
        length = w.load("i32", frame.context_field(frame.function.hook.context.fields["len"].offset), 4)
        # More than there is would be -EFAULT (net/core/filter.c, bpf_skb_event_output).
        octets = w.select(w.icmp("ult", "i32", wanted, length), "i32", wanted, length)
        flags = w.op("or", "i64", w.op("shl", "i64", w.cast("zext", "i32", octets, "i64"), _PACKET_SHIFT), _CURRENT_CPU)
    size = node.buffer.record.size
    data = _on_the_stack(frame, source, node)
    status = frame.call("perf_event_output", f"ptr {CONTEXT}", f"ptr @{node.buffer.name}", f"i64 {flags}", f"ptr {data}", f"i64 {size}")
    return w.icmp("eq", "i64", status, 0)


def _on_the_stack(frame: Frame, source: str, node: ir.Emit) -> str:
    """The record as the helper takes it: a struct that the function made is on the stack, a view's fields are copied there."""
    if isinstance(node.record.type, StructType):
        return source
    record = node.buffer.record
    room = frame.scratch("event", record.size)
    copy(frame, source, room, record.size, record.alignment)
    return room


def lower_reserve(frame: Frame, node: ir.Reserve) -> None:
    """The record, zeroed where it is one: it has what an earlier record left there."""
    w, place = frame.writer, frame.local(node.local)
    there, end = w.label("reserved"), w.label("asked")
    record = frame.call("ringbuf_reserve", f"ptr @{node.buffer.name}", f"i64 {node.buffer.record.size}", "i64 0", result="ptr")
    w.store("ptr", record, place)
    frame.branch(w.icmp("eq", "ptr", record, "null"), end, there)
    frame.place(there)
    _fill_words(frame, record, bytes(node.buffer.record.size))
    frame.place(end)
    frame.hold(place)


def lower_release(frame: Frame, node: ir.Release) -> None:
    place = frame.local(node.local)
    record = frame.writer.load("ptr", place)
    frame.call_void("ringbuf_submit" if node.submitted else "ringbuf_discard", f"ptr {record}", "i64 0")
    frame.writer.store("ptr", "null", place)  # where this way meets one on which there was no record
    frame.let_go(place)
