"""`for x in tlv.values`, `for segment in srh.segments`: a loop over what is in the packet, which counts an index that nobody sees.

for x in found.values:          becomes          for $2 in range(0, len($1.values)), at most 16 times
    total += x                                     x = $1.values[$2]
                                                   total = total +u32 x
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import final

from pybpfnf.abi.headers import MOST_SEGMENTS, MOST_TLVS
from pybpfnf.diagnostics import Span
from pybpfnf.dsl import ir
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.flow import ValueBinding, ViewBinding
from pybpfnf.dsl.building.intervals import Interval, interval_of
from pybpfnf.dsl.building.operands import convert
from pybpfnf.dsl.building.ranges import Range, refuse_iterable
from pybpfnf.dsl.building.values import HeaderView, Literal, Poison, Segments, TlvItems, Tlvs, Typed
from pybpfnf.dsl.constructs.assign import Statements, store
from pybpfnf.dsl.constructs.tlv import as_items, item_count
from pybpfnf.dsl.types import ANY_TLV, S64, OptionalType, TlvViewType
from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Each:
    """A loop over items: what comes `before` it, the `index` that counts, and `enter`, which binds the target to its next item at
    the start of each iteration."""

    before: Statements
    index: ir.Local
    counted: Range
    enter: Callable[[], Statements]


def build_each(b: Builder, node: ast.For) -> Each | None:
    """None where it is nothing that a loop goes over, and that was reported."""
    holder = as_items(b.expr(node.iter))
    if isinstance(holder, TlvItems):
        return _tlv_items(b, holder, node)
    if isinstance(holder, Tlvs):
        return _tlvs(b, holder, node)
    if isinstance(holder, Segments):
        return _segments(b, holder, node)
    if not isinstance(holder, Poison):
        refuse_iterable(b, node.iter)
    return None


def _tlv_items(b: Builder, holder: TlvItems, node: ast.For) -> Each:
    """The view is in a local, so that the name that the author gave it may be bound to something else meanwhile."""
    span = b.span(node.iter)
    view, index = b.locals.temporary(holder.base.type), b.locals.temporary(S64)
    b.flow.bound[view.name] = ValueBinding(view)
    items = TlvItems(ir.LocalRead(view, view.type, span), holder.field, holder.items)
    count = item_count(b, items, node.iter)
    stop = ir.Const(count.value, S64, span) if isinstance(count, Literal) else convert(_expr(count), S64)

    def enter() -> Statements:
        _check_still_there(b, view.name, node.iter)
        place = ir.LocalRead(index, S64, span, (0, holder.items.most - 1))
        item = ir.TlvItem(items.base, items.field, place, items.items.item, span, in_range=True)
        return store(b, node.target, Typed(item), node.iter)

    return Each((ir.Assign(view, holder.base, span),), index, _counted(stop, span), enter)


def _segments(b: Builder, holder: Segments, node: ast.For) -> Each:
    span = b.span(node.iter)
    index, view = b.locals.temporary(S64), f"$segments{span.line}.{span.column}"
    b.flow.bound[view] = ViewBinding(HeaderView(holder.view.header))
    stop = convert(ir.SegmentCount(span), S64)

    def enter() -> Statements:
        _check_still_there(b, view, node.iter)
        place = ir.LocalRead(index, S64, span, (0, MOST_SEGMENTS - 1))
        return store(b, node.target, Typed(ir.SegmentRead(place, span, in_range=True)), node.iter)

    return Each((), index, _counted(stop, span), enter)


def _tlvs(b: Builder, holder: Tlvs, node: ast.For) -> Each:
    """One after the other, each found from the one before it when its turn comes; `else` follows where there are no more."""
    span, view_type = b.span(node.iter), TlvViewType(ANY_TLV)
    index, view, after = (b.locals.temporary(type_) for type_ in (S64, view_type, OptionalType(view_type)))
    b.flow.bound[view.name] = ValueBinding(view)
    here, following = ir.LocalRead(view, view.type, span), ir.LocalRead(after, after.type, span)

    def enter() -> Statements:
        _check_still_there(b, view.name, node.iter)
        few = ir.Compare(ir.CompareOp.LT, ir.LocalRead(index, S64, span), ir.Const(MOST_TLVS, S64, span), span)
        return (
            ir.Assign(after, ir.NextTlv(here, OptionalType(view_type), span), span),
            ir.If(ir.IsNone(following, span), (ir.Exhausted(span),), (), span),
            ir.Assert(few, f"more than {MOST_TLVS} TLVs in the SRH", span),
            ir.Assign(view, ir.Unwrap(following, view_type, span), span),
            *store(b, node.target, Typed(here), node.iter),
        )

    counted = Range(ir.Const(0, S64, span), ir.Const(MOST_TLVS + 1, S64, span), 1, None, Interval(0, MOST_TLVS), 0, MOST_TLVS + 1)
    return Each((ir.Assign(view, ir.Const(0, view_type, span), span),), index, counted, enter)


def _expr(value: object) -> ir.Expr:
    assert isinstance(value, Typed)
    return value.expr


def _counted(stop: ir.Expr, span: Span) -> Range:
    times = interval_of(stop)
    return Range(ir.Const(0, S64, span), stop, 1, None, Interval(0, max(times.high - 1, 0)), times.low, times.high)


def _check_still_there(b: Builder, view: str, node: ast.expr) -> None:
    """What the loop goes over is where it was, also when an iteration has run."""
    binding = b.flow.bound.get(view)
    moved = binding.ended if isinstance(binding, ValueBinding) else binding.moved if isinstance(binding, ViewBinding) else None
    if moved is not None:
        line = b.line_of(moved)
        message = f"the loop goes on over `{b.text(node)}`, which was found before line {line} moved the packet"
        b.error("stale-view", message, node, f"leave the loop after line {line}, with `break` or `return`")
