"""What a comparison says about the integers that it compares: `if n > 16: return DROP` bounds n after it.

    n < 4 where it is true: n <= 3;  where it is false: n >= 4

A Config is known by its type alone, and so proves nothing that the type does not say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from pybpfnf.dsl import ir
from pybpfnf.dsl.building.intervals import Interval, interval_of
from pybpfnf.dsl.types import IntType

_Fact = tuple[ir.Local, Interval]
"""The local's value is within."""

_WITHOUT_END = 1 << 64  # beyond each type's values


def narrowed(test: ir.Expr, holds: bool) -> Mapping[ir.Local, Interval]:
    """What integers in locals can be where the condition holds, or where it does not. Locals of which it says nothing are not in it."""
    found: dict[ir.Local, Interval] = {}
    for local, values in _facts(test, holds):
        both = values.within(found.get(local, _whole(local)))
        if both is not None:  # else nothing leads there
            found[local] = both
    return found


def _facts(test: ir.Expr, holds: bool) -> Iterator[_Fact]:
    match test:
        case ir.Not(operand):
            yield from _facts(operand, not holds)
        case ir.Logical(op, left, right) if holds == (op is ir.LogicalOp.AND):
            yield from _facts(left, holds)
            yield from _facts(right, holds)
        case ir.Let(local, value, body):
            for narrow, values in _facts(body, holds):
                yield from _of_operand(value, values) if narrow == local else ((narrow, values),)
        case ir.Compare(op, left, right) if isinstance(left.type, IntType) and isinstance(right.type, IntType):
            says = op if holds else _NEGATED[op]
            yield from _of_operand(left, _BOUNDS[says](interval_of(right)))
            yield from _of_operand(right, _BOUNDS[_SWAPPED[says]](interval_of(left)))


def _of_operand(node: ir.Expr, values: Interval | None) -> Iterator[_Fact]:
    """What it says about a local that the operand's value comes from, where that is the same number."""
    while isinstance(node, ir.Convert) and isinstance(node.type, IntType) and isinstance(node.operand.type, IntType):
        if not interval_of(node.operand).fits(node.type):
            return
        node = node.operand
    if values is not None and isinstance(node, ir.LocalRead) and isinstance(node.type, IntType):
        both = values.within(interval_of(node))
        if both is not None:
            yield node.local, both


def _whole(local: ir.Local) -> Interval:
    assert isinstance(local.type, IntType)
    return Interval(local.type.minimum, local.type.maximum)


# What `x OP y` says of x, from what y can be.
_BOUNDS: Mapping[ir.CompareOp, Callable[[Interval], Interval | None]] = {
    ir.CompareOp.LT: lambda y: Interval(-_WITHOUT_END, y.high - 1),
    ir.CompareOp.LE: lambda y: Interval(-_WITHOUT_END, y.high),
    ir.CompareOp.GT: lambda y: Interval(y.low + 1, _WITHOUT_END),
    ir.CompareOp.GE: lambda y: Interval(y.low, _WITHOUT_END),
    ir.CompareOp.EQ: lambda y: y,
    ir.CompareOp.NE: lambda _: None,
}
_NEGATED: Mapping[ir.CompareOp, ir.CompareOp] = {
    ir.CompareOp.LT: ir.CompareOp.GE,
    ir.CompareOp.LE: ir.CompareOp.GT,
    ir.CompareOp.GT: ir.CompareOp.LE,
    ir.CompareOp.GE: ir.CompareOp.LT,
    ir.CompareOp.EQ: ir.CompareOp.NE,
    ir.CompareOp.NE: ir.CompareOp.EQ,
}
_SWAPPED: Mapping[ir.CompareOp, ir.CompareOp] = {
    ir.CompareOp.LT: ir.CompareOp.GT,
    ir.CompareOp.LE: ir.CompareOp.GE,
    ir.CompareOp.GT: ir.CompareOp.LT,
    ir.CompareOp.GE: ir.CompareOp.LE,
    ir.CompareOp.EQ: ir.CompareOp.EQ,
    ir.CompareOp.NE: ir.CompareOp.NE,
}
