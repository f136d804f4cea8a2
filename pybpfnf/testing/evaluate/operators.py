"""Python's own operators, the result reduced to its type."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from pybpfnf.diagnostics import Span
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import IntType, Type
from pybpfnf.testing.evaluate.run import faulting

OPERATORS: Mapping[ir.BinaryOp | ir.UnaryOp | ir.CompareOp, Callable[..., Any]] = {
    ir.BinaryOp.ADD: operator.add,
    ir.BinaryOp.SUB: operator.sub,
    ir.BinaryOp.MUL: operator.mul,
    ir.BinaryOp.AND: operator.and_,
    ir.BinaryOp.OR: operator.or_,
    ir.BinaryOp.XOR: operator.xor,
    ir.BinaryOp.FLOORDIV: operator.floordiv,
    ir.BinaryOp.MOD: operator.mod,
    ir.BinaryOp.LSHIFT: lambda value, count: value << min(count, 64),  # no type is wider: the rest would only take memory
    ir.BinaryOp.RSHIFT: operator.rshift,
    ir.BinaryOp.MIN: min,
    ir.BinaryOp.MAX: max,
    ir.UnaryOp.NEG: operator.neg,
    ir.UnaryOp.INVERT: operator.invert,
    ir.UnaryOp.ABS: operator.abs,
    ir.CompareOp.EQ: operator.eq,
    ir.CompareOp.NE: operator.ne,
    ir.CompareOp.LT: operator.lt,
    ir.CompareOp.LE: operator.le,
    ir.CompareOp.GT: operator.gt,
    ir.CompareOp.GE: operator.ge,
}


def operate(op: ir.BinaryOp, type_: Type, left: int, right: int, span: Span) -> int:
    assert isinstance(type_, IntType)
    with faulting(span):
        return type_.reduce(OPERATORS[op](left, right))
