"""Integer operators mean what they mean in Python, reduced to their type: each operator on each type, on the numbers where it is hard."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import product

import pytest

from pybpfnf.dsl import ir
from pybpfnf.dsl.types import BOOL, INT_TYPES, S8, S32, S64, U8, U16, U32, U64, IntType
from tests.backend.build_ir import SPAN, binary, compare, const, convert, function, give, module, read
from tests.backend.engine import Engine

PYTHON: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "//": operator.floordiv,
    "%": operator.mod,
    "<<": lambda left, right: left << min(right, 64),
    ">>": operator.rshift,
}
COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
FAULTS = {"//": "division by zero", "%": "division by zero", "<<": "negative shift count", ">>": "negative shift count"}
PROGRAM = {
    "+": "add", "-": "sub", "*": "mul", "&": "bit_and", "|": "bit_or", "^": "bit_xor", "//": "floordiv", "%": "mod",
    "<<": "shl", ">>": "shr", "==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge",
}  # fmt: skip


def hard_values(type_: IntType) -> list[int]:
    middle = 1 << type_.width // 2
    wanted = {0, 1, 2, 3, 7, 8, -1, -2, -7, -8, middle, 1 - middle, type_.minimum, type_.minimum + 1, type_.maximum - 1, type_.maximum}
    return sorted(value for value in wanted if type_.holds(value))


def state(name: str, type_: IntType) -> ir.State:
    return ir.State(name, type_, 1)


@pytest.fixture(scope="module", params=INT_TYPES.values(), ids=str)
def type_(request: pytest.FixtureRequest) -> IntType:
    chosen = request.param
    assert isinstance(chosen, IntType)
    return chosen


Run = Callable[[str, int, int], int | str]


@pytest.fixture(scope="module")
def run(type_: IntType) -> Iterator[Run]:
    """Computes `left op right` in the VM, both operands unknown to the compiler; gives the result, or the fault's message."""
    left, right, result, truth = state("LEFT", type_), state("RIGHT", type_), state("RESULT", type_), ir.State("TRUTH", BOOL, 1)
    functions = [function(PROGRAM[op], ir.SetState(result, binary(op, read(left), read(right)), SPAN), give()) for op in PYTHON] + [
        function(PROGRAM[op], ir.SetState(truth, compare(op, read(left), read(right)), SPAN), give()) for op in COMPARISONS
    ]
    whole = Engine(module(*functions, variables=(left, right, result, truth)), "add").image
    with ExitStack() as stack:
        engines = {op: stack.enter_context(Engine(whole, PROGRAM[op])) for op in (*PYTHON, *COMPARISONS)}

        def compute(op: str, a: int, b: int) -> int | str:
            engine = engines[op]
            engine.set(LEFT=a, RIGHT=b)
            outcome = engine.run()
            if outcome.fault is not None:
                return outcome.fault.message
            value = engine.get("TRUTH" if op in COMPARISONS else "RESULT")
            assert isinstance(value, int)
            return value

        yield compute


@pytest.mark.parametrize("op", PYTHON)
def test_an_operator_is_pythons_reduced_to_the_type(run: Run, type_: IntType, op: str) -> None:
    for left, right in product(hard_values(type_), repeat=2):
        faults = (op in ("//", "%") and right == 0) or (op in ("<<", ">>") and right < 0)
        expected = FAULTS[op] if faults else type_.reduce(PYTHON[op](left, right))
        assert run(op, left, right) == expected, f"{left} {op} {right}"


@pytest.mark.parametrize("op", COMPARISONS)
def test_a_comparison_is_by_value(run: Run, type_: IntType, op: str) -> None:
    for left, right in product(hard_values(type_), repeat=2):
        assert run(op, left, right) == COMPARISONS[op](left, right), f"{left} {op} {right}"


@pytest.mark.parametrize("divisor", [-128, -3, -1, 1, 2, 3, 8, 100, 127])
@pytest.mark.parametrize("op", ["//", "%"])
def test_a_constant_divisor_gives_the_same_and_needs_no_check(op: str, divisor: int) -> None:
    left, result = state("LEFT", S32), state("RESULT", S32)
    body = ir.SetState(result, binary(op, read(left), const(divisor, S32)), SPAN)
    with Engine(module(function("divide", body, give()), variables=(left, result))) as engine:
        assert engine.image.faults is None
        for value in hard_values(S32):
            engine.set(LEFT=value)
            engine.run()
            assert engine.get("RESULT") == S32.reduce(PYTHON[op](value, divisor)), f"{value} {op} {divisor}"


