"""What a function is sure to need of the 512 bytes of BPF stack: structs, and the largest buffer that a call writes from.

Integers and addresses are not counted: LLVM keeps them in registers, or spills a few. What is too large for the stack the back end
puts elsewhere (`backend.spare`), where it can.
"""

from __future__ import annotations

from typing import TypeGuard

from pybpfnf.abi.headers import HEADERS, SEGMENT_SIZE
from pybpfnf.diagnostics import Diagnostic
from pybpfnf.dsl import ir
from pybpfnf.dsl.build_wire import padded, srh_size
from pybpfnf.dsl.signature import name_span
from pybpfnf.dsl.source import FunctionSource
from pybpfnf.dsl.types import AddressType, OctetsType, OptionalType, StructType, Type, ViewType
from pybpfnf.dsl.walk import walk

STACK_LIMIT = 512  # MAX_BPF_STACK (include/linux/filter.h)
_SLOT = 8


def check_stack(function: ir.Function, source: FunctionSource) -> list[Diagnostic]:
    """A diagnostic where the sum is over the limit, and the function goes on in another: else what is large has memory of its own."""
    needed = stack_size(function)
    if needed <= STACK_LIMIT or not has_tail_call(function):
        return []
    message = f"`{function.name}` needs {needed} bytes of stack, and the kernel gives {STACK_LIMIT} to a function with a tail call"
    hint = "use fewer structs at once, a shorter path, or smaller TLVs; or do it in the function that is called last"
    return [source.file.diagnostic("stack", message, name_span(source), hint)]


def has_tail_call(function: ir.Function | ir.Subprogram) -> bool:
    """Whether it goes on in another program, and does not come back to give anything back."""
    return any(isinstance(node, ir.TailCall) for node in walk(function.body))


def stack_size(function: ir.Function | ir.Subprogram) -> int:
    """Bytes: each local and each new struct in slots of 8, and the largest buffer that a statement writes from."""
    buffers = max((_buffer(node) for node in walk(function.body)), default=0)
    in_a_ring = [node.record for node in walk(function.body) if isinstance(node, ir.Emit) and node.buffer.kind == "ringbuf"]
    made = sum(_slots(node.type.size) for node in walk(function.body) if isinstance(node, ir.StructValue))
    made -= sum(_slots(node.type.size) for node in in_a_ring if isinstance(node, ir.StructValue))  # built there
    # An array in a struct is built there.
    assigned = [node.value for node in walk(function.body) if isinstance(node, ir.SetPlace)]
    made += sum(_slots(value.type.size) for value in assigned if isinstance(value, ir.ArrayValue))
    given = function.parameters if isinstance(function, ir.Subprogram) else ()  # in the memory of who calls
    own = [local.type for local in function.locals if local not in given]
    kept = sum(_slots(type_.size) for type_ in own if _is_kept(type_))
    kept += sum(_passed(node) for node in walk(function.body) if isinstance(node, ir.SubprogramCall))
    read = sum(
        _slots(node.type.size) for node in walk(function.body) if isinstance(node, ir.WireRead) and isinstance(node.type, OctetsType)
    )
    return kept + made + read + buffers


def _passed(node: ir.SubprogramCall) -> int:
    """The structs that are given and come back."""
    types = (*(local.type for local in node.subprogram.parameters), node.type)
    return sum(_slots(type_.size) for type_ in types if _is_kept(type_))


def _is_kept(type_: Type) -> TypeGuard[StructType | OctetsType | OptionalType]:
    """Whether a local of the type is in memory; a struct that may be None is, and the word that says so."""
    return isinstance(type_.inner if isinstance(type_, OptionalType) else type_, StructType | OctetsType)


def _slots(size: int) -> int:
    return (size + _SLOT - 1) // _SLOT * _SLOT


def _buffer(node: object) -> int:
    match node:
        case ir.PushEncap(kind=ir.EncapKind.IP, srh=srh):
            return _slots(HEADERS["ipv6"].size + srh_size(srh))
        case ir.PushEncap(kind=ir.EncapKind.SEG6_INLINE, srh=srh):
            return _slots(SEGMENT_SIZE + srh_size(srh))  # the packet's destination gets an entry too
        case ir.SrhValue():
            return _slots(srh_size(node))
        case ir.SetTlv(place):
            return _slots(place.type.size)
        case ir.AppendTlv(tlv) | ir.InsertTlv(tlv):
            return _slots(padded(tlv.size))
        case ir.MapGet(map_) | ir.MapContains(map_) | ir.DeleteMap(map_):
            return _slots(map_.key.size)
        case ir.MapRead(map_, type=ViewType()) if map_.default is None:
            return _slots(map_.key.size)  # the entry itself is read where it is
        case ir.Emit(ir.EventBuffer(kind="perf_event_array", record=record), ir.Member() | ir.MapRead() | ir.Unwrap()):
            return _slots(record.size)  # a view's copy
        case ir.QueuePush(queue):
            return _slots(queue.value.size)
        case ir.QueueTake(queue):
            return _slots(queue.value.size) + _SLOT
        case ir.MapRead(map_) | ir.SetMap(map_) | ir.UpdateMap(map_):
            return _slots(map_.key.size) + _slots(map_.value.size)
        case ir.Log(parts):
            shown = [part.value.type for part in parts if isinstance(part, ir.Shown)]
            return sum(_slots(type_.size) for type_ in shown if isinstance(type_, AddressType)) + _SLOT * len(shown)
        case _:
            return 0
