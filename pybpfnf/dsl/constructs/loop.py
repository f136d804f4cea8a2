"""Loops: `for i in range(...)`, `break`, `continue`, `else`.

A body is built until what is known at its start holds on every way there: from before the loop and from its own end.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import reduce

from pybpfnf.diagnostics import Span
from pybpfnf.dsl import ir
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.flow import Flow, LoopEdges, ValueBinding, join, mixed_names
from pybpfnf.dsl.building.locals import bound_names
from pybpfnf.dsl.building.operands import settle
from pybpfnf.dsl.building.ranges import Range, build_range
from pybpfnf.dsl.building.values import Literal
from pybpfnf.dsl.constructs.assign import Statements
from pybpfnf.dsl.constructs.each import build_each
from pybpfnf.dsl.constructs.events import report_leaks
from pybpfnf.dsl.constructs.name import found_value
from pybpfnf.dsl.surface.packets import Verdict
from pybpfnf.dsl.types import VERDICT, IntType, OptionalType


def build_for(b: Builder, node: ast.For) -> Statements:
    if not isinstance(node.iter, ast.Call):
        return _build_for_each(b, node)
    said = len(b.diagnostics)
    counted = build_range(b, node.iter)
    # Of what is no range the targets are another matter: one report is enough.
    name = _counter_name(b, node.target) if counted is not None or len(b.diagnostics) == said else None
    if counted is None or name is None:
        _build_for_its_mistakes(b, node)
        return ()
    local = _counter(b, node.target, name, counted)
    if local is None:
        _build_for_its_mistakes(b, node)
        return ()
    counter = ValueBinding(local, values=counted.values, counter=counted.type is None)

    def enter() -> Statements:
        b.flow.bound[name] = counter
        return ()

    return _build(b, node, local, counted, enter)


def _build_for_each(b: Builder, node: ast.For) -> Statements:
    each = build_each(b, node)
    if each is None:
        _build_for_its_mistakes(b, node)
        return ()
    return each.before + _build(b, node, each.index, each.counted, each.enter)


def _counter_name(b: Builder, target: ast.expr) -> str | None:
    if not isinstance(target, ast.Name):
        b.error("unsupported", f"a loop counts in a local, and `{b.text(target)}` is none", target, "write `for i in range(...)`")
        return None
    if target.id in b.locals.globals or target.id == b.packet_name or target.id in b.locals.views:
        b.error("type", f"a loop counts in a local, and `{target.id}` is something else", target, "choose another name")
        return None
    return target.id


def _counter(b: Builder, target: ast.expr, name: str, counted: Range) -> ir.Local | None:
    """The local that counts. Of constants it is like one that is assigned each as a literal; else it has the range's type."""
    declared = b.locals.declared.get(name)
    if declared is None:
        if not b.locals.record((name, False), counted.type):
            before = b.locals.seen[name, False]
            b.error("type", f"`{name}` is {before} before, and {counted.type or 'an integer'} here", target, "use two names")
            return None
        declared = b.locals.type_of((name, False))
    if not isinstance(declared, IntType):
        b.error("type", f"`{name}` is {declared}, and a loop counts in an integer", target, "choose another name")
        return None
    for value in (counted.values.low, counted.values.high):
        if not declared.holds(value) and counted.most:
            settle(b, Literal(value), declared, target)
            return None
    return b.locals.of(name, declared)


def _build_for_its_mistakes(b: Builder, node: ast.For) -> None:
    """Look at the body of a loop that is wrong already; nothing is said about what it binds."""
    b.flow.give_up(bound_names(node))
    b.loops.append(LoopEdges(frozenset()))
    before = b.flow.copy()
    b.block(node.body)
    b.loops.pop()
    b.flow = before.copy()
    b.block(node.orelse)
    b.flow = before


