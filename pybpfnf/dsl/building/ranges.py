"""`range(...)` of a loop: its values, its type, and the proof that it ends."""

from __future__ import annotations

import ast
from typing import final

from pybpfnf.dsl import ir
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.conversions import common_type
from pybpfnf.dsl.building.intervals import Interval, interval_of
from pybpfnf.dsl.building.operands import as_number, convert, default_typed, settle
from pybpfnf.dsl.building.values import Choice, Constant, Literal, Number, Poison, Typed
from pybpfnf.dsl.types import S64, U64, IntType
from pybpfnf.records import dataclass

# More than this many iterations are no work for one packet, though the kernel counts further; what a body makes of fewer is `work`'s
# question.
_MOST = 1 << 16


@final
@dataclass(frozen=True, slots=True)
class Range:
    """`start` and `stop` are both s64 or both u64. `type` is None where only literals say what the values are.

    `values`: of the counter; `most` and `least`: how often the body runs.
    """

    start: ir.Expr
    stop: ir.Expr
    step: int
    type: IntType | None
    values: Interval
    least: int
    most: int


def build_range(b: Builder, node: ast.expr) -> Range | None:
    """None where it is no range with a bound, and that was reported."""
    if not isinstance(node, ast.Call) or not _is_range(b, node.func):
        return None
    arguments = _arguments(b, node)
    if arguments is None:
        return None
    step = _step(b, arguments[2])
    ends = [as_number(b, _value(b, end), end or node, "`range`") for end in arguments[:2]]
    if step is None or any(isinstance(end, Poison) for end in ends):
        return None
    nodes = [end or node for end in arguments[:2]]
    return _range(b, [end for end in ends if not isinstance(end, Poison)], step, nodes, node)


def _is_range(b: Builder, node: ast.expr) -> bool:
    callee = b.expr(node)
    if isinstance(callee, Constant) and callee.value is range:
        return True
    if not isinstance(callee, Poison):
        refuse_iterable(b, node)
    return False


def refuse_iterable(b: Builder, node: ast.expr) -> None:
    """What a `for` cannot go over."""
    b.error("unsupported", f"a `for` goes over `range(...)`, and not over `{b.text(node)}`", node, "write `for i in range(n)`")


def _arguments(b: Builder, node: ast.Call) -> tuple[ast.expr | None, ast.expr, ast.expr | None] | None:
    """Start, stop, step, as Python takes them: one argument is the stop."""
    if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args) or not 1 <= len(node.args) <= 3:
        b.error("arguments", "`range` takes one to three numbers, by position", node, "write `range(stop)` or `range(start, stop, step)`")
        return None
    if len(node.args) == 1:
        return None, node.args[0], None
    return node.args[0], node.args[1], node.args[2] if len(node.args) == 3 else None


def _value(b: Builder, node: ast.expr | None) -> Literal | Choice | Typed | Poison:
    if node is None:
        return Literal(0)
    return as_number(b, b.expr(node), node, "`range`")


def _step(b: Builder, node: ast.expr | None) -> int | None:
    if node is None:
        return 1
    step = b.expr(node)
    if isinstance(step, Poison):
        return None
    if not isinstance(step, Literal) or step.unknown:
        b.error("unbounded", "the step of a range is a constant: a loop with a step of 0 would not end", node, "write the number")
        return None
    if step.value == 0:
        b.error("unbounded", "the step of a range is not 0", node, "write 1, or -1 to count down")
        return None
    return step.value


def _range(b: Builder, ends: list[Number], step: int, nodes: list[ast.expr], node: ast.Call) -> Range | None:
    typed = [end.expr.type for end in ends if isinstance(end, Typed) and end.counter is None]
    type_ = _common(b, [type_ for type_ in typed if isinstance(type_, IntType)], node)
    if isinstance(type_, Poison):
        return None
    wide = _counting_type(ends)
    before = len(b.diagnostics)
    start, stop = (_wide(b, end, wide, where) for end, where in zip(ends, nodes, strict=True))
    if len(b.diagnostics) > before:
        return None
    first, last = interval_of(start), interval_of(stop)
    most = _iterations(first.low if step > 0 else first.high, last.high if step > 0 else last.low, step)
    if most > _MOST:
        _refuse_bound(b, ends, nodes, (first, last), step, most, node)
        return None
    values = _values(first, last, step)
    if most and type_ is not None and not values.fits(type_):
        b.error("overflow", f"the range has values from {values.low} to {values.high}, and its type is {type_}", node, _fitting(values))
        return None
    least = _iterations(first.high if step > 0 else first.low, last.low if step > 0 else last.high, step)
    return Range(start, stop, step, type_, values, least, most)


def _common(b: Builder, types: list[IntType], node: ast.Call) -> IntType | Poison | None:
    if len(types) < 2:
        return types[0] if types else None
    common = common_type(*types)
    if common is None:
        return b.error("sign", f"signed and unsigned are mixed: {types[0]} and {types[1]}", node, "cast one of the two: `s64(...)`")
    return common


def _fitting(values: Interval) -> str:
    return "cast the typed end: `s64(...)`" if values.low < 0 else "cast the typed end to a wider type"


def _counting_type(ends: list[Number]) -> IntType:
    """s64 holds the ends of every range, but for those that are u64 and not known to be small."""
    for end in ends:
        if isinstance(end, Literal) and end.value > S64.maximum:
            return U64
        if isinstance(end, Typed) and not interval_of(end.expr).fits(S64):
            return U64
    return S64


def _wide(b: Builder, end: Number, wide: IntType, node: ast.expr) -> ir.Expr:
    if isinstance(end, Typed):
        return convert(end.expr, wide)
    if isinstance(end, Literal):
        return settle(b, end, wide, node)
    made = default_typed(b, end, node)
    assert isinstance(made, Typed | Poison)
    return convert(made.expr, wide) if isinstance(made, Typed) else settle(b, Literal(0), wide, node)


def _iterations(start: int, stop: int, step: int) -> int:
    """The length of Python's range, which may be more than `len` can give."""
    distance = stop - start if step > 0 else start - stop
    return max(0, -(-distance // abs(step)))


def _values(first: Interval, last: Interval, step: int) -> Interval:
    """Of the counter, when the body runs at all."""
    if first.low == first.high:  # then each value is known, and steps may end before the stop
        farthest = first.low + step * (max(1, _iterations(first.low, last.high if step > 0 else last.low, step)) - 1)
        return Interval(min(first.low, farthest), max(first.low, farthest))
    if step > 0:
        return Interval(first.low, max(last.high - 1, first.low))
    return Interval(min(last.low + 1, first.high), first.high)


def _refuse_bound(
    b: Builder, ends: list[Number], nodes: list[ast.expr], known: tuple[Interval, Interval], step: int, most: int, node: ast.Call
) -> None:
    """Report the end that lets the range be so long: upwards a start that may be far down, or a stop that may be far up."""
    if all(isinstance(end, Literal) for end in ends):
        b.error("unbounded", f"{most} iterations are more than the {_MOST} that a loop may have", node, "do less for one packet")
        return
    far = (-known[0].low, known[1].high) if step > 0 else (known[0].high, -known[1].low)
    index = 1 if isinstance(ends[1], Typed) and (far[1] >= far[0] or not isinstance(ends[0], Typed)) else 0
    text = b.text(nodes[index])
    clipped = f"min({text}, 16)" if (index == 1) == (step > 0) else f"max({text}, 0)"
    b.error("unbounded", f"nothing says how far `{text}` can go, and the loop with it", nodes[index], f"write `{clipped}` for `{text}`")
