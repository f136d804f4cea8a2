"""What values an integer expression can have: how the compiler proves that a loop ends, and that an index is in range.

Intervals of mathematical integers. Where an operation could leave its type, nothing is known but the type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import final

from pybpfnf.abi.headers import MOST_SEGMENTS
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import BoolType, IntType, ItemsType, TlvField
from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` to `high`, both included."""

    low: int
    high: int

    def fits(self, type_: IntType) -> bool:
        return type_.holds(self.low) and type_.holds(self.high)

    def joined(self, other: Interval) -> Interval:
        return Interval(min(self.low, other.low), max(self.high, other.high))

    def within(self, other: Interval) -> Interval | None:
        """What both have; None where that is nothing."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Interval(low, high) if low <= high else None


def interval_of(node: ir.Expr) -> Interval:
    """The values of an expression of an IntType."""
    assert isinstance(node.type, IntType)
    whole = Interval(node.type.minimum, node.type.maximum)
    known = _known(node)
    return known if known is not None and known.fits(node.type) else whole


def _known(node: ir.Expr) -> Interval | None:
    match node:
        case ir.Const(int() as value):
            return Interval(value, value)
        case ir.LocalRead(bounds=bounds):
            return None if bounds is None else Interval(*bounds)
        case ir.Convert(operand):
            return Interval(0, 1) if isinstance(operand.type, BoolType) else interval_of(operand)
        case ir.Binary(op) if op in _OPERATIONS:
            return _OPERATIONS[op](interval_of(node.left), interval_of(node.right))
        case ir.Conditional(_, then, orelse):
            return interval_of(then).joined(interval_of(orelse))
        case ir.TlvLength(field=TlvField(type=ItemsType(most=most))):
            return Interval(0, most)
        case ir.SegmentCount():
            return Interval(1, MOST_SEGMENTS)
        case ir.Let(body=body):
            return interval_of(body)
        case _:
            return None


def _and(left: Interval, right: Interval) -> Interval | None:
    """A mask without a sign bounds the result, whatever the other side is."""
    masks = [side.high for side in (left, right) if side.low >= 0]
    return Interval(0, min(masks)) if masks else None


def _bits(left: Interval, right: Interval) -> Interval:
    """`|` and `^` set no bit above those of the operands."""
    ends = (left.low, left.high, right.low, right.high)
    power = 1 << max((end if end >= 0 else ~end).bit_length() for end in ends)
    return Interval(0 if min(ends) >= 0 else -power, power - 1)


def _multiply(left: Interval, right: Interval) -> Interval:
    corners = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
    return Interval(min(corners), max(corners))


def _divide(left: Interval, right: Interval) -> Interval | None:
    return Interval(left.low // right.high, left.high // right.low) if left.low >= 0 and right.low > 0 else None


def _modulo(left: Interval, right: Interval) -> Interval | None:
    return Interval(0, right.high - 1) if right.low > 0 else None


def _shift_right(left: Interval, right: Interval) -> Interval | None:
    return Interval(left.low >> min(right.high, 64), left.high >> min(right.low, 64)) if left.low >= 0 and right.low >= 0 else None


_OPERATIONS: Mapping[ir.BinaryOp, Callable[[Interval, Interval], Interval | None]] = {
    ir.BinaryOp.ADD: lambda left, right: Interval(left.low + right.low, left.high + right.high),
    ir.BinaryOp.SUB: lambda left, right: Interval(left.low - right.high, left.high - right.low),
    ir.BinaryOp.MUL: _multiply,
    ir.BinaryOp.AND: _and,
    ir.BinaryOp.OR: _bits,
    ir.BinaryOp.XOR: _bits,
    ir.BinaryOp.FLOORDIV: _divide,
    ir.BinaryOp.MOD: _modulo,
    ir.BinaryOp.RSHIFT: _shift_right,
    ir.BinaryOp.MIN: lambda left, right: Interval(min(left.low, right.low), min(left.high, right.high)),
    ir.BinaryOp.MAX: lambda left, right: Interval(max(left.low, right.low), max(left.high, right.high)),
}


def known_values(node: ir.Expr) -> Interval | None:
    """The interval, where more is known than the type says."""
    if not isinstance(node.type, IntType):
        return None
    found = interval_of(node)
    return None if found == Interval(node.type.minimum, node.type.maximum) else found