def _build(b: Builder, node: ast.For, local: ir.Local, counted: Range, enter: Callable[[], Statements]) -> Statements:
    """`enter` binds the target to its next value at the start of each iteration."""
    before, span = b.flow, b.span(node.iter)
    plain: frozenset[str] = frozenset()
    head: Flow | None = None
    marks = b.mark()
    while True:
        b.rewind(marks)
        b.flow = before.copy()
        entry = settle_edge(b, plain, span)
        entered = b.flow
        b.loops.append(LoopEdges(plain))
        head = entered.copy() if head is None else head
        b.flow = head.copy()
        body = enter() + b.block(node.body)
        if b.flow.reachable:
            body += settle_edge(b, plain, span)
        edges = b.loops.pop()
        backs = [*edges.continues, b.flow]
        again = _widened(head, _joined(b, [entered, *backs], span))
        b.flow = _joined(b, backs, span) if counted.least else again
        leaving = settle_edge(b, plain, span)
        normal = b.flow
        mixed = plain | mixed_names([entered, *backs]) | mixed_names([normal, *edges.breaks])
        if again == head and mixed == plain:
            break
        # Other names become values before the loop: what was known at its head began with another state.
        head, plain = (again if mixed == plain else None), mixed
    b.flow = normal.copy()
    orelse = b.block(node.orelse) if normal.reachable else _nowhere(b, node)
    b.flow = _joined(b, [b.flow, *edges.breaks], span)
    loop = ir.ForRange(local, counted.start, counted.stop, counted.step, counted.most, body, leaving + orelse, span)
    return (*entry, loop)


def _nowhere(b: Builder, node: ast.For) -> Statements:
    """What stands behind a loop that runs and whose body never comes to its end: nothing goes there, and the IR wants a return."""
    b.block(node.orelse)  # is checked all the same
    span = b.span(node.iter)
    if b.called is not None:
        return (ir.Leave(span),)
    return (ir.Return(ir.Const(Verdict.DROP.value, VERDICT, span), span),)


def _joined(b: Builder, flows: Iterable[Flow], span: Span) -> Flow:
    def joined(left: Flow, right: Flow) -> Flow:
        both = join(left, right)
        report_leaks(b, both.leaks, f"on one way around the loop of line {span.line}, and not on another")
        return both.flow

    return reduce(joined, flows)


def _widened(head: Flow, again: Flow) -> Flow:
    """What holds at the head before and now; a value that changes from one time to the next is any."""
    joined = join(head, again).flow
    for name, binding in joined.bound.items():
        was = head.bound.get(name)
        if isinstance(binding, ValueBinding) and isinstance(was, ValueBinding) and binding.values != was.values:
            joined.bound[name] = replace(binding, values=None, counter=False)
    return joined


def settle_edge(b: Builder, plain: Iterable[str], span: Span) -> Statements:
    """At the end of a way: look-ups that did not miss become values, where the name is a value on another way."""
    statements: list[ir.Stmt] = []
    for name in sorted(plain):
        binding = b.flow.bound.get(name)
        if isinstance(binding, ValueBinding) and binding.found and isinstance(binding.local.type, OptionalType):
            local = b.locals.of(name, b.locals.type_of((name, False)))
            read = ir.LocalRead(binding.local, binding.local.type, span)
            statements.append(ir.Assign(local, found_value(b, read, name), span))
            b.flow.bound[name] = ValueBinding(local)
    return tuple(statements)


def build_break(b: Builder, node: ast.Break) -> Statements:
    return _leave(b, node, [edges.breaks for edges in b.loops], ir.Break)


def build_continue(b: Builder, node: ast.Continue) -> Statements:
    return _leave(b, node, [edges.continues for edges in b.loops], ir.Continue)


def _leave(
    b: Builder, node: ast.Break | ast.Continue, edges: Sequence[list[Flow]], statement: type[ir.Break] | type[ir.Continue]
) -> Statements:
    """Python's own parser refuses these outside of a loop."""
    span = b.span(node)
    copies = settle_edge(b, b.loops[-1].plain, span) if b.loops else ()
    if edges and b.flow.reachable:
        edges[-1].append(b.flow.copy())
    b.flow.reachable = False
    return (*copies, statement(span))
