"""The table of result types, whole: every pair of integer types with every operator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pybpfnf.dsl import ir
from pybpfnf.dsl.types import BOOL, INT_TYPES, S64, IntType
from tests.dsl.cases import compile_text, diagnostics_of, function

ARITHMETIC = ("+", "-", "*", "&", "|", "^", "//", "%")
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
PAIRS = [(left, right) for left in INT_TYPES.values() for right in INT_TYPES.values()]


def expected(left: IntType, right: IntType) -> IntType | None:
    """The table, said another way: the wider operand; signs mix only where the signed one is wider."""
    wider, narrower = (left, right) if left.width >= right.width else (right, left)
    if wider.signed == narrower.signed or (wider.signed and wider.width > narrower.width):
        return wider
    return None


def operands(left: IntType, right: IntType) -> str:
    return f"x = {left}(pkt.mark)\ny = {right}(pkt.len)\n"


def assigned(module: ir.Module, name: str) -> Iterator[ir.Expr]:
    for statement in module.functions[0].body:
        if isinstance(statement, ir.Assign) and statement.local.name == name:
            yield statement.value


@pytest.mark.parametrize(("left", "right"), PAIRS, ids=str)
def test_arithmetic_has_the_wider_operands_type_or_names_the_cast(left: IntType, right: IntType, tmp_path: Path) -> None:
    source = function(operands(left, right) + "\n".join(f"z{i} = x {op} y" for i, op in enumerate(ARITHMETIC)) + "\nreturn OK")
    wanted = expected(left, right)
    if wanted is None:
        assert [diagnostic.code for diagnostic in diagnostics_of(source, tmp_path)] == ["sign"] * len(ARITHMETIC)
    else:
        module = compile_text(source, tmp_path)
        for i, op in enumerate(ARITHMETIC):
            (value,) = assigned(module, f"z{i}")
            assert isinstance(value, ir.Binary)
            assert (value.op.value, value.type, value.left.type, value.right.type) == (op, wanted, wanted, wanted)


@pytest.mark.parametrize(("left", "right"), PAIRS, ids=str)
def test_the_cast_that_a_sign_error_names_makes_it_right(left: IntType, right: IntType, tmp_path: Path) -> None:
    if expected(left, right) is not None:
        assert diagnostics_of(function(operands(left, right) + "z = x + y\nreturn OK"), tmp_path) == ()
        return
    (found,) = diagnostics_of(function(operands(left, right) + "z = x + y\nreturn OK"), tmp_path)
    assert found.hint is not None
    cast = found.hint.split("`")[1]
    mended = "x + y".replace(cast[-2], cast)
    assert diagnostics_of(function(operands(left, right) + f"z = {mended}\nreturn OK"), tmp_path) == ()


@pytest.mark.parametrize(("left", "right"), PAIRS, ids=str)
def test_comparisons_are_bools_of_operands_in_one_type(left: IntType, right: IntType, tmp_path: Path) -> None:
    source = function(operands(left, right) + "\n".join(f"z{i} = x {op} y" for i, op in enumerate(COMPARISONS)) + "\nreturn OK")
    wanted = expected(left, right)
    if wanted is None:
        assert {diagnostic.code for diagnostic in diagnostics_of(source, tmp_path)} == {"sign"}
        return
    module = compile_text(source, tmp_path)
    for i, op in enumerate(COMPARISONS):
        (value,) = assigned(module, f"z{i}")
        assert isinstance(value, ir.Compare)
        assert (value.op.value, value.type, value.left.type, value.right.type) == (op, BOOL, wanted, wanted)


@pytest.mark.parametrize(("left", "right"), PAIRS, ids=str)
def test_shifts_have_the_left_operands_type(left: IntType, right: IntType, tmp_path: Path) -> None:
    module = compile_text(function(operands(left, right) + "a = x << y\nb = x >> y\nreturn OK"), tmp_path)
    for name in "ab":
        (value,) = assigned(module, name)
        assert isinstance(value, ir.Binary)
        assert (value.type, value.left.type, value.right.type) == (left, left, right)


@pytest.mark.parametrize(("left", "right"), PAIRS, ids=str)
def test_a_local_has_the_join_of_its_assignments(left: IntType, right: IntType, tmp_path: Path) -> None:
    source = function(operands(left, right) + "z = x\nif pkt.len > 3:\n    z = y\nreturn OK")
    wanted = expected(left, right)
    if wanted is None:
        assert [diagnostic.code for diagnostic in diagnostics_of(source, tmp_path)] == ["sign"]
        return
    (local,) = (local for local in compile_text(source, tmp_path).functions[0].locals if local.name == "z")
    assert local.type == wanted


@pytest.mark.parametrize(("left", "right"), PAIRS, ids=str)
def test_only_widening_is_free(left: IntType, right: IntType, tmp_path: Path) -> None:
    found = diagnostics_of(function(f"x = {left}(pkt.mark)\nz: {right} = x\nreturn OK"), tmp_path)
    if right.minimum <= left.minimum and left.maximum <= right.maximum:
        assert found == ()
    else:
        assert [diagnostic.code for diagnostic in found] == ["type" if left.width > right.width else "sign"]


@pytest.mark.parametrize("type_", INT_TYPES.values(), ids=str)
@pytest.mark.parametrize("op", [*ARITHMETIC, *COMPARISONS])
def test_a_literal_takes_the_other_operands_type_where_it_fits(type_: IntType, op: str, tmp_path: Path) -> None:
    fits, too_large = type_.maximum, type_.maximum + 1
    for text in (f"x {op} {fits}", f"{fits} {op} x"):
        module = compile_text(function(f"x = {type_}(pkt.mark)\nz = {text}\nreturn OK"), tmp_path)
        (value,) = assigned(module, "z")
        assert isinstance(value, ir.Binary | ir.Compare)
        assert value.left.type == value.right.type == type_
    found = diagnostics_of(function(f"x = {type_}(pkt.mark)\nz = x {op} {too_large}\nreturn OK"), tmp_path)
    assert [diagnostic.code for diagnostic in found] == ["overflow"]


@pytest.mark.parametrize("type_", INT_TYPES.values(), ids=str)
def test_unary_operators_keep_the_type(type_: IntType, tmp_path: Path) -> None:
    module = compile_text(function(f"x = {type_}(pkt.mark)\nz = -x\nw = ~x\nreturn OK"), tmp_path)
    assert [value.type for name in "zw" for value in assigned(module, name)] == [type_, type_]


@pytest.mark.parametrize("op", ARITHMETIC)
@pytest.mark.parametrize("type_", INT_TYPES.values(), ids=str)
def test_augmented_assignment_keeps_the_type(type_: IntType, op: str, tmp_path: Path) -> None:
    operand = "s64" if type_.signed else "u64"
    module = compile_text(function(f"x: {type_} = 1\nx {op}= {operand}(pkt.mark)\nreturn OK"), tmp_path)
    _, value = assigned(module, "x")
    assert value.type == type_


@pytest.mark.parametrize(
    ("text", "value"),
    [("7 // -2", -4), ("-7 // 2", -4), ("-7 % 3", 2), ("7 % -3", -2), ("1 << 40 >> 38", 4), ("-1 >> 70", -1), ("~5 & 0xff ^ 3 | 256", 505)],
)
def test_two_literals_fold_by_pythons_arithmetic(text: str, value: int, tmp_path: Path) -> None:
    (found,) = assigned(compile_text(function(f"z = {text}\nreturn OK"), tmp_path), "z")
    assert isinstance(found, ir.Const)
    assert (found.value, found.type) == (value, S64)
