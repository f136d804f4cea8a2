"""What a function is sure to need of the 512 bytes of BPF stack: structs, and the largest buffer that a call writes from.

Integers and addresses are not counted: LLVM keeps them in registers, or spills a few. What is too large for the stack the back end
puts elsewhere (`backend.spare`), where it can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from pybpfnf.abi.headers import HEADERS, SEGMENT_SIZE
from pybpfnf.diagnostics import Diagnostic
from pybpfnf.dsl import ir
from pybpfnf.dsl.building.signature import name_span
from pybpfnf.dsl.constructs.wire import padded, srh_size
from pybpfnf.dsl.ir.walk import walk
from pybpfnf.dsl.reading.source import FunctionSource
from pybpfnf.dsl.types import AddressType, OctetsType, OptionalType, StructType, Type, ViewType

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
    buffers = max((_slots(BUFFERS[type(node)](node)) for node in walk(function.body)), default=0)
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


def _encapsulation(node: ir.PushEncap) -> int:
    if node.kind is ir.EncapKind.IP:
        return HEADERS["ipv6"].size + srh_size(node.srh)
    # Inline, the packet's destination gets an entry too.
    return srh_size(node.srh) + (SEGMENT_SIZE if node.kind is ir.EncapKind.SEG6_INLINE else 0)


def _key(node: ir.MapGet | ir.MapContains | ir.DeleteMap) -> int:
    return node.map.key.size


def _key_and_value(node: ir.MapRead | ir.SetMap | ir.UpdateMap) -> int:
    if isinstance(node, ir.MapRead) and isinstance(node.type, ViewType) and node.map.default is None:
        return node.map.key.size  # the entry itself is read where it is
    return _slots(node.map.key.size) + node.map.value.size


def _emitted(node: ir.Emit) -> int:
    is_copy = node.buffer.kind == "perf_event_array" and isinstance(node.record, ir.Member | ir.MapRead | ir.Unwrap)
    return node.buffer.record.size if is_copy else 0  # of a view


def _words(node: ir.Log) -> int:
    shown = [part.value.type for part in node.parts if isinstance(part, ir.Shown)]
    return sum(_slots(type_.size) for type_ in shown if isinstance(type_, AddressType)) + _SLOT * len(shown)


def _nothing(_node: object) -> int:
    return 0


# Bytes that a node writes from, or has written to, not counting what is below it.
BUFFERS: Mapping[type, Callable[[Any], int]] = {
    ir.PushEncap: _encapsulation,
    ir.SrhValue: srh_size,
    ir.SetTlv: lambda node: node.place.type.size,
    **dict.fromkeys((ir.AppendTlv, ir.InsertTlv), lambda node: padded(node.tlv.size)),
    **dict.fromkeys((ir.MapGet, ir.MapContains, ir.DeleteMap), _key),
    **dict.fromkeys((ir.MapRead, ir.SetMap, ir.UpdateMap), _key_and_value),
    ir.Emit: _emitted,
    ir.QueuePush: lambda node: node.queue.value.size,
    ir.QueueTake: lambda node: node.queue.value.size + _SLOT,
    ir.Log: _words,
    **dict.fromkeys((ir.Const, ir.LocalRead, ir.VariableRead, ir.HeaderRead, ir.ContextRead, ir.ReceiveTime, ir.Convert), _nothing),
    **dict.fromkeys((ir.Binary, ir.Unary, ir.Compare, ir.InPrefix, ir.Logical, ir.Not, ir.Let), _nothing),
    **dict.fromkeys((ir.Conditional, ir.IsNone, ir.Unwrap, ir.HelperCall, ir.Seg6ActionCall, ir.HasHeader, ir.Redirect), _nothing),
    **dict.fromkeys((ir.CloneRedirect, ir.StructValue, ir.ArrayValue, ir.Member, ir.Item, ir.SegmentCount, ir.SegmentRead), _nothing),
    **dict.fromkeys((ir.FindTlv, ir.NextTlv, ir.IsTlv, ir.TlvAs, ir.TlvRead, ir.TlvItem, ir.TlvLength), _nothing),
    **dict.fromkeys((ir.ViewAt, ir.FindHeader, ir.WireRead, ir.WireItem, ir.InlinedCall, ir.SubprogramCall, ir.Absent), _nothing),
    **dict.fromkeys((ir.Present, ir.Assign, ir.SetState, ir.UpdateState, ir.SetHeader, ir.SetContext, ir.SetPlace), _nothing),
    **dict.fromkeys((ir.UpdatePlace, ir.SetWire, ir.RemoveTlv, ir.Reserve, ir.Release, ir.If, ir.ForRange), _nothing),
    **dict.fromkeys((ir.Locked, ir.Break, ir.Exhausted, ir.Continue, ir.Return, ir.TailCall, ir.Leave), _nothing),
    **dict.fromkeys((ir.Assert, ir.Evaluate, ir.TlvValue, ir.Shown), _nothing),
}
