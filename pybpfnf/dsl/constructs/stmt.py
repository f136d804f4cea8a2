"""Statements that are no assignments: `if`, `return`, `assert`, `del`, `global`, `pass`, and expressions alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import replace

from pybpfnf.diagnostics import Span
from pybpfnf.dsl import ir
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.facts import Facts, facts
from pybpfnf.dsl.building.flow import Copy, Flow, join
from pybpfnf.dsl.building.hooks import METHODS
from pybpfnf.dsl.building.narrow import narrowed
from pybpfnf.dsl.building.operands import as_bool, describe, to_type
from pybpfnf.dsl.building.values import Appended, Constant, Effect, Literal, Poison, Redirecting, Reserving, TailCalling, Typed
from pybpfnf.dsl.constructs.assign import Statements
from pybpfnf.dsl.constructs.body import build_leave
from pybpfnf.dsl.constructs.events import check_path_end, refuse_unnamed, report_leaks
from pybpfnf.dsl.constructs.map import delete_item
from pybpfnf.dsl.constructs.name import found_value
from pybpfnf.dsl.constructs.redirect import returned
from pybpfnf.dsl.constructs.tails import build_tail_call
from pybpfnf.dsl.ir.walk import reached
from pybpfnf.dsl.surface.stores import ConfigVariable, StateVariable
from pybpfnf.dsl.types import VERDICT

# What cannot fault when it is read, nor do anything.
_WITHOUT_EFFECT = (ir.Const, ir.LocalRead, ir.VariableRead, ir.ContextRead, ir.ReceiveTime, ir.StructValue)


def build_if(b: Builder, node: ast.If) -> Statements:
    """Each arm knows what the condition found out; after it, what both arms know. A constant condition leaves one arm."""
    test = as_bool(b, b.expr(node.test), node.test)
    when = facts(node.test)
    before = b.flow
    then = build_arm(b, lambda: b.block(node.body), before, test, when, True)
    orelse = build_arm(b, lambda: b.block(node.orelse), before, test, when, False)
    return join_arms(b, test, b.span(node.test), then, orelse)


def join_arms(b: Builder, test: ir.Expr, span: Span, yes: tuple[Statements, Flow], no: tuple[Statements, Flow]) -> Statements:
    """The branch of two arms, each with what is known at its end. A constant condition leaves one of them."""
    (then, then_end), (orelse, orelse_end) = yes, no
    if isinstance(test, ir.Const):
        b.flow = then_end if test.value else orelse_end
        return then if test.value else orelse
    joined = join(then_end, orelse_end)
    b.flow = joined.flow
    report_leaks(b, joined.leaks, f"on one of the two ways from line {span.line}, and not on the other")
    then, orelse = then + _copies(b, joined.left, span), orelse + _copies(b, joined.right, span)
    return (ir.If(test, then, orelse, span),)


def build_arm(
    b: Builder, build: Callable[[], Statements], before: Flow, test: ir.Expr, when: Facts, holds: bool
) -> tuple[Statements, Flow]:
    """An arm that is entered where `test`, which says `when` of what was found, holds or not; and what is known at its end."""
    b.flow = before.copy()
    b.flow.learn_values(narrowed(test, holds))
    b.flow.learn_found(when.true if holds else when.false)
    b.flow.learn_none(when.true_none if holds else when.false_none)
    return build(), b.flow


def _copies(b: Builder, copies: tuple[Copy, ...], span: Span) -> Statements:
    reads = ((copy, ir.LocalRead(copy.found, copy.found.type, span)) for copy in copies)
    return tuple(ir.Assign(copy.local, found_value(b, read, copy.name), span) for copy, read in reads)


def build_return(b: Builder, node: ast.Return) -> Statements:
    if b.called is not None:
        return build_leave(b, b.called, node)
    if node.value is None:
        b.flow.reachable = False
        b.error("type", "a network function returns a verdict", node, "write `return OK` or `return DROP`")
        return ()
    given = returned(b.expr(node.value))
    if isinstance(given, TailCalling):
        return build_tail_call(b, given.call, node)
    value = to_type(b, given, VERDICT, node.value, "what a network function returns")
    check_path_end(b, node)
    b.flow.reachable = False
    return (ir.Return(value, b.span(node)),)


def build_assert(b: Builder, node: ast.Assert) -> Statements:
    """A fault exit where the condition is false; its text is the message where none is written."""
    test = as_bool(b, b.expr(node.test), node.test)
    b.flow.learn_found(facts(node.test).true)
    b.flow.learn_none(facts(node.test).true_none)
    b.flow.learn_values(narrowed(test, True))
    message = f"assert {b.text(node.test)}"
    if node.msg is not None:
        given = b.expr(node.msg)
        if isinstance(given, Constant) and isinstance(given.value, str):
            message = given.value
        elif not isinstance(given, Poison):
            b.error("type", "the message of an assert is a constant string", node.msg, 'write "what went wrong"')
    return (ir.Assert(test, message, b.span(node.test)),)


def build_delete(b: Builder, node: ast.Delete) -> Statements:
    return tuple(statement for target in node.targets for statement in delete_item(b, target))


def build_global(b: Builder, node: ast.Global) -> Statements:
    """Python's word for assigning a module's name: here a State's."""
    for name in node.names:
        found = b.source.captured.get(name)
        if isinstance(found, ConfigVariable):
            message = f"`{name}` is a Config, which is constant once the program is loaded"
            b.error("read-only", message, _name_of_global(b, node, name), f"write `{name} = State(...)` for what changes")
        elif not isinstance(found, StateVariable):
            message = f"`{name}` is no State, and nothing else of a module changes"
            b.error("unsupported", message, _name_of_global(b, node, name), f"write `{name} = State(u32)`")
    return ()