def test_a_shift_count_may_have_another_type_than_what_is_shifted() -> None:
    left, count, result = state("LEFT", U8), state("COUNT", U64), state("RESULT", U8)
    shift = ir.SetState(result, binary("<<", read(left), read(count)), SPAN)
    with Engine(module(function("shift", shift, give()), variables=(left, count, result))) as engine:
        for shift_count in (0, 1, 7, 8, 255, 256, 1 << 32, 1 << 63):
            engine.set(LEFT=0x81, COUNT=shift_count)
            engine.run()
            assert engine.get("RESULT") == (0x81 << min(shift_count, 8)) & 0xFF, shift_count


@pytest.mark.parametrize(
    ("type_", "op", "count", "expected"), [(U16, "<<", 16, 0), (S8, ">>", 100, -1), (S8, "<<", 3, -8), (U64, ">>", 63, 1)], ids=str
)
def test_a_constant_shift_count_is_checked_when_compiling(type_: IntType, op: str, count: int, expected: int) -> None:
    left, result = state("LEFT", type_), state("RESULT", type_)
    shift = ir.SetState(result, binary(op, read(left), const(count, S64)), SPAN)
    with Engine(module(function("shift", shift, give()), variables=(left, result))) as engine:
        assert engine.image.faults is None
        engine.set(LEFT=-1)
        engine.run()
        assert engine.get("RESULT") == expected


@pytest.mark.parametrize("from_", INT_TYPES.values(), ids=str)
def test_a_conversion_keeps_the_low_bits_and_widens_by_the_operands_sign(from_: IntType) -> None:
    source = state("SOURCE", from_)
    results = {to: state(f"AS_{to}", to) for to in INT_TYPES.values()}
    body = [ir.SetState(results[to], convert(read(source), to), SPAN) for to in results]
    with Engine(module(function("convert", *body, give()), variables=(source, *results.values()))) as engine:
        for value in hard_values(from_):
            engine.set(SOURCE=value)
            engine.run()
            assert {to: engine.get(f"AS_{to}") for to in results} == {to: to.reduce(value) for to in results}, value


def test_a_bool_becomes_one_or_zero() -> None:
    flag, result = ir.State("FLAG", BOOL, 0), state("RESULT", U32)
    body = ir.SetState(result, ir.Convert(read(flag), U32, SPAN), SPAN)
    with Engine(module(function("convert", body, give()), variables=(flag, result))) as engine:
        engine.run()
        assert engine.get("RESULT") == 0
        engine.set(FLAG=1)
        engine.run()
        assert engine.get("RESULT") == 1


@pytest.mark.parametrize("type_", INT_TYPES.values(), ids=str)
def test_negation_and_inversion_wrap(type_: IntType) -> None:
    source, negated, inverted = state("SOURCE", type_), state("NEGATED", type_), state("INVERTED", type_)
    assert isinstance(source.type, IntType)
    body = [
        ir.SetState(target, ir.Unary(op, read(source), type_, SPAN), SPAN)
        for op, target in ((ir.UnaryOp.NEG, negated), (ir.UnaryOp.INVERT, inverted))
    ]
    with Engine(module(function("unary", *body, give()), variables=(source, negated, inverted))) as engine:
        for value in hard_values(type_):
            engine.set(SOURCE=value)
            engine.run()
            assert (engine.get("NEGATED"), engine.get("INVERTED")) == (type_.reduce(-value), type_.reduce(~value))


def test_a_test_for_overflow_does_not_become_a_multiplication_of_128_bits() -> None:
    """LLVM makes umul.with.overflow of both, and the BPF back end ends the process over `__multi3`."""
    a, b, result = state("A", U64), state("B", U64), ir.State("RESULT", BOOL, 0)
    highest = const(U64.maximum, U64)
    local_a, local_b = ir.Local("a", 0, U64), ir.Local("b", 1, U64)
    product_ = binary("*", read(local_a), read(local_b))
    load = (ir.Assign(local_a, read(a), SPAN), ir.Assign(local_b, read(b), SPAN))
    by_product = compare("!=", binary("//", product_, read(local_b)), read(local_a))
    by_quotient = compare("<", binary("//", highest, read(local_a)), read(local_b))
    functions = [
        function(name, *load, ir.SetState(result, test, SPAN), give()) for name, test in (("first", by_product), ("second", by_quotient))
    ]
    whole = module(*functions, variables=(a, b, result))
    for name in ("first", "second"):
        with Engine(whole, name) as engine:
            for factors, overflows in (((1 << 32, 1 << 31), False), ((1 << 32, 1 << 32), True)):
                engine.set(A=factors[0], B=factors[1])
                engine.run()
                assert engine.get("RESULT") == overflows
