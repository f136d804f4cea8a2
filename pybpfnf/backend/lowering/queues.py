"""Queues and stacks. A struct that may be missing lies in memory, followed by a word that says whether it is there."""

from __future__ import annotations

from pybpfnf.backend.building.frame import Frame
from pybpfnf.backend.building.values import llvm_type
from pybpfnf.backend.lowering.memory import load_value, store_value
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import StructType

_ANY, _EXIST = 0, 2  # BPF_ANY, BPF_EXIST (include/uapi/linux/bpf.h)
_FULL = "the map is full"
_WORD = 8


def lower_queue_push(frame: Frame, node: ir.QueuePush) -> None:
    type_ = node.queue.value
    source = frame.value(node.value)
    if not isinstance(type_, StructType):
        slot = frame.scratch("buffer", type_.size)
        store_value(frame, slot, type_, source)
        source = slot
    flags = _EXIST if node.drop_oldest else _ANY
    status = frame.call("map_push_elem", f"ptr @{node.queue.name}", f"ptr {source}", f"i64 {flags}")
    if not node.drop_oldest:
        frame.fault_if(frame.writer.icmp("ne", "i64", status, 0), _FULL)


def lower_queue_take(frame: Frame, node: ir.QueueTake) -> str:
    """An optional. The kernel zeroes what it does not fill (kernel/bpf/queue_stack_maps.c)."""
    w, type_ = frame.writer, node.queue.value
    helper = "map_pop_elem" if node.remove else "map_peek_elem"
    size = -(-type_.size // _WORD) * _WORD
    if isinstance(type_, StructType):
        room = frame.room(size + _WORD)
        w.store("i64", 0, w.offset(room, size - _WORD), _WORD)  # what is no value's, behind it
    else:
        room = frame.scratch("buffer", type_.size)
    status = frame.call(helper, f"ptr @{node.queue.name}", f"ptr {room}")
    there = w.icmp("eq", "i64", status, 0)
    if isinstance(type_, StructType):
        w.store("i64", w.cast("zext", "i1", there, "i64"), w.offset(room, size), _WORD)
        return room
    optional = llvm_type(node.type)
    flagged = w.value(f"insertvalue {optional} poison, i1 {there}, 0")
    return w.value(f"insertvalue {optional} {flagged}, {llvm_type(type_)} {load_value(frame, room, type_)}, 1")
