"""Comparisons, chained ones too, `is None` and `k in m`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from ipaddress import IPv6Network
from typing import TypeAlias, TypeGuard, final

from pybpfnf.dsl import ir
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.hooks import HOOKS
from pybpfnf.dsl.building.operands import article, as_number, describe, present, same_type, zero
from pybpfnf.dsl.building.values import POISON, Choice, Constant, HeaderView, Literal, Nothing, Poison, Typed, Value
from pybpfnf.dsl.constructs.map import contains
from pybpfnf.dsl.constructs.octets import as_octets, lengths_differ
from pybpfnf.dsl.constructs.packet import fresh
from pybpfnf.dsl.types import (
    ADDRESS,
    BOOL,
    VERDICT,
    ArrayType,
    IntType,
    OctetsType,
    OptionalType,
    PacketViewType,
    Type,
    WireArrayType,
    struct_of,
)
from pybpfnf.records import dataclass

ORDER_OPS: Mapping[type[ast.cmpop], ir.CompareOp] = {
    ast.Eq: ir.CompareOp.EQ,
    ast.NotEq: ir.CompareOp.NE,
    ast.Lt: ir.CompareOp.LT,
    ast.LtE: ir.CompareOp.LE,
    ast.Gt: ir.CompareOp.GT,
    ast.GtE: ir.CompareOp.GE,
}
_Plain: TypeAlias = Typed | Literal | Choice
_EQUALITY = frozenset({ir.CompareOp.EQ, ir.CompareOp.NE})
_FOLDS: Mapping[ir.CompareOp, Callable[[int, int], bool]] = {
    ir.CompareOp.EQ: lambda a, b: a == b,
    ir.CompareOp.NE: lambda a, b: a != b,
    ir.CompareOp.LT: lambda a, b: a < b,
    ir.CompareOp.LE: lambda a, b: a <= b,
    ir.CompareOp.GT: lambda a, b: a > b,
    ir.CompareOp.GE: lambda a, b: a >= b,
}


def build_compare(b: Builder, node: ast.Compare) -> Value:
    if len(node.ops) > 1:
        return _chain(b, node)
    return COMPARE_OPS[type(node.ops[0])](b, node)


def _ordered(b: Builder, node: ast.Compare) -> Value:
    right = node.comparators[0]
    return Typed(compare(b, ORDER_OPS[type(node.ops[0])], (b.expr(node.left), b.expr(right)), (node.left, right), node))


def compare(b: Builder, op: ir.CompareOp, values: tuple[Value, Value], nodes: tuple[ast.expr, ast.expr], whole: ast.expr) -> ir.Expr:
    left, right = values
    if isinstance(left, Nothing) or isinstance(right, Nothing):
        other = b.text(nodes[0] if isinstance(right, Nothing) else nodes[1])
        word = "is not" if op is ir.CompareOp.NE else "is"
        b.error("type", "None is asked for with `is`", whole, f"write `{other} {word} None`")
        return zero(BOOL, whole, b)
    left, right = present(b, left, nodes[0]), present(b, right, nodes[1])
    for value, node in ((left, nodes[0]), (right, nodes[1])):
        if isinstance(value, Typed) and (items := _items(value.expr.type)) is not None:
            text = b.text(node)
            hint = f"compare its items: `for i in range({items}):`, and `{text}[i]`"
            b.error("type", f"`{text}` is {describe(value)}, which is compared item by item", whole, hint)
            return zero(BOOL, whole, b)
    left, right = as_octets(b, left, right, nodes[0]), as_octets(b, right, left, nodes[1])
    if (lengths := lengths_differ(left, right)) is not None:
        message = f"{lengths[0]} bytes are compared with {lengths[1]}: they are never equal"
        b.error("type", message, whole, "compare as many bytes")
        return zero(BOOL, whole, b)
    if isinstance(left, Typed) and isinstance(right, Typed) and _is_compared_whole(left.expr.type, right.expr.type):
        return _equal(b, op, left.expr, right.expr, whole)
    if _is_address(left) != _is_address(right) and not (_is_plain(left) and _is_plain(right)):
        return _address_and_other(b, (left, right), nodes, whole)
    if _is_plain(left) and _is_plain(right):
        message = f"`{b.text(nodes[0])}` is {describe(left)}, and `{b.text(nodes[1])}` is {describe(right)}"
        return _differ(b, left, right, message, whole) or _compare_numbers(b, op, left, right, nodes, whole)
    return _compare_numbers(b, op, left, right, nodes, whole)


def _items(type_: Type) -> int | None:
    """How many items a value has; None for one that is no array."""
    within = type_.of if isinstance(type_, PacketViewType) else type_
    return within.count if isinstance(within, ArrayType | WireArrayType) else None


def _is_address(value: Value) -> bool:
    return isinstance(value, Typed) and value.expr.type == ADDRESS


def _address_and_other(b: Builder, values: tuple[Value, Value], nodes: tuple[ast.expr, ast.expr], whole: ast.expr) -> ir.Expr:
    """Report what an address is compared with and that is none."""
    which = 1 if _is_address(values[0]) else 0
    other, text = values[which], b.text(nodes[which])
    if not isinstance(other, Poison):
        thing = other.value if isinstance(other, Constant) else None
        fitting = {IPv6Network: f"write `{b.text(nodes[1 - which])} in {text}`", str: f"write `IPv6Address({text})`"}
        hint = fitting.get(type(thing), "compare it with an address")
        b.error("type", f"an IPv6Address is compared with `{text}`, which is {describe(other)}", whole, hint)
    return zero(BOOL, whole, b)


def _is_compared_whole(one: Type, other: Type) -> bool:
    """Whether two values are equal or not, without an order: by value, wherever they lie."""
    return (one == other and (one in (BOOL, VERDICT, ADDRESS) or isinstance(one, OctetsType))) or (
        struct_of(one) is not None and struct_of(one) == struct_of(other)
    )


def _is_plain(value: Value) -> TypeGuard[_Plain]:
    return isinstance(value, Typed | Literal | Choice)


def _differ(b: Builder, left: _Plain, right: _Plain, message: str, whole: ast.expr) -> ir.Expr | None:
    """Report two values that are never equal because their types differ; None where both are integers."""
    kinds = [None if isinstance(v, Literal | Choice) or isinstance(v.expr.type, IntType) else v.expr.type for v in (left, right)]
    if kinds == [None, None]:
        return None
    b.error("type", f"two types are compared: {message}", whole, "compare values of one type")
    return zero(BOOL, whole, b)


def _equal(b: Builder, op: ir.CompareOp, left: ir.Expr, right: ir.Expr, whole: ast.expr) -> ir.Expr:
    if op not in _EQUALITY:
        b.error("type", f"`{op.value}` takes integers: {article(left.type)} is equal or not", whole, "write `==` or `!=`")
        return zero(BOOL, whole, b)
    return ir.Compare(op, left, right, b.span(whole))


def _compare_numbers(b: Builder, op: ir.CompareOp, left: Value, right: Value, nodes: tuple[ast.expr, ast.expr], whole: ast.expr) -> ir.Expr:
    one, other = (as_number(b, value, node, f"`{op.value}`") for value, node in zip((left, right), nodes, strict=True))
    if isinstance(one, Poison) or isinstance(other, Poison):
        return zero(BOOL, whole, b)
    if isinstance(one, Literal) and isinstance(other, Literal) and not (one.unknown or other.unknown):
        return ir.Const(int(_FOLDS[op](one.value, other.value)), BOOL, b.span(whole))
    if not isinstance(one, Typed) and not isinstance(other, Typed):
        return _compare_choices(b, op, one, other, whole)
    operands = same_type(b, one, other, nodes)
    if isinstance(operands, Poison):
        return zero(BOOL, whole, b)
    return ir.Compare(op, *operands, b.span(whole))


def _compare_choices(b: Builder, op: ir.CompareOp, one: Literal | Choice, other: Literal | Choice, whole: ast.expr) -> ir.Expr:
    """`(1 if c else 2) == 2`: each arm is compared by itself."""
    for choice, rest, flipped in ((one, other, False), (other, one, True)):
        if isinstance(choice, Choice):
            then, orelse = (
                _compare_choices(b, op, rest if flipped else arm, arm if flipped else rest, whole) for arm in (choice.then, choice.orelse)
            )
            return ir.Conditional(choice.test, then, orelse, BOOL, choice.span)
    assert isinstance(one, Literal)
    assert isinstance(other, Literal)
    return ir.Const(int(_FOLDS[op](one.value, other.value)), BOOL, b.span(whole))


def _identity(b: Builder, node: ast.Compare) -> Value:
    """`x is None`, `x is not None`: the one use of `is`."""
    right = node.comparators[0]
    negated = isinstance(node.ops[0], ast.IsNot)
    left, other = b.expr(node.left), b.expr(right)
    if not isinstance(other, Nothing):
        word = "!=" if negated else "=="
        return b.error("type", "`is` asks for None alone", node, f"write `{b.text(node.left)} {word} {b.text(right)}`")
    span = b.span(node)
    match left:
        case Poison():
            return Typed(zero(BOOL, node, b))
        case Typed(expr) if isinstance(expr.type, OptionalType):
            test: ir.Expr = ir.IsNone(expr, span)
            return Typed(ir.Not(test, span) if negated else test)
        case HeaderView(header) if header.name not in HOOKS[b.hook.name].always:
            if isinstance(fresh(b, left, node.left), Poison):
                return POISON
            has = ir.HasHeader(header, span)
            return Typed(has if negated else ir.Not(has, span))
        case Typed() | Literal() | Choice():
            # Found already, or given a value where it missed: known.
            return Typed(ir.Const(int(negated), BOOL, span))
        case _:
            hint = "leave the question out" if isinstance(left, HeaderView) else "ask it of `m.get(k)`"
            return b.error("type", f"`{b.text(node.left)}` is {describe(left)}, never None", node, hint)


def _membership(b: Builder, node: ast.Compare) -> Value:
    """`k in m`, `address in PREFIX`, and their opposites."""
    test = contains(b, node.left, node.comparators[0], node)
    if isinstance(test, Poison):
        return test
    return Typed(ir.Not(test, b.span(node)) if isinstance(node.ops[0], ast.NotIn) else test)


COMPARE_OPS: Mapping[type[ast.cmpop], Callable[[Builder, ast.Compare], Value]] = {
    **dict.fromkeys(ORDER_OPS, _ordered),
    ast.Is: _identity,
    ast.IsNot: _identity,
    ast.In: _membership,
    ast.NotIn: _membership,
}


def _chain(b: Builder, node: ast.Compare) -> Value:
    """`a < b < c`: `a < b and b < c`, with b evaluated once."""
    for op in node.ops:
        if type(op) not in ORDER_OPS:
            return b.error("unsupported", "`is` and `in` do not stand in a chain of comparisons", node, "join two with `and`")
    first = _once(b, present(b, b.expr(node.left), node.left), node.left)
    return Typed(_bound(first, _links(b, node, 0, first.value)))


def _links(b: Builder, node: ast.Compare, index: int, left: Value) -> ir.Expr:
    op = ORDER_OPS[type(node.ops[index])]
    left_node = node.left if index == 0 else node.comparators[index - 1]
    right_node = node.comparators[index]
    right = present(b, b.expr(right_node), right_node)
    last = index == len(node.ops) - 1
    if last:
        return compare(b, op, (left, right), (left_node, right_node), node)
    middle = _once(b, right, right_node)
    link = compare(b, op, (left, middle.value), (left_node, right_node), node)
    rest = _links(b, node, index + 1, middle.value)
    return _bound(middle, ir.Logical(ir.LogicalOp.AND, link, rest, b.span(node)))


@final
@dataclass(frozen=True, slots=True)
class _Once:
    """A value that is used twice: in `local`, bound to `bound`, where evaluating it again would not be the same."""

    value: Value
    local: ir.Local | None = None
    bound: ir.Expr | None = None


def _once(b: Builder, value: Value, node: ast.expr) -> _Once:
    if not isinstance(value, Typed) or isinstance(value.expr, ir.Const | ir.LocalRead):
        return _Once(value)
    local = b.locals.temporary(value.expr.type)
    return _Once(Typed(ir.LocalRead(local, local.type, b.span(node))), local, value.expr)


def _bound(once: _Once, body: ir.Expr) -> ir.Expr:
    if once.local is None or once.bound is None:
        return body
    return ir.Let(once.local, once.bound, body, body.type, body.span)
