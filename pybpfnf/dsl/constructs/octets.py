"""Raw bytes: what goes where so many of them are, and what they are compared with."""

from __future__ import annotations

import ast

from pybpfnf.dsl import ir
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.operands import describe
from pybpfnf.dsl.building.values import Constant, Poison, Typed, Value
from pybpfnf.dsl.types import OctetsType


def octets_value(b: Builder, type_: OctetsType, value: Value, node: ast.expr, where: str) -> ir.Expr | bytes:
    """Constant bytes, or as many that lie somewhere; anything else is reported. `where` is the subject of the message."""
    match value:
        case Constant(bytes() as data) if len(data) == type_.size:
            return data
        case Constant(bytes() as data):
            b.error("type", f"{where} has {type_.size} bytes, and this has {len(data)}", node, f"write {type_.size} bytes")
        case Typed(expr) if expr.type == type_:
            return expr
        case Typed(expr) if isinstance(expr.type, OctetsType):
            message = f"{where} has {type_.size} bytes, and `{b.text(node)}` has {expr.type.size}"
            b.error("type", message, node, "give both one length")
        case Poison():
            pass
        case _:
            b.error("type", f"{where} is {type_.size} bytes, and `{b.text(node)}` is {describe(value)}", node, 'write b"..."')
    return bytes(type_.size)


def as_octets(b: Builder, value: Value, other: Value, node: ast.expr) -> Value:
    """Constant bytes that stand beside raw bytes are such too, where they are as many."""
    if isinstance(value, Constant) and isinstance(value.value, bytes) and isinstance(other, Typed):
        type_ = other.expr.type
        if isinstance(type_, OctetsType) and type_.size == len(value.value):
            return Typed(ir.Const(value.value, type_, b.span(node)))
    return value


def lengths_differ(left: Value, right: Value) -> tuple[int, int] | None:
    """The lengths of two runs of bytes that are never equal, as one is longer; None for anything else."""
    lengths = [_length(value) for value in (left, right)]
    if None in lengths or lengths[0] == lengths[1]:
        return None
    return lengths[0] or 0, lengths[1] or 0


def _length(value: Value) -> int | None:
    match value:
        case Constant(bytes() as data):
            return len(data)
        case Typed(expr) if isinstance(expr.type, OctetsType):
            return expr.type.size
        case _:
            return None
