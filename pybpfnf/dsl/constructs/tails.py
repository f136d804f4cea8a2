"""Tail calls: `return NEXT[i](pkt)`."""

from __future__ import annotations

import ast

from pybpfnf.dsl import ir
from pybpfnf.dsl.building.arguments import Parameter, bind
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.hooks import HOOKS
from pybpfnf.dsl.building.operands import as_number, describe, settle
from pybpfnf.dsl.building.values import POISON, Literal, PacketView, Poison, ProgramSlot, TailCalling, Typed, Value
from pybpfnf.dsl.constructs.events import check_path_end
from pybpfnf.dsl.types import U32


def program_slot(b: Builder, array: ir.ProgArray, node: ast.Subscript) -> Value:
    """`NEXT[i]`. An index that no slot has is an error where it is constant, else a fault."""
    number = as_number(b, b.expr(node.slice), node.slice, f"the index of `{array.name}`")
    if isinstance(number, Poison):
        return POISON
    if isinstance(number, Typed):
        return ProgramSlot(array, number.expr)
    if isinstance(number, Literal) and not 0 <= number.value < array.size:
        message = f"index {number.value} is out of range: `{array.name}` has {array.size}"
        return b.error("overflow", message, node, f"write 0 to {array.size - 1}")
    return ProgramSlot(array, settle(b, number, U32, node.slice))


def call_program(b: Builder, slot: ProgramSlot, node: ast.Call) -> Value:
    """`NEXT[i](pkt)`."""
    bound = bind(b, node, (Parameter("packet"),), b.text(node.func))
    if bound is None:
        return POISON
    packet = b.expr(bound["packet"])
    if isinstance(packet, Poison):
        return POISON
    if not isinstance(packet, PacketView):
        message = f"a program takes the packet, and `{b.text(bound['packet'])}` is {describe(packet)}"
        return b.error("type", message, bound["packet"], f"write `{b.text(node.func)}({b.packet_name})`")
    if b.called is not None:
        message = f"`{b.called.function.name}` is called, and a tail call does not come back to who called it"
        return b.error("unsupported", message, node, f"give the index to the network function: `return {slot.array.name}[...](pkt)`")
    return TailCalling(ir.TailCall(slot.array, slot.index, b.span(node)))


def build_tail_call(b: Builder, call: ir.TailCall, node: ast.Return) -> tuple[ir.Stmt, ...]:
    """`return NEXT[i](pkt)`: the path ends.

    At a SID a program takes the SRH for one that the kernel has checked, of the length that its own header says; after `append` or an
    action it is another's, and that length is put in only when the last program has returned.
    """
    check_path_end(b, node)
    moved = b.flow.moved
    if moved is not None and HOOKS[b.hook.name].always:
        message = f"line {b.line_of(moved)} changed the packet's headers, which the program that is called takes as they came"
        b.error("stale-view", message, node, "change them in the program that is called last, or do all of it in one program")
    b.flow.reachable = False
    return (call,)
