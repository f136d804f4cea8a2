"""The IR verifier: it takes what the compiler makes, and refuses each way of being inconsistent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pybpfnf.dsl import ir
from pybpfnf.dsl.passes.check_ir import check_function, check_module
from pybpfnf.dsl.passes.layout import STACK_LIMIT, stack_size
from pybpfnf.dsl.types import BOOL, S32, U8, U16, U32, VERDICT, OptionalType, Type
from pybpfnf.errors import InternalError
from tests.dsl.cases import compile_text, function

SOURCE = function(
    "x = pkt.srh.tag + 1\nif pkt.len > 3:\n    x = 3\nn = m.get(x)\nif n is None:\n    return DROP\n"
    "pkt.srh.tag = n\nm[x] = n\na[1] += pkt.len\nglobal S\nS += 1\nassert x < 3 < n\nreturn pkt.end_t(table=3)",
    before="m = Hash(u16, u16, 4)\na = Array(u32, 4)\nS = State(u64)\n",
)


@pytest.fixture
def module(tmp_path: Path) -> ir.Module:
    return compile_text(SOURCE, tmp_path)


def broken(made: ir.Function) -> Iterator[ir.Function]:
    """The function with each statement changed so that it does not hold together."""
    for index, statement in enumerate(made.body):
        wrong = _wrong(statement)
        if wrong is not None:
            yield replace(made, body=(*made.body[:index], wrong, *made.body[index + 1 :]))


def _wrong(statement: ir.Stmt) -> ir.Stmt | None:
    bad = ir.Const(1, U8, statement.span)
    match statement:
        case ir.Assign() | ir.SetHeader() | ir.SetMap() | ir.UpdateMap() | ir.UpdateState() | ir.Return():
            return replace(statement, value=bad)
        case ir.If() | ir.Assert():
            return replace(statement, test=bad)
        case _:
            return None


def test_what_the_compiler_makes_is_consistent(module: ir.Module) -> None:
    check_module(module)


def test_a_wrong_type_in_any_statement_is_found(module: ir.Module) -> None:
    made = module.functions[0]
    cases = list(broken(made))
    assert len(cases) == len(made.body)
    for case in cases:
        with pytest.raises(InternalError, match="inconsistent IR"):
            check_function(case)


@pytest.mark.parametrize(
    "node",
    [
        lambda span: ir.Const(256, U8, span),
        lambda span: ir.Const(b"123", ir.Local("x", 0, U8).type, span),
        lambda span: ir.Convert(ir.Const(1, U8, span), U8, span),
        lambda span: ir.Binary(ir.BinaryOp.ADD, ir.Const(1, U8, span), ir.Const(1, U16, span), U16, span),
        lambda span: ir.Binary(ir.BinaryOp.LSHIFT, ir.Const(1, U8, span), ir.Const(1, U16, span), U16, span),
        lambda span: ir.Unary(ir.UnaryOp.NEG, ir.Const(1, U8, span), U16, span),
        lambda span: ir.Compare(ir.CompareOp.LT, ir.Const(1, BOOL, span), ir.Const(1, BOOL, span), span),
        lambda span: ir.Logical(ir.LogicalOp.AND, ir.Const(1, BOOL, span), ir.Const(1, U8, span), span),
        lambda span: ir.Not(ir.Const(1, U8, span), span),
        lambda span: ir.Conditional(ir.Const(1, BOOL, span), ir.Const(1, U8, span), ir.Const(1, U16, span), U8, span),
        lambda span: ir.IsNone(ir.Const(1, U8, span), span),
        lambda span: ir.Unwrap(ir.Const(1, U8, span), U8, span),
        lambda span: ir.Seg6ActionCall(ir.Seg6Action.END_T, ir.Const(1, U32, span), VERDICT, span),
    ],
)
def test_an_expression_that_does_not_hold_together_is_found(node: object, module: ir.Module) -> None:
    made = module.functions[0]
    evaluated = ir.Evaluate(node(made.span), made.span)  # type: ignore[operator]
    with pytest.raises(InternalError, match="inconsistent IR"):
        check_function(replace(made, body=(evaluated, *made.body)))


def test_a_path_without_a_return_is_found(module: ir.Module) -> None:
    made = module.functions[0]
    with pytest.raises(InternalError, match="a path ends without a return"):
        check_function(replace(made, body=made.body[:-1]))


def test_a_local_that_the_function_does_not_have_is_found(module: ir.Module) -> None:
    made = module.functions[0]
    with pytest.raises(InternalError, match="an unknown local"):
        check_function(replace(made, locals=made.locals[1:]))


def test_a_file_without_text_is_found(module: ir.Module) -> None:
    with pytest.raises(InternalError, match="no text of"):
        check_module(replace(module, sources={}))


def test_two_symbols_of_one_name_are_found(module: ir.Module) -> None:
    with pytest.raises(InternalError, match="two symbols of one name"):
        check_module(replace(module, maps=(*module.maps, replace(module.maps[0], kind="array"))))


def test_integers_and_addresses_are_left_to_the_registers(module: ir.Module) -> None:
    empty = replace(module.functions[0], body=module.functions[0].body[-1:])
    kinds: tuple[Type, ...] = (U8, S32, OptionalType(U16), VERDICT, BOOL) * 20
    assert stack_size(replace(empty, locals=tuple(ir.Local("x", number, kind) for number, kind in enumerate(kinds)))) == 0


def test_a_long_path_needs_more_stack_than_there_is(tmp_path: Path) -> None:
    path = ", ".join(["A"] * 31)
    module = compile_text(function(f"return pkt.end_b6(Srh(path=[{path}]))", before='A = IPv6Address("fc00::1")\n'), tmp_path)
    assert stack_size(module.functions[0]) == 8 + 31 * 16 <= STACK_LIMIT
