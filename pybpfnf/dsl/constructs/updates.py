"""`place op= e`, of any place: the value in the place's own type, and whether one instruction can do it to shared memory."""

from __future__ import annotations

import ast
from typing import final

from pybpfnf.dsl import ir
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.operands import convert
from pybpfnf.dsl.building.values import POISON, Poison, Typed
from pybpfnf.dsl.constructs.expr import BINARY_OPS, binary
from pybpfnf.dsl.types import IntType
from pybpfnf.records import dataclass

# What one instruction does atomically (RFC 9669 section 5.3); a subtraction is the addition of the negative.
# These are also the operators whose low bits depend on the operands' low bits alone, so that `e` may be reduced first.
_ATOMIC_OPS = frozenset({ir.BinaryOp.ADD, ir.BinaryOp.SUB, ir.BinaryOp.AND, ir.BinaryOp.OR, ir.BinaryOp.XOR})
_ATOMIC_WIDTHS = frozenset({32, 64})


@final
@dataclass(frozen=True, slots=True)
class AtomicUpdate:
    """The place changes by `op` with `operand`, which has the place's type, at once."""

    op: ir.BinaryOp
    operand: ir.Expr


def is_atomic(op: ast.operator) -> bool:
    """Whether one instruction can do it to memory."""
    return BINARY_OPS.get(type(op)) in _ATOMIC_OPS


def updated(b: Builder, read: ir.Expr, node: ast.AugAssign) -> ir.Expr | Poison:
    """`read op e`, reduced to the type that `read` has."""
    value = binary(b, node.op, (Typed(read), b.expr(node.value)), (node.target, node.value), node)
    if not isinstance(value, Typed):
        return POISON
    assert isinstance(read.type, IntType)
    return convert(value.expr, read.type)


def atomic_update(b: Builder, read: ir.Expr, node: ast.AugAssign, name: str, *, shared: bool) -> AtomicUpdate | Poison:
    """The same for memory that outlives the packet, where `is_atomic`; `shared`: with other CPUs, which takes 32 or 64 bits."""
    value = binary(b, node.op, (Typed(read), b.expr(node.value)), (node.target, node.value), node)
    if not isinstance(value, Typed):
        return POISON
    assert isinstance(value.expr, ir.Binary)
    type_ = read.type
    assert isinstance(type_, IntType)
    op = value.expr.op
    if shared and type_.width not in _ATOMIC_WIDTHS:
        wider = f"{type_.name[0]}32"
        message = f"`{name}` is shared by all CPUs, and `{op.value}=` on {type_.width} bits cannot be atomic"
        return b.error("type", message, node, f"widen `{name}` from {type_} to {wider}")
    return AtomicUpdate(op, convert(value.expr.right, type_))
