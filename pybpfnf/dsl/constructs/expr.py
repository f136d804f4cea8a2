"""Arithmetic, `not`, `and`, `or`, and `x if c else y`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import replace

from pybpfnf.dsl import ir
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.conversions import join_types
from pybpfnf.dsl.building.facts import facts
from pybpfnf.dsl.building.intervals import known_values
from pybpfnf.dsl.building.narrow import narrowed
from pybpfnf.dsl.building.operands import as_bool, as_number, default_typed, describe, present, same_type, settle
from pybpfnf.dsl.building.values import POISON, Choice, Literal, Number, Poison, Typed, Value
from pybpfnf.dsl.types import S64, U64, IntType

BINARY_OPS: Mapping[type[ast.operator], ir.BinaryOp] = {
    ast.Add: ir.BinaryOp.ADD,
    ast.Sub: ir.BinaryOp.SUB,
    ast.Mult: ir.BinaryOp.MUL,
    ast.BitAnd: ir.BinaryOp.AND,
    ast.BitOr: ir.BinaryOp.OR,
    ast.BitXor: ir.BinaryOp.XOR,
    ast.FloorDiv: ir.BinaryOp.FLOORDIV,
    ast.Mod: ir.BinaryOp.MOD,
    ast.LShift: ir.BinaryOp.LSHIFT,
    ast.RShift: ir.BinaryOp.RSHIFT,
}
_SHIFTS = frozenset({ir.BinaryOp.LSHIFT, ir.BinaryOp.RSHIFT})
_FOLDS: Mapping[ir.BinaryOp, Callable[[int, int], int]] = {
    ir.BinaryOp.ADD: lambda a, b: a + b,
    ir.BinaryOp.SUB: lambda a, b: a - b,
    ir.BinaryOp.MUL: lambda a, b: a * b,
    ir.BinaryOp.AND: lambda a, b: a & b,
    ir.BinaryOp.OR: lambda a, b: a | b,
    ir.BinaryOp.XOR: lambda a, b: a ^ b,
    ir.BinaryOp.FLOORDIV: lambda a, b: a // b,
    ir.BinaryOp.MOD: lambda a, b: a % b,
    ir.BinaryOp.LSHIFT: lambda a, b: a << b,
    ir.BinaryOp.RSHIFT: lambda a, b: a >> b,
}
_LONGEST_LITERAL = 256  # bits: far more than any type, few enough that folding stays quick


def build_binary(b: Builder, node: ast.BinOp) -> Value:
    left, right = b.expr(node.left), b.expr(node.right)
    return binary(b, node.op, (left, right), (node.left, node.right), node)


def binary(
    b: Builder, op: ast.operator, values: tuple[Value, Value], nodes: tuple[ast.expr, ast.expr], whole: ast.expr | ast.stmt
) -> Value:
    """`left op right` by the table of result types; `whole` is where it stands."""
    row = BINARY_OPS.get(type(op))
    if row is None:
        return b.refuse(op, whole)
    role = f"`{row.value}`"
    left, right = (as_number(b, value, node, role) for value, node in zip(values, nodes, strict=True))
    if isinstance(left, Poison) or isinstance(right, Poison):
        return POISON
    if isinstance(left, Literal | Choice) and isinstance(right, Literal | Choice):
        return _fold(b, row, left, right, nodes, whole)
    if row in _SHIFTS:
        return _shift(b, row, left, right, nodes, whole)
    operands = same_type(b, left, right, nodes)
    if isinstance(operands, Poison):
        return POISON
    type_ = operands[0].type
    assert isinstance(type_, IntType)
    return counted(ir.Binary(row, *operands, type_, b.span(whole)), left, right)


def counted(made: ir.Binary, left: Number, right: Number) -> Typed:
    """What is computed from loop counters and literals alone is like a literal too."""
    of_counters = all(isinstance(operand, Literal) or (isinstance(operand, Typed) and operand.counter) for operand in (left, right))
    return Typed(made, known_values(made) if of_counters else None)


def _shift(b: Builder, op: ir.BinaryOp, left: Number, right: Number, nodes: tuple[ast.expr, ast.expr], whole: ast.expr | ast.stmt) -> Value:
    """The left operand's type; the count keeps its own."""
    value = default_typed(b, left, nodes[0])
    if not isinstance(value, Typed):
        return POISON
    type_ = value.expr.type
    assert isinstance(type_, IntType)
    if isinstance(right, Typed):
        count = right.expr
    else:
        negative = isinstance(right, Literal) and right.value < 0
        count = settle(b, right, S64 if negative or isinstance(right, Choice) else U64, nodes[1])
    return Typed(ir.Binary(op, value.expr, count, type_, b.span(whole)))


def _fold(
    b: Builder,
    op: ir.BinaryOp,
    left: Literal | Choice,
    right: Literal | Choice,
    nodes: tuple[ast.expr, ast.expr],
    whole: ast.expr | ast.stmt,
) -> Value:
    """Two literals: Python's arithmetic, at once."""
    if isinstance(left, Choice):
        then, orelse = (_fold(b, op, arm, right, nodes, whole) for arm in (left.then, left.orelse))
        return _choice(left, then, orelse)
    if isinstance(right, Choice):
        then, orelse = (_fold(b, op, left, arm, nodes, whole) for arm in (right.then, right.orelse))
        return _choice(right, then, orelse)
    if left.unknown or right.unknown:
        return Literal(0, unknown=True)
    problem = _fold_problem(op, left.value, right.value)
    if problem is not None:
        return b.error("overflow", problem, whole, "write a constant that Python can compute")
    return Literal(_FOLDS[op](left.value, right.value))


