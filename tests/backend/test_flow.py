"""Branches: what is evaluated and what is not, and what comes out where ways meet."""

from __future__ import annotations

import pytest

from pybpfnf.dsl import ir
from pybpfnf.dsl.types import BOOL, U32, U64, OptionalType
from tests.backend.build_ir import (
    DROP,
    OK,
    REDIRECT,
    SPAN,
    assign,
    at,
    binary,
    both,
    compare,
    const,
    either,
    element,
    function,
    get,
    give,
    helper,
    local,
    module,
    read,
    when,
)
from tests.backend.engine import Engine

A, B, C = (ir.State(name, BOOL, 0) for name in "ABC")
OUT = ir.State("OUT", U32, 0)
EVALUATED = ir.Map("evaluated", "array", U32, U64, 1)


def noted(value: ir.Expr) -> ir.Expr:
    """The value, of an expression that faults when OUT is 1: that is how its evaluation is seen."""
    fails = compare("!=", binary("//", const(1, U32), binary("-", read(OUT), const(1, U32))), const(99, U32))
    return both(fails, value)


def engine(*body: ir.Stmt) -> Engine:
    return Engine(module(function("f", *body, give()), variables=(A, B, C, OUT), maps=(EVALUATED,)))


@pytest.mark.parametrize(("op", "left", "evaluated"), [("and", 0, False), ("and", 1, True), ("or", 0, True), ("or", 1, False)])
@pytest.mark.parametrize("form", ["value", "test"])
def test_the_right_side_of_and_and_or_is_evaluated_only_when_it_decides(op: str, left: int, evaluated: bool, form: str) -> None:
    logical = ir.Logical(ir.LogicalOp(op), read(A), noted(read(B)), SPAN)
    body = ir.SetState(C, logical, SPAN) if form == "value" else when(logical, (ir.SetState(C, const(1, BOOL), SPAN),))
    with engine(body) as run:
        run.set(A=left, OUT=1)
        assert run.fault() == ("division by zero" if evaluated else None)


@pytest.mark.parametrize("bits", range(8))
def test_conditions_nest(bits: int) -> None:
    a, b, c = (bool(bits >> index & 1) for index in range(3))
    test = ir.Not(either(both(read(A), ir.Not(read(B), SPAN)), both(read(C), either(read(B), ir.Not(read(A), SPAN)))), SPAN)
    with engine(
        ir.SetState(A, test, SPAN), when(test, (ir.SetState(OUT, const(5, U32), SPAN),), (ir.SetState(OUT, const(6, U32), SPAN),))
    ) as run:
        run.set(A=a, B=b, C=c)
        run.run()
        truth = not ((a and not b) or (c and (b or not a)))
        assert run.get("A") == truth
        again = not ((truth and not b) or (c and (b or not truth)))
        assert run.get("OUT") == (5 if again else 6)


@pytest.mark.parametrize(("flag", "expected"), [(1, 10), (0, 20)])
def test_a_conditional_expression_evaluates_one_arm(flag: int, expected: int) -> None:
    broken = binary("//", const(1, U32), read(OUT))
    for then, orelse in ((const(10, U32), broken), (broken, const(20, U32))):
        with engine(ir.SetState(OUT, ir.Conditional(read(A), then, orelse, U32, SPAN), SPAN)) as run:
            run.set(A=flag)
            taken = then if flag else orelse
            assert run.fault() == ("division by zero" if taken is broken else None)
            assert run.get("OUT") == (0 if taken is broken else expected)


def test_let_evaluates_once() -> None:
    """A chained comparison: `1 < random < 2**32` has one call."""
    middle = local("middle", U64)
    chain = both(compare("<=", const(0, U64), read(middle)), compare("<", read(middle), const(1 << 40, U64)))
    body = when(ir.Let(middle, helper("ktime_get_ns"), chain, BOOL, SPAN), (give(REDIRECT),))
    with Engine(module(function("f", body, give(DROP)))) as run:
        assert sum(insn.form.kind.value == "call_helper" for insn in run.image.program().insns) == 1


def test_a_return_in_one_arm_leaves_the_other_going_on() -> None:
    body = (
        when(read(A), (give(DROP),), (ir.SetState(OUT, const(1, U32), SPAN),)),
        ir.UpdateState(OUT, ir.BinaryOp.ADD, const(1, U32), SPAN),
    )
    with engine(*body) as run:
        assert run.run().verdict == OK
        assert run.get("OUT") == 2
        run.set(A=1)
        assert run.run().verdict == DROP
        assert run.get("OUT") == 2


def test_both_arms_may_return() -> None:
    with Engine(module(function("f", when(read(A), (give(DROP),), (give(REDIRECT),))), variables=(A,))) as run:
        assert run.run().verdict == REDIRECT
        run.set(A=1)
        assert run.run().verdict == DROP


def test_an_assertion_that_fails_is_a_fault_with_its_message_and_verdict() -> None:
    check = ir.Assert(ir.Not(read(A), SPAN), "A is set", at(21, 9))
    with Engine(module(function("f", check, give(), on_fault=OK), variables=(A,))) as run:
        assert run.run().fault is None
        run.set(A=1)
        outcome = run.run()
        assert outcome.fault is not None
        assert (outcome.verdict, outcome.fault.message, outcome.fault.line, outcome.fault.column) == (OK, "A is set", 21, 9)


def test_an_optional_keeps_its_value_across_branches() -> None:
    found = local("found", OptionalType(U64))
    choice = ir.Conditional(read(A), get(EVALUATED, const(0, U32)), get(EVALUATED, const(7, U32)), OptionalType(U64), SPAN)
    count = ir.Convert(ir.Unwrap(read(found), U64, SPAN), U32, SPAN)
    body = (assign(found, choice), when(ir.Not(ir.IsNone(read(found), SPAN), SPAN), (ir.SetState(OUT, count, SPAN),)))
    with engine(*body) as run:
        run.maps["evaluated"].update(bytes(4), (42).to_bytes(8, "little"))
        run.run()
        assert run.get("OUT") == 0
        run.set(A=1)
        run.run()
        assert run.get("OUT") == 42


def test_effects_made_before_a_fault_remain() -> None:
    with engine(
        ir.SetState(OUT, const(3, U32), SPAN), ir.SetState(C, compare("==", element(EVALUATED, read(OUT)), const(0, U64)), SPAN)
    ) as run:
        assert run.fault() == "index out of range"
        assert run.get("OUT") == 3
