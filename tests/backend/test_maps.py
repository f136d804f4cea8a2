"""Maps: what reading, writing, updating and deleting mean for arrays and hashes, and where they fault."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from pybpfnf.abi.helpers import HELPERS
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import ADDRESS, BOOL, S64, U8, U16, U32, U64, IntType, OptionalType, StructType, ValueType
from tests.backend.build_ir import (
    SPAN,
    assign,
    at,
    binary,
    both,
    compare,
    const,
    convert,
    either,
    element,
    function,
    get,
    give,
    local,
    module,
    read,
    when,
)
from tests.backend.engine import Engine, built

KEY = ir.State("KEY", U32, 0)
OUT = ir.State("OUT", U64, 0)
ARRAY = ir.Map("counts", "array", U32, U64, 4)
PER_CPU = ir.Map("per_cpu", "percpu_array", U32, U16, 4)
HASH = ir.Map("flows", "hash", U32, U64, 2)
DEFAULTED = ir.Map("defaulted", "hash", U32, U32, 2, default=100)


def engine(*body: ir.Stmt, maps: tuple[ir.Map, ...] = (ARRAY,)) -> Engine:
    return Engine(module(function("uses", *body, give()), maps=maps, variables=(KEY, OUT)))


def out(value: ir.Expr) -> ir.SetState:
    return ir.SetState(OUT, convert(value, U64) if value.type != U64 else value, SPAN)


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def u64(value: int) -> bytes:
    return struct.pack("<Q", value)


# ------------------------------------------------------------------------------------------------------------ arrays


def test_an_array_reads_and_writes_its_elements() -> None:
    body = (ir.SetMap(ARRAY, const(2, U32), binary("+", element(ARRAY, const(1, U32)), const(5, U64)), SPAN),)
    with engine(*body) as run:
        run.maps["counts"].update(u32(1), u64(1 << 40))
        assert run.run().fault is None
        assert run.maps["counts"].lookup(u32(2)) == u64((1 << 40) + 5)


@pytest.mark.parametrize(("index", "fault"), [(0, None), (3, None), (4, "index out of range"), (0xFFFFFFFF, "index out of range")])
def test_an_index_out_of_range_is_a_fault(index: int, fault: str | None) -> None:
    for body in (
        out(element(ARRAY, read(KEY))),
        ir.SetMap(ARRAY, read(KEY), const(1, U64), SPAN),
        ir.UpdateMap(ARRAY, read(KEY), ir.BinaryOp.ADD, const(1, U64), SPAN),
    ):
        with engine(body) as run:
            run.set(KEY=index)
            assert run.fault() == fault


@pytest.mark.parametrize(
    ("index", "fault"), [(3, None), (4, "index out of range"), (-1, "index out of range"), (1 << 32, "index out of range")]
)
def test_an_index_of_a_wider_or_signed_type_is_compared_whole(index: int, fault: str | None) -> None:
    wide = ir.State("WIDE", S64, 0)
    whole = module(function("uses", out(element(ARRAY, read(wide))), give()), maps=(ARRAY,), variables=(wide, OUT))
    with Engine(whole) as run:
        run.set(WIDE=index)
        assert run.fault() == fault


def test_an_index_that_cannot_be_out_of_range_has_no_fault_site() -> None:
    small, large = ir.State("SMALL", U8, 0), ir.Map("large", "array", U32, U64, 256)
    body = (
        out(element(ARRAY, const(3, U32))),
        ir.SetMap(large, convert(read(small), U32), const(1, U64), SPAN),
        ir.SetMap(large, read(small), const(1, U64), SPAN),
    )
    image = built(module(function("uses", *body, give()), maps=(ARRAY, large), variables=(small, OUT)))
    assert image.faults is None


def look_ups(*body: ir.Stmt) -> int:
    image = built(module(function("uses", *body, give()), maps=(ARRAY,), variables=(KEY, OUT)))
    helper = HELPERS["map_lookup_elem"].id
    return sum(insn.form.name == "call" and insn.imm == helper for insn in image.program().insns)


def test_an_element_of_an_array_is_looked_up_once() -> None:
    twice = ir.UpdateMap(ARRAY, const(1, U32), ir.BinaryOp.ADD, const(1, U64), SPAN), out(element(ARRAY, const(1, U32)))
    assert look_ups(*twice) == 1
    assert look_ups(*twice, out(element(ARRAY, const(2, U32)))) == 2
    with engine(*twice) as run:
        run.run()
        assert run.get("OUT") == 1


def test_an_element_is_looked_up_again_where_another_way_may_have_led() -> None:
    first = out(element(ARRAY, const(1, U32)))
    on_one_way = when(compare("==", read(KEY), const(0, U32)), (first,))
    assert look_ups(on_one_way, first) == 2
    assert look_ups(first, on_one_way, first) == 1


def test_an_update_of_a_shared_map_is_atomic_and_of_a_per_cpu_map_is_not() -> None:
    body = (
        ir.UpdateMap(ARRAY, const(0, U32), ir.BinaryOp.SUB, const(1, U64), SPAN),
        ir.UpdateMap(PER_CPU, const(0, U32), ir.BinaryOp.MUL, const(3, U16), SPAN),
        ir.UpdateMap(PER_CPU, const(1, U32), ir.BinaryOp.SUB, const(1, U16), SPAN),
    )
    with engine(*body, maps=(ARRAY, PER_CPU)) as run:
        run.run()
        assert run.maps["counts"].lookup(u32(0)) == u64((1 << 64) - 1)
        per_cpu = run.maps["per_cpu"].lookup(u32(1))
        assert per_cpu is not None
        assert per_cpu[:2] == b"\xff\xff"
        atomics = [insn.form.name for insn in run.image.program().insns if insn.form.kind.value == "atomic"]
        assert len(atomics) == 1


@pytest.mark.parametrize(
    ("op", "operand", "expected"),
    [
        (ir.BinaryOp.ADD, 7, 0xF7),
        (ir.BinaryOp.SUB, 0x10, 0xE0),
        (ir.BinaryOp.AND, 0x90, 0x90),
        (ir.BinaryOp.OR, 0x0F, 0xFF),
        (ir.BinaryOp.XOR, 0xFF, 0x0F),
    ],
)
@pytest.mark.parametrize("type_", [U32, U64], ids=str)
def test_each_atomic_operation(type_: IntType, op: ir.BinaryOp, operand: int, expected: int) -> None:
    cells = ir.Map("cells", "array", U32, type_, 1)
    with engine(ir.UpdateMap(cells, const(0, U32), op, const(operand, type_), SPAN), maps=(cells,)) as run:
        run.maps["cells"].update(u32(0), (0xF0).to_bytes(type_.size, "little"))
        run.run()
        assert run.maps["cells"].lookup(u32(0)) == expected.to_bytes(type_.size, "little")


def test_the_element_is_looked_up_before_the_right_side_is_evaluated() -> None:
    """As in Python: a missing element faults first."""
    division = ir.Binary(ir.BinaryOp.FLOORDIV, const(1, U64), read(OUT), U64, at(50))
    with engine(ir.UpdateMap(ARRAY, read(KEY), ir.BinaryOp.ADD, division, at(40))) as run:
        run.set(KEY=9, OUT=0)
        assert run.fault() == "index out of range"
        run.set(KEY=0)
        assert run.fault() == "division by zero"


# ------------------------------------------------------------------------------------------------------------ hashes


def test_a_missing_key_of_a_hash_without_default_is_a_fault() -> None:
    with engine(out(element(HASH, read(KEY))), maps=(HASH,)) as run:
        run.maps["flows"].update(u32(5), u64(55))
        assert run.fault() == "no such key"
        run.set(KEY=5)
        assert run.fault() is None
        assert run.get("OUT") == 55


def test_a_missing_key_of_a_hash_with_default_reads_as_it_and_is_not_made() -> None:
    with engine(out(element(DEFAULTED, read(KEY))), maps=(DEFAULTED,)) as run:
        assert run.fault() is None
        assert run.get("OUT") == 100
        assert list(run.maps["defaulted"].keys()) == []


def test_an_update_makes_a_missing_key_from_the_default() -> None:
    with engine(ir.UpdateMap(DEFAULTED, read(KEY), ir.BinaryOp.ADD, const(1, U32), SPAN), maps=(DEFAULTED,)) as run:
        run.run()
        run.run()
        assert run.maps["defaulted"].lookup(u32(0)) == u32(102)


def test_a_full_map_is_a_fault() -> None:
    for body in (
        ir.UpdateMap(DEFAULTED, read(KEY), ir.BinaryOp.ADD, const(1, U32), SPAN),
        ir.SetMap(DEFAULTED, read(KEY), const(1, U32), SPAN),
    ):
        with engine(body, maps=(DEFAULTED,)) as run:
            for key in (7, 8):
                run.maps["defaulted"].update(u32(key), u32(0))
            assert run.fault() == "the map is full"
            run.set(KEY=8)
            assert run.fault() is None


def test_deleting_a_missing_key_is_a_fault() -> None:
    with engine(ir.DeleteMap(HASH, read(KEY), SPAN), maps=(HASH,)) as run:
        run.maps["flows"].update(u32(0), u64(1))
        assert run.fault() is None
        assert run.fault() == "no such key"


def test_get_and_contains_do_not_fault() -> None:
    found = local("found", OptionalType(U64))
    body = (
        assign(found, get(HASH, read(KEY))),
        when(ir.IsNone(read(found), SPAN), (out(const(1, U64)),), (out(ir.Unwrap(read(found), U64, SPAN)),)),
        when(ir.MapContains(HASH, read(KEY), SPAN), (ir.UpdateState(OUT, ir.BinaryOp.ADD, const(1000, U64), SPAN),)),
    )
    with engine(*body, maps=(HASH,)) as run:
        assert run.image.faults is None
        run.run()
        assert run.get("OUT") == 1
        run.maps["flows"].update(u32(0), u64(55))
        run.run()
        assert run.get("OUT") == 1055


@pytest.mark.parametrize("join", [both, either])
@pytest.mark.parametrize("asked", ["get", "contains"])
@pytest.mark.parametrize("named", [False, True])
def test_two_look_ups_are_asked_one_after_the_other(join: Callable[[ir.Expr, ir.Expr], ir.Expr], asked: str, named: bool) -> None:
    """LLVM likes to ask two pointers at once: `pointer |= pointer prohibited`."""
    questions: list[ir.Expr] = []
    body: list[ir.Stmt] = []
    for number, map_ in enumerate((HASH, DEFAULTED)):
        question: ir.Expr = ir.MapContains(map_, read(KEY), SPAN)
        if asked == "get":
            assert not isinstance(map_.value, StructType)
            found = local(f"n{number}", OptionalType(map_.value), number)
            body.append(assign(found, get(map_, read(KEY))))
            question = ir.Not(ir.IsNone(read(found), SPAN), SPAN)
        if named:
            flag = local(f"f{number}", BOOL, number + 2)
            body.append(assign(flag, question))
            question = read(flag)
        questions.append(question)
    body.append(when(join(*questions), (out(const(1, U64)),)))
    with engine(*body, maps=(HASH, DEFAULTED)) as running:
        running.run()
        assert running.get("OUT") == 0
        running.maps["flows"].update(u32(0), u64(1))
        running.run()
        assert running.get("OUT") == (join is either)
        running.maps["defaulted"].update(u32(0), u32(1))
        running.run()
        assert running.get("OUT") == 1


@pytest.mark.parametrize(("index", "expected"), [(3, 9), (4, 0), (-1, 0)])
def test_get_of_an_index_out_of_range_is_none(index: int, expected: int) -> None:
    wide, found = ir.State("WIDE", S64, 0), local("found", OptionalType(U64))
    body = (assign(found, get(ARRAY, read(wide))), when(ir.IsNone(read(found), SPAN), (), (out(ir.Unwrap(read(found), U64, SPAN)),)))
    with Engine(module(function("uses", *body, give()), maps=(ARRAY,), variables=(wide, OUT))) as run:
        run.maps["counts"].update(u32(3), u64(9))
        run.set(WIDE=index)
        assert run.fault() is None
        assert run.get("OUT") == expected


@pytest.mark.parametrize(
    ("type_", "value", "stored"), [(BOOL, 1, b"\1"), (ADDRESS, bytes(range(16)), bytes(range(16))), (U8, 200, b"\xc8")], ids=str
)
def test_keys_and_values_of_each_type_lie_in_memory_as_declared(type_: ValueType, value: int | bytes, stored: bytes) -> None:
    values = ir.Map("values", "hash", type_, type_, 4)
    source, target = ir.State("SOURCE", type_, value), ir.State("TARGET", type_, bytes(16) if isinstance(value, bytes) else 0)
    body = (ir.SetMap(values, read(source), read(source), SPAN), ir.SetState(target, element(values, read(source)), SPAN))
    with Engine(module(function("uses", *body, give()), maps=(values,), variables=(source, target))) as run:
        assert run.run().fault is None
        assert run.maps["values"].lookup(stored) == stored
        assert run.get("TARGET") == value


def test_the_object_says_the_languages_types_and_default() -> None:
    specs = built(module(function("uses", give()), maps=(ARRAY, PER_CPU, DEFAULTED))).maps
    assert [
        (name, spec.type, spec.key_size, spec.value_size, spec.max_entries, str(spec.key_type), str(spec.value_type))
        for name, spec in specs.items()
    ] == [
        ("counts", "array", 4, 8, 4, "u32", "u64"),
        ("per_cpu", "percpu_array", 4, 2, 4, "u32", "u16"),
        ("defaulted", "hash", 4, 4, 2, "u32", "u32"),
    ]
