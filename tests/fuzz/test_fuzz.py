"""Random functions mean the same to the reference evaluator, the VM and the kernel. `scripts/fuzz` runs more of them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, MutableMapping
from random import Random
from typing import Any, TypeAlias, get_args

import pytest

from pybpfnf.dsl import ir
from pybpfnf.dsl.types import IntType
from pybpfnf.kernel import features
from pybpfnf.kernel.runner import KernelRunner
from pybpfnf.runner import Runner
from pybpfnf.testing import evaluate
from pybpfnf.testing.evaluate.operators import OPERATORS
from pybpfnf.vm import VmRunner
from tests.fuzz.check import Report, check
from tests.fuzz.command import summary
from tests.fuzz.generate import generate
from tests.fuzz.shrink import shrink

FAST, SLOW, INPUTS = 100, 2000, 10
RecordProperty: TypeAlias = Callable[[str, object], None]


@pytest.fixture(scope="module")
def runners() -> list[Runner]:
    """Every engine that this system has."""
    return [VmRunner()] if features.first_lack(*features.RUNNER) else [VmRunner(), KernelRunner()]


@pytest.fixture(scope="module")
def report(runners: list[Runner]) -> Report:
    """What the suite's functions show."""
    return check(1, range(FAST), INPUTS, runners)


def _table(report: Report, runners: list[Runner]) -> str:
    return f"random functions, evaluator against {', '.join(runner.name for runner in runners)}: {summary(report)}"


def test_random_functions_mean_the_same_to_all_engines(record_property: RecordProperty, report: Report, runners: list[Runner]) -> None:
    record_property("table", _table(report, runners))
    assert not report.differences, "\n\n".join(report.differences)
    assert report.beyond <= FAST // 50


def test_random_functions_forward_and_fault(report: Report) -> None:
    """One that always faults, or never, would show little."""
    assert report.runs // 3 < report.forwarded
    assert report.runs // 10 < report.faults.total() < report.runs * 2 // 3


def test_random_functions_have_every_node_class_and_take_every_kind_of_fault(report: Report) -> None:
    # What hooks of a route alone may do or ask, several programs, locks, which nobody else takes here, and the kernel's own stamps: in
    # tests/conformance.
    elsewhere = {ir.SetWire, ir.HasHeader, ir.Redirect, ir.CloneRedirect, ir.TailCall, ir.Locked, ir.ReceiveTime}
    assert {*get_args(ir.Expr), *get_args(ir.Stmt)} - report.nodes == evaluate.NOT_EVALUATED.keys() | elsewhere
    assert not set(evaluate.RAISED.values()) - report.faults.keys()


@pytest.mark.kernel
def test_the_kernel_is_one_of_the_engines(runners: list[Runner]) -> None:
    assert [runner.name for runner in runners] == ["vm", "kernel"]


@pytest.mark.slow
@pytest.mark.kernel
def test_many_random_functions_mean_the_same_to_all_engines(record_property: RecordProperty, runners: list[Runner]) -> None:
    report = check(2, range(SLOW), INPUTS, runners)
    record_property("table", _table(report, runners))
    assert not report.differences, "\n\n".join(report.differences)
    assert report.functions + report.refused + report.beyond == SLOW
    assert report.beyond < SLOW // 100
    assert report.refused < SLOW // 20


def test_the_same_seed_gives_the_same_function() -> None:
    assert generate(Random("1:2")) == generate(Random("1:2")) != generate(Random("1:3"))


# -------------------------------------------------------------------------------------- wrong meanings that are found


def _towards_zero(left: int, right: int) -> int:
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _without_sign(run: Any, node: ir.Convert) -> int:
    assert isinstance(node.type, IntType)
    return node.type.reduce(run.value(node.operand) & 0xFFFFFFFF)


def _both_operands(run: Any, node: ir.Logical) -> int:
    values = run.value(node.left), run.value(node.right)
    return int(all(values) if node.op is ir.LogicalOp.AND else any(values))


def _key_before_value(run: Any, node: ir.SetMap) -> None:
    run.value(node.key)
    evaluate.STATEMENTS[ir.Evaluate](run, ir.Evaluate(node.value, node.span))


_BUGS: Mapping[str, tuple[Mapping[Any, Any], object, Callable[..., Any]]] = {
    "division towards zero": (OPERATORS, ir.BinaryOp.FLOORDIV, _towards_zero),
    "a remainder with the dividend's sign": (OPERATORS, ir.BinaryOp.MOD, lambda a, b: a - b * _towards_zero(a, b)),
    "a shift count taken modulo 64": (OPERATORS, ir.BinaryOp.LSHIFT, lambda a, b: a << b % 64),
    "a logical right shift": (OPERATORS, ir.BinaryOp.RSHIFT, lambda a, b: abs(a) >> b),
    "less or equal for less": (OPERATORS, ir.CompareOp.LT, operator.le),
    "conversions of 32 bits": (evaluate.EXPRESSIONS, ir.Convert, _without_sign),
    "no short circuit": (evaluate.EXPRESSIONS, ir.Logical, _both_operands),
    "a map that is not written": (evaluate.STATEMENTS, ir.SetMap, _key_before_value),
    "asserts that pass": (evaluate.STATEMENTS, ir.Assert, lambda run, node: None),
}


@pytest.mark.parametrize("bug", _BUGS)
def test_a_wrong_meaning_is_found_among_few_functions(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table, key, wrong = _BUGS[bug]
    assert isinstance(table, MutableMapping)
    monkeypatch.setitem(table, key, wrong)
    assert any(_is_found(number) for number in range(FAST))


def _is_found(number: int) -> bool:
    try:
        return bool(check(3, [number], INPUTS, [VmRunner()], shrinking=False).differences)
    except AssertionError:
        return True  # the evaluator looks after itself too: an `assert x is not None` that passes wrongly ends in it


def test_a_function_is_made_smaller_as_long_as_it_shows_the_same() -> None:
    text = "x = 1\nif x:\n    y = (3 + 4) // 0\n    z = 5\nelse:\n    pass\n"
    assert shrink(text, lambda smaller: "//" in smaller) == "y = 3 // 0"