def _name_of_global(b: Builder, node: ast.Global, name: str) -> Span:
    """Where the name stands: `ast` gives the statement's place alone. Over several lines, the statement."""
    span = b.span(node)
    found = re.search(rf"\b{name}\b", b.source.file.segment(span))
    if found is None or span.end_line > span.line:
        return span
    return replace(span, column=span.column + found.start(), end_column=span.column + found.end())


def build_pass(b: Builder, node: ast.Pass) -> Statements:
    return ()


def _chooses_route(call: ir.InlinedCall | ir.SubprogramCall) -> bool:
    actions = (node for node in reached((call,)) if isinstance(node, ir.Seg6ActionCall | ir.Redirect))
    return any(isinstance(node, ir.Redirect) or METHODS[node.action.name.lower()].route_only for node in actions)


def build_expression(b: Builder, node: ast.Expr) -> Statements:
    """A call for its effect. Text alone is a comment, as in Python."""
    if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return ()
    value = b.expr(node.value)
    span = b.span(node)
    if isinstance(node.value, ast.Compare | ast.BinOp | ast.UnaryOp) and not isinstance(value, Poison):
        equals = isinstance(node.value, ast.Compare) and isinstance(node.value.ops[0], ast.Eq)
        hint = "write `=` to assign, or `assert` before it" if equals else "assign it, or leave it out"
        b.error("unsupported", f"`{b.text(node)}` has no effect", node, hint)
        return ()
    match value:
        case Appended(tlv):
            return (ir.AppendTlv(tlv, span),)
        case Effect(statements):
            return statements
        case Reserving(buffer):
            refuse_unnamed(b, buffer, node.value)
            return ()
        case Redirecting():
            message = "the device that `redirect` chooses is forgotten, unless its verdict is returned"
            b.error("type", message, node, f"write `return {b.text(node)}`")
            return ()
        case TailCalling():
            b.error("type", "a tail call does not come back", node, f"write `return {b.text(node)}`")
            return ()
        case Typed(ir.Emit(buffer)):
            hint = f"write `{buffer.name}.emit(...)`, where no room is a fault, or ask `if not ...`"
            b.error("type", "whether the record was sent is forgotten here", node, hint)
            return ()
        case Typed(ir.Seg6ActionCall(action)) if METHODS[action.name.lower()].route_only:
            name = action.name.lower()
            message = f"the route that `{name}` chooses is forgotten, unless its verdict is returned"
            b.error("type", message, node, f"write `return {b.text(node)}`")
            return ()
        case Typed(ir.InlinedCall() | ir.SubprogramCall() as call) if call.type == VERDICT and _chooses_route(call):
            name = call.function if isinstance(call, ir.InlinedCall) else call.subprogram.function
            message = f"the route that `{name}` chooses is forgotten, unless its verdict is returned"
            b.error("type", message, node, f"write `return {b.text(node)}`")
            return ()
        case Typed(expr) if not isinstance(expr, _WITHOUT_EFFECT):
            return (ir.Evaluate(expr, span),)
        case Poison():
            return ()
        case Literal() | Typed() | Constant():
            b.error("unsupported", f"`{b.text(node)}` has no effect", node, "leave it out, or write `pass`")
        case _:
            b.error("type", f"`{b.text(node)}` is {describe(value)}, which does nothing alone", node, "call it, or read a field of it")
    return ()