def _choice(choice: Choice, then: Value, orelse: Value) -> Value:
    if isinstance(then, Literal | Choice) and isinstance(orelse, Literal | Choice):
        return replace(choice, then=then, orelse=orelse)
    return POISON


def _fold_problem(op: ir.BinaryOp, left: int, right: int) -> str | None:
    if op in (ir.BinaryOp.FLOORDIV, ir.BinaryOp.MOD) and right == 0:
        return "a division by zero"
    if op in _SHIFTS and right < 0:
        return "a shift by a negative count"
    grown = left.bit_length() + (right if op is ir.BinaryOp.LSHIFT else right.bit_length() if op is ir.BinaryOp.MUL else 0)
    if grown > _LONGEST_LITERAL:
        return f"a constant of more than {_LONGEST_LITERAL} bits"
    return None


def build_unary(b: Builder, node: ast.UnaryOp) -> Value:
    return UNARY_OPS[type(node.op)](b, node)


def _not(b: Builder, node: ast.UnaryOp) -> Value:
    operand = as_bool(b, b.expr(node.operand), node.operand, negated=True)
    if isinstance(operand, ir.Const):
        return Typed(replace(operand, value=int(not operand.value)))
    return Typed(ir.Not(operand, b.span(node)))


def _plus(b: Builder, node: ast.UnaryOp) -> Value:
    return as_number(b, b.expr(node.operand), node.operand, "`+`")


def _negate(b: Builder, node: ast.UnaryOp) -> Value:
    return _arithmetic(b, node, ir.UnaryOp.NEG, lambda value: -value)


def _invert(b: Builder, node: ast.UnaryOp) -> Value:
    return _arithmetic(b, node, ir.UnaryOp.INVERT, lambda value: ~value)


def _arithmetic(b: Builder, node: ast.UnaryOp, op: ir.UnaryOp, fold: Callable[[int], int]) -> Value:
    operand = as_number(b, b.expr(node.operand), node.operand, f"`{op.value}`")
    if isinstance(operand, Typed):
        assert isinstance(operand.expr.type, IntType)
        return Typed(ir.Unary(op, operand.expr, operand.expr.type, b.span(node)))
    return operand if isinstance(operand, Poison) else _fold_unary(operand, fold)


def _fold_unary(operand: Literal | Choice, fold: Callable[[int], int]) -> Literal | Choice:
    if isinstance(operand, Choice):
        return replace(operand, then=_fold_unary(operand.then, fold), orelse=_fold_unary(operand.orelse, fold))
    return operand if operand.unknown else Literal(fold(operand.value))


UNARY_OPS: Mapping[type[ast.unaryop], Callable[[Builder, ast.UnaryOp], Value]] = {
    ast.Not: _not,
    ast.UAdd: _plus,
    ast.USub: _negate,
    ast.Invert: _invert,
}

LOGICAL_OPS: Mapping[type[ast.boolop], ir.LogicalOp] = {ast.And: ir.LogicalOp.AND, ast.Or: ir.LogicalOp.OR}


def build_logical(b: Builder, node: ast.BoolOp) -> Value:
    """`and`, `or`: each operand knows what the ones before it found out."""
    return Typed(_logical(b, node, LOGICAL_OPS[type(node.op)], 0))


def _logical(b: Builder, node: ast.BoolOp, op: ir.LogicalOp, index: int) -> ir.Expr:
    operand = node.values[index]
    left = as_bool(b, b.expr(operand), operand)
    if index == len(node.values) - 1:
        return left
    when = facts(operand)
    goes_on = op is ir.LogicalOp.AND
    with b.assuming(when.true if goes_on else when.false, narrowed(left, goes_on)):
        right = _logical(b, node, op, index + 1)
    if isinstance(left, ir.Const):
        decides = bool(left.value) == (op is ir.LogicalOp.OR)
        return left if decides else right
    return ir.Logical(op, left, right, b.span(node))


def build_conditional(b: Builder, node: ast.IfExp) -> Value:
    """`then if test else orelse`, of one type; two literals stay literals."""
    test = as_bool(b, b.expr(node.test), node.test)
    when = facts(node.test)
    with b.assuming(when.true, narrowed(test, True)):
        then = present(b, b.expr(node.body), node.body)
    with b.assuming(when.false, narrowed(test, False)):
        orelse = present(b, b.expr(node.orelse), node.orelse)
    if isinstance(test, ir.Const):
        return then if test.value else orelse
    if isinstance(then, Poison) or isinstance(orelse, Poison):
        return POISON
    if isinstance(then, Literal | Choice) and isinstance(orelse, Literal | Choice):
        return Choice(test, then, orelse, b.span(node))
    arms = _arms(b, then, orelse, node)
    if isinstance(arms, Poison):
        return POISON
    return Typed(ir.Conditional(test, *arms, arms[0].type, b.span(node)))


def _arms(b: Builder, then: Value, orelse: Value, node: ast.IfExp) -> tuple[ir.Expr, ir.Expr] | Poison:
    nodes = (node.body, node.orelse)
    if _is_integer(then) and _is_integer(orelse):
        assert isinstance(then, Literal | Choice | Typed)
        assert isinstance(orelse, Literal | Choice | Typed)
        return same_type(b, then, orelse, nodes)
    if isinstance(then, Typed) and isinstance(orelse, Typed) and join_types(then.expr.type, orelse.expr.type) is not None:
        return then.expr, orelse.expr
    message = f"the arms differ: `{b.text(nodes[0])}` is {describe(then)}, `{b.text(nodes[1])}` is {describe(orelse)}"
    return b.error("type", message, node, "give both arms one type, or write `if` and `else`")


def _is_integer(value: Value) -> bool:
    return isinstance(value, Literal | Choice) or (isinstance(value, Typed) and isinstance(value.expr.type, IntType))
