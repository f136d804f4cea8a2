"""Python's own functions on integers: `min`, `max`, `abs`."""

from __future__ import annotations

import ast

from pybpfnf.dsl import ir
from pybpfnf.dsl.building.arguments import Parameter, bind
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.conversions import common_type
from pybpfnf.dsl.building.operands import as_number, convert, default_typed, same_type, settle
from pybpfnf.dsl.building.values import POISON, Literal, Number, Poison, Typed, Value
from pybpfnf.dsl.constructs.expr import counted
from pybpfnf.dsl.types import IntType


def build_extreme(b: Builder, op: ir.BinaryOp, node: ast.Call) -> Value:
    """`min(a, b, ...)`: of two or more integers, in the type that the table of result types gives them."""
    name = op.value
    if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args) or len(node.args) < 2:
        return b.error("arguments", f"`{name}` takes two integers or more here", node, f"write `{name}(a, b)`")
    numbers = [as_number(b, b.expr(argument), argument, f"`{name}`") for argument in node.args]
    plain = [number for number in numbers if not isinstance(number, Poison)]
    if len(plain) < len(numbers):
        return POISON
    if all(isinstance(number, Literal) for number in plain):
        return _fold(op, [number for number in plain if isinstance(number, Literal)])
    widest = _widest(plain)
    if widest is not None:
        plain = [_as_wide(b, number, widest, argument) for number, argument in zip(plain, node.args, strict=True)]
    result, where = plain[0], node.args[0]
    for number, argument in zip(plain[1:], node.args[1:], strict=True):
        extreme = _extreme(b, op, (result, number), (where, argument), node)
        if isinstance(extreme, Poison):
            return POISON
        result = extreme
    return result


def _fold(op: ir.BinaryOp, literals: list[Literal]) -> Literal:
    if any(literal.unknown for literal in literals):
        return Literal(0, unknown=True)
    return Literal((min if op is ir.BinaryOp.MIN else max)(literal.value for literal in literals))


def _widest(numbers: list[Number]) -> IntType | None:
    """The type of the operands that have one; None where none has, or where they do not go together."""
    types = [number.expr.type for number in numbers if isinstance(number, Typed) and number.counter is None]
    integers = [type_ for type_ in types if isinstance(type_, IntType)]
    return next((type_ for type_ in integers if all(common_type(type_, other) == type_ for other in integers)), None)


def _as_wide(b: Builder, number: Number, widest: IntType, node: ast.expr) -> Number:
    """A literal has the type that the others have together, wherever it stands among them."""
    if not isinstance(number, Typed):
        return Typed(settle(b, number, widest, node))
    return number if number.counter is not None else Typed(convert(number.expr, widest))


def _extreme(
    b: Builder, op: ir.BinaryOp, operands: tuple[Number, Number], nodes: tuple[ast.expr, ast.expr], node: ast.Call
) -> Number | Poison:
    left, right = operands
    if not isinstance(left, Typed) and not isinstance(right, Typed):
        settled = default_typed(b, left, nodes[0])
        if not isinstance(settled, Typed):
            return POISON
        left = settled
    same = same_type(b, left, right, nodes)
    if isinstance(same, Poison):
        return POISON
    type_ = same[0].type
    assert isinstance(type_, IntType)
    return counted(ir.Binary(op, *same, type_, b.span(node)), left, right)


def build_absolute(b: Builder, node: ast.Call) -> Value:
    """`abs(x)`: of x's type, to which the result is reduced."""
    bound = bind(b, node, (Parameter("x"),), "abs")
    if bound is None:
        return POISON
    number = as_number(b, b.expr(bound["x"]), bound["x"], "`abs`")
    if isinstance(number, Literal):
        return number if number.unknown else Literal(abs(number.value))
    typed = default_typed(b, number, bound["x"])
    if not isinstance(typed, Typed):
        return POISON
    type_ = typed.expr.type
    assert isinstance(type_, IntType)
    return Typed(ir.Unary(ir.UnaryOp.ABS, typed.expr, type_, b.span(node)))
