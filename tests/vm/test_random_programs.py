"""Random programs give the same in the VM and in the kernel, and by both engines: all 64 bits of r0, the packet, what is in a map."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import replace

import pytest

from pybpfnf.abi.codec import make
from pybpfnf.abi.forms import FORMS, Insn, Kind
from pybpfnf.abi.versions import newer_than
from pybpfnf.vm import Engine
from tests.vm.random_programs.generate import generate
from tests.vm.random_programs.sides import Answer, Side, differences, in_the_kernel, in_the_vm
from tests.vm.random_programs.tree import Tree, assemble

ONCE = True  # see conftest
_SEED = 1
_NOT_MADE = {name for name in FORMS if name.startswith(("ldabs", "ldind", "ld_map_idx"))} | {"ld_var", "ld_func", "call_kfunc", "callx"}
_PROLOGUE = 18  # instructions that every function begins with
_REFERENCE = in_the_vm(Engine.REFERENCE)


def _trees(first: int, count: int) -> Iterator[tuple[int, Tree]]:
    return ((number, generate(_SEED, number)) for number in range(first, first + count))


@pytest.mark.kernel
@pytest.mark.parametrize("part", range(4))
def test_the_vm_gives_what_the_kernel_gives(part: int) -> None:
    with in_the_kernel() as kernel:
        assert differences(_trees(part * 10_000, 10_000), kernel, _REFERENCE) == []


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.parametrize("part", range(20))
def test_the_vm_gives_what_the_kernel_gives_a_million_times(part: int) -> None:
    with in_the_kernel() as kernel:
        assert differences(_trees(40_000 + part * 48_000, 48_000), kernel, _REFERENCE) == []


def _some(count: int) -> Iterator[tuple[int, Tree]]:
    return _trees(2_000_000, count)


def test_by_both_engines_they_give_the_same() -> None:
    assert differences(_some(200), _REFERENCE, in_the_vm(Engine.COMPILED)) == []


@pytest.mark.slow
@pytest.mark.parametrize("part", range(1, 11))
def test_by_both_engines_50000_give_the_same(part: int) -> None:
    assert differences(_trees(2_000_000 + part * 5_000, 5_000), _REFERENCE, in_the_vm(Engine.COMPILED)) == []


def test_every_form_that_the_kernel_takes_occurs_with_every_class_of_operand() -> None:
    """Operations, jumps, accesses to stack, map and packet, atomics, gotos both ways and long, calls of functions and helpers."""
    insns = [insn for _, tree in _some(2_000) for insn in assemble(tree)]
    usable = {form.name for form in FORMS.values() if not newer_than([make(form.name)], {}, platform.release())}
    assert usable - {insn.form.name for insn in insns} == _NOT_MADE
    assert {(insn.form.name, insn.dst) for insn in insns if insn.form.kind is Kind.STORE_REG} >= {
        (f"stx{width}", base) for width in (8, 16, 32, 64) for base in (8, 9, 10)
    }
    assert {insn.off < 0 for insn in insns if insn.form.kind is Kind.JUMP} == {True, False}
    assert {insn.imm < 0 for insn in insns if insn.form.name == "jal"} == {True, False}


def test_what_is_given_depends_on_the_seed_and_the_number_alone() -> None:
    assert generate(_SEED, 7) == generate(_SEED, 7)
    assert generate(_SEED, 7) != generate(_SEED, 8)


def _wrong_at(form: str) -> Side:
    """The reference, but programs that have this form give a wrong r0."""

    def run(insns: tuple[Insn, ...], data: bytes) -> Answer | str:
        answer = _REFERENCE(insns, data)
        wrong = isinstance(answer, Answer) and any(insn.form.name == form for insn in insns)
        return replace(answer, r0=answer.r0 ^ 1) if wrong and isinstance(answer, Answer) else answer

    return run


def test_a_difference_is_shown_by_the_smallest_program_that_has_it() -> None:
    reports = differences(_some(200), _REFERENCE, _wrong_at("arsh32_reg"))
    assert len(reports) == 3
    for report in reports:
        listing = report.split(":\n", 1)[1].split("\none: ")[0].splitlines()
        assert [line for line in listing if " s>>= w" in line] != []
        assert len(listing) <= _PROLOGUE + 2
