"""Random programs give the same by both engines: all 64 bits of r0, the packet, what is in a map."""

from __future__ import annotations

import platform
from collections.abc import Iterator

import pytest

from pybpfnf.abi.codec import make
from pybpfnf.abi.forms import FORMS, Kind
from pybpfnf.abi.versions import newer_than
from pybpfnf.vm import Engine
from tests.vm.random_programs.generate import generate
from tests.vm.random_programs.sides import differences, in_the_vm
from tests.vm.random_programs.tree import Tree, assemble

ONCE = True  # see conftest
_SEED = 1
_FIRST = 2_000_000
_COUNT = 1_000
_NOT_MADE = {name for name in FORMS if name.startswith(("ldabs", "ldind", "ld_map_idx"))} | {"ld_var", "ld_func", "call_kfunc", "callx"}


def _trees(first: int, count: int) -> Iterator[tuple[int, Tree]]:
    return ((number, generate(_SEED, number)) for number in range(first, first + count))


@pytest.mark.parametrize("part", range(4))
def test_by_both_engines_they_give_the_same(part: int) -> None:
    quarter = _COUNT // 4
    assert differences(_trees(_FIRST + part * quarter, quarter), in_the_vm(Engine.REFERENCE), in_the_vm(Engine.COMPILED)) == []


@pytest.mark.slow
@pytest.mark.parametrize("part", range(1, 11))
def test_by_both_engines_50000_give_the_same(part: int) -> None:
    assert differences(_trees(_FIRST + part * 5_000, 5_000), in_the_vm(Engine.REFERENCE), in_the_vm(Engine.COMPILED)) == []


def test_every_form_that_the_kernel_takes_occurs_with_every_class_of_operand() -> None:
    """Operations, jumps, accesses to stack, map and packet, atomics, gotos both ways and long, calls of functions and helpers."""
    insns = [insn for _, tree in _trees(_FIRST, _COUNT) for insn in assemble(tree)]
    usable = {form.name for form in FORMS.values() if not newer_than([make(form.name)], {}, platform.release())}
    assert usable - {insn.form.name for insn in insns} == _NOT_MADE
    assert {(insn.form.name, insn.dst) for insn in insns if insn.form.kind is Kind.STORE_REG} >= {
        (f"stx{width}", base) for width in (8, 16, 32, 64) for base in (8, 9, 10)
    }
    assert {insn.off < 0 for insn in insns if insn.form.kind is Kind.JUMP} == {True, False}
    assert {insn.imm < 0 for insn in insns if insn.form.name == "jal"} == {True, False}
