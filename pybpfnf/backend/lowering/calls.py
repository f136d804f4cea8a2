"""Calls of an author's functions, and the values that may be None which they take and give."""

from __future__ import annotations

from collections.abc import Callable

from pybpfnf.backend.building.frame import Frame
from pybpfnf.backend.building.values import is_in_memory, llvm_type
from pybpfnf.backend.lowering.structs import constant_buffer, copy, place_of
from pybpfnf.backend.lowering.view import NONE as NO_VIEW
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import OptionalType, PacketViewType, StructType

_WORD = 8
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
    """Of a struct of its own all words are written: the whole is copied, and older verifiers refuse to read what nobody wrote."""
    if is_in_memory(node.type):
        return constant_buffer(frame, bytes(node.type.size))
    if isinstance(node.type.inner, PacketViewType):
        return NO_VIEW
    return {"ptr": "null", "i64": "0"}.get(llvm_type(node.type), "zeroinitializer")


def lower_present(frame: Frame, node: ir.Present) -> str:
    if isinstance(node.type.inner, StructType):
        return _whole(frame, node.operand, node.type.inner)
    value, type_ = frame.value(node.operand), llvm_type(node.type)
    if type_ in ("ptr", "i64"):
        return value
    there = frame.writer.value(f"insertvalue {type_} poison, i1 true, 0")
    return frame.writer.value(f"insertvalue {type_} {there}, {llvm_type(node.operand.type)} {value}, 1")


def _whole(frame: Frame, value: ir.Expr, type_: StructType) -> str:
    """A copy of a struct, and behind it the word that says it is there."""
    place, aligned = place_of(frame, value)
    words = OptionalType(type_).size - _WORD
    room = frame.room(words + _WORD)
    if type_.size < words:
        frame.writer.store("i64", 0, frame.writer.offset(room, words - _WORD), _WORD)
    copy(frame, place, room, type_.size, min(aligned, type_.alignment))
    frame.writer.store("i64", 1, frame.writer.offset(room, words), _WORD)
    return room
