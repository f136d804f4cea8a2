"""Expressions: the table that says which function lowers which node, and the nodes that have no family of their own."""

from __future__ import annotations

from pybpfnf.abi.helpers import Arg
from pybpfnf.backend.building.frame import CONTEXT, Expressions, Frame
from pybpfnf.backend.building.values import is_in_memory, is_optional_struct, llvm_type
from pybpfnf.backend.lowering.arithmetic import lower_binary, lower_compare, lower_convert, lower_in_prefix, lower_unary
from pybpfnf.backend.lowering.calls import lower_absent, lower_present
from pybpfnf.backend.lowering.encap import lower_push_encap
from pybpfnf.backend.lowering.events import lower_emit, lower_emit_test
from pybpfnf.backend.lowering.find import (
    lower_find_tlv,
    lower_is_tlv,
    lower_next_tlv,
    lower_tlv_as,
    lower_tlv_item,
    lower_tlv_length,
    lower_tlv_read,
)
from pybpfnf.backend.lowering.find_header import lower_find_header
from pybpfnf.backend.lowering.maps import lower_map_get, lower_map_read, map_contains
from pybpfnf.backend.lowering.memory import lower_context_read, lower_variable_read
from pybpfnf.backend.lowering.packet import lower_has_header, lower_header_read
from pybpfnf.backend.lowering.queues import lower_queue_take
from pybpfnf.backend.lowering.receive_time import lower_receive_time
from pybpfnf.backend.lowering.redirect import lower_clone_redirect, lower_redirect
from pybpfnf.backend.lowering.seg6 import lower_seg6_action_call
from pybpfnf.backend.lowering.segments import lower_segment_count, lower_segment_read
from pybpfnf.backend.lowering.structs import lower_array_value, lower_constant, lower_equal, lower_place, lower_struct_value
from pybpfnf.backend.lowering.view import NONE, lower_view_at, lower_wire_read
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import OctetsType, OptionalType, PacketViewType, TlvViewType, Type, ViewType, is_reserved, struct_of


def lower_local_read(frame: Frame, node: ir.LocalRead) -> str:
    if is_in_memory(node.type):
        return frame.local(node.local)
    return frame.writer.load(llvm_type(node.local.type), frame.local(node.local))


def lower_let(frame: Frame, node: ir.Let) -> str:
    frame.writer.store(llvm_type(node.local.type), frame.value(node.value), frame.local(node.local))
    return frame.value(node.body)


def lower_any_compare(frame: Frame, node: ir.Compare) -> str:
    if struct_of(node.left.type) is None and not isinstance(node.left.type, OctetsType):
        return lower_compare(frame, node)
    equal = lower_equal(frame, node.left, node.right)
    return equal if node.op is ir.CompareOp.EQ else frame.writer.negate(equal)


def lower_not(frame: Frame, node: ir.Not) -> str:
    return frame.writer.negate(frame.value(node.operand))


def lower_conditional(frame: Frame, node: ir.Conditional) -> str:
    w = frame.writer
    result, type_ = w.slot(llvm_type(node.type)), llvm_type(node.type)
    then, orelse, end = (w.label(hint) for hint in ("then", "else", "end"))
    lower_test(frame, node.test, then, orelse)
    for label, arm in ((then, node.then), (orelse, node.orelse)):
        frame.place(label)
        value = frame.value(arm)
        # A pointer is opaque from its arm on: else LLVM would copy it before the test, on both ways, to have it where they meet.
        w.store(type_, w.barrier(type_, value) if type_ == "ptr" else value, result)
        frame.jump(end)
    frame.place(end)
    return w.load(type_, result)


def lower_logical(frame: Frame, node: ir.Logical) -> str:
    w = frame.writer
    result = w.slot("i1")
    right, end = w.label("right"), w.label("end")
    left = frame.value(node.left)
    w.store("i1", left, result)
    frame.branch(left, *((right, end) if node.op is ir.LogicalOp.AND else (end, right)))
    frame.place(right)
    w.store("i1", frame.value(node.right), result)
    frame.place(end)
    return w.load("i1", result)


def lower_test(frame: Frame, node: ir.Expr, yes: str, no: str) -> None:
    """Branch on a condition, through `and`, `or` and `not` without making their values."""
    match node:
        case ir.Not(operand=operand):
            lower_test(frame, operand, no, yes)
        case ir.Logical(op=op, left=left, right=right):
            on = frame.writer.label("and" if op is ir.LogicalOp.AND else "or")
            lower_test(frame, left, *((on, no) if op is ir.LogicalOp.AND else (yes, on)))
            frame.place(on)
            lower_test(frame, right, yes, no)
        case ir.HasHeader():
            with frame.at(node.span):
                lower_has_header(frame, node, yes, no)
        case ir.Emit():
            with frame.at(node.span):
                lower_emit_test(frame, node, yes, no)
        case ir.IsNone() | ir.MapContains():
            with frame.at(node.span):
                frame.writer.keep_apart()  # from a branch before that asks the same of another look-up
                if isinstance(node, ir.IsNone):
                    frame.branch(is_none(frame, node), yes, no, none=_reserved_slot(frame, node.operand))
                else:
                    frame.branch(map_contains(frame, node), yes, no)
        case _:
            condition = frame.value(node)
            with frame.at(node.span):
                frame.branch(condition, yes, no)


