"""Functions with more ways through them than the verifier goes: what they add up is kept from it, and is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybpfnf.kernel.load import load_program
from tests.backend.engine import Engine, built
from tests.dsl.cases import compile_text, function

BEFORE = "IN = State(u64)\nOUT = State(u64)\n"
BITS = 100  # 2 to the power of this are the ways


def adding(operation: str, type_: str) -> str:
    """A function that does the operation for each bit of IN that is set, some of them twice; C is the bit's number."""
    lines = [f"if IN & {1 << bit % 64} != 0:\n    {operation.replace('C', str(bit))}" for bit in range(BITS)]
    body = "\n".join([f"x: {type_} = 1", *lines, "OUT = u64(x)", "return DROP if x > 100 else OK"])
    return function(f"global OUT\n{body}", before=BEFORE)


def expected(operation: str, given: int, bits: int) -> int:
    scope = {"x": 1}
    for bit in range(BITS):
        if given & 1 << bit % 64:
            exec(operation.replace("C", str(bit)), scope)
            scope["x"] &= (1 << bits) - 1
    return scope["x"]


@pytest.mark.parametrize(("operation", "type_", "bits"), [("x += C", "u32", 32), ("x -= C", "u64", 64), ("x = x * 3 + C", "u16", 16)])
def test_what_is_added_up_on_many_ways_is_right(operation: str, type_: str, bits: int, tmp_path: Path) -> None:
    with Engine(compile_text(adding(operation, type_), tmp_path)) as engine:
        for given in (0, 1, 0xDEADBEEF12345678, (1 << 64) - 1):
            engine.set(IN=given)
            outcome = engine.run()
            total = expected(operation, given, bits)
            assert (engine.get("OUT"), outcome.verdict) == (total, 2 if total > 100 else 0)


@pytest.mark.kernel
@pytest.mark.parametrize("operation", ["x += C", "x -= C", "x |= C", "x = x * 3 + C"])
@pytest.mark.parametrize("type_", ["u8", "u16", "u32", "u64"])
def test_the_verifier_takes_as_many_ways_as_there_are(operation: str, type_: str, tmp_path: Path) -> None:
    image = built(compile_text(adding(operation, type_), tmp_path))
    load_program(image, image.program()).close()


def test_what_depends_on_many_look_ups_needs_no_stack_for_them(tmp_path: Path) -> None:
    lines = [f"if sizes[{index}] > 5:\n    x += {index}" for index in range(BITS)]
    body = "\n".join(["global OUT", "x: u32 = 0", *lines, "OUT = x", "return OK"])
    image = built(compile_text(function(body, before=f"{BEFORE}sizes = Array(u64, {BITS})\n"), tmp_path))
    with Engine(image) as engine:
        for index in (0, 7, 99):
            engine.maps["sizes"].update(index.to_bytes(4, "little"), (6).to_bytes(8, "little"))
        assert engine.fault() is None
        assert engine.get("OUT") == 7 + 99


@pytest.mark.parametrize(("additions", "hidden"), [(7, False), (8, True)])
def test_few_additions_are_left_as_they_are(additions: int, hidden: bool, tmp_path: Path) -> None:
    """The verifier goes 128 ways; what hides from it costs five instructions, an exclusive or among them."""
    lines = "\n".join(f"if pkt.len > {100 * bit}:\n    x += {bit}" for bit in range(additions))
    image = built(compile_text(function(f"x: u32 = 0\n{lines}\nreturn DROP if x > 9 else OK"), tmp_path))
    assert any("xor" in insn.form.name for insn in image.program().insns) == hidden
