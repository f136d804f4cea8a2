"""Calls of an author's functions, and the values that may be None which they take and give."""

from __future__ import annotations

from collections.abc import Callable

from pybpfnf.backend.frame import Frame
from pybpfnf.backend.values import is_in_memory, llvm_type
from pybpfnf.dsl import ir

_Body = Callable[[Frame, tuple[ir.Stmt, ...]], None]


def lower_inlined_call(frame: Frame, node: ir.InlinedCall, lower_body: _Body) -> str:
    end = frame.writer.label("left")
    with frame.inlined(node, end):
        lower_body(frame, node.body)
    frame.place(end)
    if node.result is None:
        return "0"
    place = frame.local(node.result)
    return place if is_in_memory(node.type) else frame.writer.load(llvm_type(node.type), place)


def lower_leave(frame: Frame, node: ir.Leave) -> None:
    frame.unlock_in_call()
    frame.end_loops_in_call()
    frame.jump(frame.leaves[-1])


def lower_absent(frame: Frame, node: ir.Absent) -> str:
    return {"ptr": "null", "i64": "0"}.get(llvm_type(node.type), "zeroinitializer")


def lower_present(frame: Frame, node: ir.Present) -> str:
    value, type_ = frame.value(node.operand), llvm_type(node.type)
    if type_ in ("ptr", "i64"):
        return value
    there = frame.writer.value(f"insertvalue {type_} poison, i1 true, 0")
    return frame.writer.value(f"insertvalue {type_} {there}, {llvm_type(node.operand.type)} {value}, 1")