def _reserved_slot(frame: Frame, node: ir.Expr) -> str | None:
    return frame.local(node.local) if isinstance(node, ir.LocalRead) and is_reserved(node.type) else None


def lower_has_header_value(frame: Frame, node: ir.HasHeader) -> str:
    w = frame.writer
    result = w.slot("i1")
    yes, no, end = (w.label(hint) for hint in ("there", "missing", "end"))
    lower_test(frame, node, yes, no)
    for label, answer in ((yes, "true"), (no, "false")):
        frame.place(label)
        w.store("i1", answer, result)
        frame.jump(end)
    frame.place(end)
    return w.load("i1", result)


def _null_check_value(frame: Frame, flag: str) -> str:
    """The answer of a null check as a value, of which LLVM does not see that it is one.

    Of `p != null or q != null` it makes `p | q != 0`, which the verifier refuses ("pointer |= pointer prohibited").
    """
    w = frame.writer
    return w.cast("trunc", "i32", w.barrier("i32", w.cast("zext", "i1", flag, "i32")), "i1")


def lower_is_none(frame: Frame, node: ir.IsNone) -> str:
    return _null_check_value(frame, is_none(frame, node))


def lower_map_contains(frame: Frame, node: ir.MapContains) -> str:
    return _null_check_value(frame, map_contains(frame, node))


def is_none(frame: Frame, node: ir.IsNone) -> str:
    if is_view(node.operand.type):
        return frame.writer.icmp("eq", llvm_type(node.operand.type), frame.value(node.operand), _none(node.operand.type))
    if isinstance(node.operand.type, OptionalType) and is_optional_struct(node.operand.type):
        flag = frame.writer.offset(frame.value(node.operand), node.operand.type.size - 8)
        return frame.writer.icmp("eq", "i64", frame.writer.load("i64", flag, 8), 0)
    there = frame.writer.value(f"extractvalue {llvm_type(node.operand.type)} {frame.value(node.operand)}, 0")
    return frame.writer.negate(there)


def _none(type_: Type) -> str:
    """What stands for None in a look-up of a view."""
    if isinstance(type_, OptionalType) and isinstance(type_.inner, PacketViewType):
        return NONE
    return "null" if llvm_type(type_) == "ptr" else "0"


def is_view(type_: Type) -> bool:
    """Whether a look-up that may miss is a pointer that may be null, or an offset that may stand for None."""
    return isinstance(type_, OptionalType) and isinstance(type_.inner, ViewType | TlvViewType | PacketViewType)


def lower_unwrap(frame: Frame, node: ir.Unwrap) -> str:
    if is_view(node.operand.type) or is_optional_struct(node.operand.type):
        return frame.value(node.operand)
    return frame.writer.value(f"extractvalue {llvm_type(node.operand.type)} {frame.value(node.operand)}, 1")


def lower_helper_call(frame: Frame, node: ir.HelperCall) -> str:
    scalars = iter(node.args)
    arguments = [f"ptr {CONTEXT}" if kind is Arg.CTX else f"i64 {frame.value(next(scalars))}" for kind in node.helper.args]
    result = frame.call(node.helper.name, *arguments, result=llvm_type(node.type))
    if node.helper.changes_packet:
        frame.packet = frame.packet.with_new_headers()
    return result


# All but the calls of functions, which have statements in them.
EXPRESSIONS: Expressions = {
    ir.Const: lower_constant,
    ir.LocalRead: lower_local_read,
    ir.VariableRead: lower_variable_read,
    ir.HeaderRead: lower_header_read,
    ir.ContextRead: lower_context_read,
    ir.ReceiveTime: lower_receive_time,
    ir.Convert: lower_convert,
    ir.Binary: lower_binary,
    ir.Unary: lower_unary,
    ir.Compare: lower_any_compare,
    ir.InPrefix: lower_in_prefix,
    ir.Logical: lower_logical,
    ir.Not: lower_not,
    ir.Let: lower_let,
    ir.Conditional: lower_conditional,
    ir.MapRead: lower_map_read,
    ir.MapGet: lower_map_get,
    ir.MapContains: lower_map_contains,
    ir.QueueTake: lower_queue_take,
    ir.IsNone: lower_is_none,
    ir.Unwrap: lower_unwrap,
    ir.HelperCall: lower_helper_call,
    ir.Seg6ActionCall: lower_seg6_action_call,
    ir.HasHeader: lower_has_header_value,
    ir.PushEncap: lower_push_encap,
    ir.Redirect: lower_redirect,
    ir.CloneRedirect: lower_clone_redirect,
    ir.StructValue: lower_struct_value,
    ir.ArrayValue: lower_array_value,
    ir.Member: lower_place,
    ir.SegmentCount: lower_segment_count,
    ir.SegmentRead: lower_segment_read,
    ir.FindTlv: lower_find_tlv,
    ir.NextTlv: lower_next_tlv,
    ir.IsTlv: lower_is_tlv,
    ir.TlvAs: lower_tlv_as,
    ir.TlvRead: lower_tlv_read,
    ir.TlvItem: lower_tlv_item,
    ir.TlvLength: lower_tlv_length,
    ir.Item: lower_place,
    ir.Emit: lower_emit,
    ir.ViewAt: lower_view_at,
    ir.FindHeader: lower_find_header,
    ir.WireRead: lower_wire_read,
    ir.WireItem: lower_wire_read,
    ir.Absent: lower_absent,
    ir.Present: lower_present,
}
