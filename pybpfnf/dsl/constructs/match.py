"""`match` on integers, bools and verdicts: a chain of comparisons, in the order of the cases.

match pkt.srh.tag:                         $0 = srh.tag
    case 1 | 2:              becomes       if ($0 == 1) or ($0 == 2)
        return DROP                          return DROP
    case tag if tag > 9:                   else
        pkt.mark = tag                       tag = $0
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import reduce
from typing import Any

from pybpfnf.dsl import ir
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.facts import Facts, facts
from pybpfnf.dsl.building.locals import bound_names
from pybpfnf.dsl.building.operands import as_bool, default_typed, describe, present, zero
from pybpfnf.dsl.building.values import Choice, Constant, Literal, Poison, Typed, Value
from pybpfnf.dsl.constructs.assign import Statements, hold, store
from pybpfnf.dsl.constructs.compare import compare
from pybpfnf.dsl.constructs.stmt import build_arm, join_arms
from pybpfnf.dsl.types import BOOL, VERDICT, IntType


def build_match(b: Builder, node: ast.Match) -> Statements:
    """The subject is evaluated once."""
    subject = default_typed(b, present(b, b.expr(node.subject), node.subject), node.subject)
    if not isinstance(subject, Typed) or not (isinstance(subject.expr.type, IntType) or subject.expr.type in (BOOL, VERDICT)):
        if not isinstance(subject, Poison):
            message = f"`match` takes an integer, a bool or a verdict, and `{b.text(node.subject)}` is {describe(subject)}"
            b.error("type", message, node.subject, "write `if` and `elif`")
        b.flow.give_up(bound_names(node))
        return ()
    held, statements = hold(b, subject, node.subject)
    assert isinstance(held, Typed)
    return statements + _cases(b, node, held, 0)


def _cases(b: Builder, node: ast.Match, subject: Typed, index: int) -> Statements:
    """This case, and those after it where it does not match."""
    if index == len(node.cases):
        return ()
    case = node.cases[index]
    pattern, name = _captured(b, case)
    test = None if pattern is None else _test(b, pattern, subject, node.subject)
    before = () if pattern is not None or name is None else _bind(b, case.pattern, name, subject, node.subject)
    when = Facts() if case.guard is None else facts(case.guard)
    if case.guard is not None:
        guard = as_bool(b, b.expr(case.guard), case.guard)
        test = guard if test is None else ir.Logical(ir.LogicalOp.AND, test, guard, b.span(case.guard))
    if test is None:
        return before + b.block(case.body)

    def body() -> Statements:
        bound = _bind(b, case.pattern, name, subject, node.subject) if pattern is not None and name is not None else ()
        return bound + b.block(case.body)

    if pattern is not None:  # that the case does not match says nothing of its guard
        when = replace(when, false=frozenset(), false_none=frozenset())
    start = b.flow
    then = build_arm(b, body, start, test, when, True)
    orelse = build_arm(b, lambda: _cases(b, node, subject, index + 1), start, test, when, False)
    return before + join_arms(b, test, b.span(case.guard or case.pattern), then, orelse)


def _captured(b: Builder, case: ast.match_case) -> tuple[ast.pattern | None, str | None]:
    """The pattern that is to be tested, None where it takes everything; and the name that the value gets."""
    match case.pattern:
        case ast.MatchAs(pattern=pattern, name=name):
            if pattern is not None and case.guard is not None:
                # Python binds the name before it asks the guard, also where the guard then says no.
                b.error("unsupported", "a pattern with both `as` and `if` is not part of the language", case.pattern, "leave out the `as`")
            return pattern, name
        case pattern:
            return pattern, None


def _bind(b: Builder, pattern: ast.pattern, name: str, subject: Typed, node: ast.expr) -> Statements:
    return store(b, ast.copy_location(ast.Name(name, ast.Store()), pattern), subject, node)


def _test(b: Builder, pattern: ast.pattern, subject: Typed, node: ast.expr) -> ir.Expr:
    build = PATTERNS.get(type(pattern))
    if build is None:
        b.refuse(pattern)
        return zero(BOOL, node, b)
    test: ir.Expr = build(b, pattern, subject, node)
    return test


def _value(b: Builder, pattern: ast.MatchValue, subject: Typed, node: ast.expr) -> ir.Expr:
    value = b.expr(pattern.value)
    if isinstance(value, Literal | Choice) or (isinstance(value, Typed) and isinstance(value.expr, ir.Const)):
        return _equals(b, subject, value, node, pattern.value)
    if not isinstance(value, Poison):
        what = "text" if isinstance(value, Constant) and isinstance(value.value, str) else describe(value)
        b.error("unsupported", f"a case is a constant, and `{b.text(pattern)}` is {what}", pattern, "write `case x if x == ...:`")
    return zero(BOOL, node, b)


def _singleton(b: Builder, pattern: ast.MatchSingleton, subject: Typed, node: ast.expr) -> ir.Expr:
    if pattern.value is None:
        b.error("type", f"`{b.text(node)}` is never None here", pattern, "ask `is None` before")
        return zero(BOOL, node, b)
    if subject.expr.type != BOOL:
        b.error("type", f"`{b.text(node)}` is no bool, and never `{pattern.value}`", pattern, "write the number")
        return zero(BOOL, node, b)
    where = ast.copy_location(ast.Constant(pattern.value), pattern)
    return _equals(b, subject, Typed(ir.Const(int(pattern.value), BOOL, b.span(pattern))), node, where)


def _equals(b: Builder, subject: Typed, value: Value, node: ast.expr, where: ast.expr) -> ir.Expr:
    return compare(b, ir.CompareOp.EQ, (subject, value), (node, where), where)


def _alternatives(b: Builder, pattern: ast.MatchOr, subject: Typed, node: ast.expr) -> ir.Expr:
    tests = [_test(b, each, subject, node) for each in pattern.patterns]
    return reduce(lambda left, right: ir.Logical(ir.LogicalOp.OR, left, right, b.span(pattern)), tests)


def _inner(b: Builder, pattern: ast.MatchAs, subject: Typed, node: ast.expr) -> ir.Expr:
    b.error("unsupported", "a name stands for the whole value alone", pattern, "write `case 1 | 2 as x:`")
    return zero(BOOL, node, b)


PATTERNS: Mapping[type[ast.pattern], Callable[[Builder, Any, Typed, ast.expr], ir.Expr]] = {
    ast.MatchAs: _inner,
    ast.MatchOr: _alternatives,
    ast.MatchSingleton: _singleton,
    ast.MatchValue: _value,
}
