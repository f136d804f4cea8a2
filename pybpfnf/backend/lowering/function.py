"""One function: its statements in order, then its fault exits, as one LLVM definition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pybpfnf.backend.building.debuginfo import DebugInfo
from pybpfnf.backend.building.frame import CONTEXT, Expressions, Frame, Shared
from pybpfnf.backend.building.hide import accumulators, grows, hide, walks_often
from pybpfnf.backend.building.values import is_in_memory, llvm_type, string
from pybpfnf.backend.lowering.append import lower_append_tlv
from pybpfnf.backend.lowering.calls import lower_inlined_call, lower_leave
from pybpfnf.backend.lowering.edit import lower_insert_tlv, lower_remove_tlv
from pybpfnf.backend.lowering.events import lower_release, lower_reserve
from pybpfnf.backend.lowering.expressions import EXPRESSIONS, lower_test
from pybpfnf.backend.lowering.find import lower_set_tlv
from pybpfnf.backend.lowering.locks import lower_locked
from pybpfnf.backend.lowering.log import lower_log
from pybpfnf.backend.lowering.long_loop import lower_long_loop
from pybpfnf.backend.lowering.loop import lower_break, lower_continue, lower_exhausted, lower_for_range
from pybpfnf.backend.lowering.maps import lower_delete_map, lower_set_map, lower_update_map
from pybpfnf.backend.lowering.memory import lower_set_context, lower_set_state, lower_update_state
from pybpfnf.backend.lowering.packet_write import lower_set_header, lower_set_wire
from pybpfnf.backend.lowering.queues import lower_queue_push
from pybpfnf.backend.lowering.structs import copy, lower_set_place, lower_update_place, place_of
from pybpfnf.backend.lowering.subprogram_call import lower_subprogram_call
from pybpfnf.backend.lowering.tails import lower_tail_call
from pybpfnf.dsl import ir

# no-builtins: else LLVM makes calls to memset and memcpy out of loops, and dies of them. no-jump-tables: else a chain of
# comparisons becomes a table in .rodata. nounwind: else there is an .eh_frame, which libbpf warns of.
ATTRIBUTES = 'nounwind "no-builtins" "no-jump-tables"="true"'


def lower_function(function: ir.Function, debug: DebugInfo, shared: Shared) -> str:
    """The definition, as text."""
    context = function.hook.context
    parameter = debug.pointer_to(debug.opaque_structure(context.name, context.size))
    # A name that C could not have would make the kernel refuse the BTF.
    parameter_name = function.packet_name if function.packet_name.isascii() else "ctx"
    subprogram = debug.subprogram(function.name, function.span, parameter_name, parameter)
    frame = Frame(function, ALL_EXPRESSIONS, debug, subprogram, shared, function.on_fault)
    frame.accumulators = accumulators(function.body)
    frame.walks_often = walks_often(function.body)
    frame.grows = grows(function.body)
    lower_body(frame, function.body)
    frame.finish()
    frame.begin()
    section = string(function.hook.sections[0].encode())
    head = f"define dso_local i32 @{function.name}(ptr {CONTEXT}) {ATTRIBUTES} section {section} !dbg {subprogram} {{"
    return "\n".join([head, *frame.writer.lines(), "}"]) + "\n"


def lower_body(frame: Frame, body: tuple[ir.Stmt, ...]) -> None:
    for statement in body:
        if frame.writer.terminated:
            return  # nothing leads here
        with frame.at(statement.span):
            STATEMENTS[type(statement)](frame, statement)


def lower_assign(frame: Frame, node: ir.Assign) -> None:
    type_ = node.local.type
    if is_in_memory(type_):
        value, alignment = place_of(frame, node.value)
        copy(frame, value, frame.local(node.local), type_.size, min(alignment, type_.alignment))
        return
    value, hidden = frame.value(node.value), node.local in frame.accumulators
    if hidden:
        # In its arm: of assignments on many ways LLVM would make choices at the end, and keep all that they depend on until then.
        value = frame.writer.barrier(llvm_type(type_), value)
    frame.writer.store(llvm_type(type_), value, frame.local(node.local))
    if hidden and isinstance(node.value, ir.Const):
        hide(frame, (node.local,))
    frame.packet = frame.packet.assigned(node.local, value)


def lower_if(frame: Frame, node: ir.If) -> None:
    then, orelse, end = (frame.writer.label(hint) for hint in ("then", "else", "end"))
    lower_test(frame, node.test, then, orelse)
    for label, body in ((then, node.then), (orelse, node.orelse)):
        frame.place(label)
        lower_body(frame, body)
        frame.jump(end)
    frame.place(end)


def lower_return(frame: Frame, node: ir.Return) -> None:
    if isinstance(node.value, ir.Const) and isinstance(node.value.value, int):
        frame.unlock()
        frame.end_loops()
        frame.writer.jump(frame.exits.returning(node.value.value))
        return
    # Opaque: see FaultExits.place.
    value = frame.value(node.value)
    frame.unlock()
    frame.end_loops()
    frame.writer.ret(f"i32 {frame.writer.barrier('i32', value)}")


def lower_assert(frame: Frame, node: ir.Assert) -> None:
    on = frame.writer.label("on")
    lower_test(frame, node.test, on, frame.fault(node.message))
    frame.place(on)


def lower_evaluate(frame: Frame, node: ir.Evaluate) -> None:
    frame.value(node.value)


ALL_EXPRESSIONS: Expressions = {
    **EXPRESSIONS,
    ir.InlinedCall: lambda frame, node: lower_inlined_call(frame, node, lower_body),
    ir.SubprogramCall: lower_subprogram_call,
}

STATEMENTS: Mapping[type, Callable[[Frame, Any], None]] = {
    ir.Assign: lower_assign,
    ir.SetState: lower_set_state,
    ir.UpdateState: lower_update_state,
    ir.SetHeader: lower_set_header,
    ir.SetContext: lower_set_context,
    ir.SetMap: lower_set_map,
    ir.UpdateMap: lower_update_map,
    ir.DeleteMap: lower_delete_map,
    ir.QueuePush: lower_queue_push,
    ir.SetPlace: lower_set_place,
    ir.SetTlv: lower_set_tlv,
    ir.SetWire: lower_set_wire,
    ir.UpdatePlace: lower_update_place,
    ir.AppendTlv: lower_append_tlv,
    ir.InsertTlv: lower_insert_tlv,
    ir.RemoveTlv: lower_remove_tlv,
    ir.Log: lower_log,
    ir.Reserve: lower_reserve,
    ir.Release: lower_release,
    ir.If: lower_if,
    ir.ForRange: lambda frame, node: (lower_long_loop if node.counted_by_kernel else lower_for_range)(frame, node, lower_body),
    ir.Locked: lambda frame, node: lower_locked(frame, node, lower_body),
    ir.Break: lower_break,
    ir.Exhausted: lower_exhausted,
    ir.Continue: lower_continue,
    ir.Leave: lower_leave,
    ir.TailCall: lower_tail_call,
    ir.Return: lower_return,
    ir.Assert: lower_assert,
    ir.Evaluate: lower_evaluate,
}
