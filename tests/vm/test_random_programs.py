"""Random programs give the same in the VM and in the kernel: all 64 bits of r0, the packet, what is in a map."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from pybpfnf.abi.forms import Insn
from pybpfnf.vm import Engine
from tests.vm.random_programs.generate import generate
from tests.vm.random_programs.sides import Answer, Side, differences, in_the_kernel, in_the_vm
from tests.vm.random_programs.tree import Tree

ONCE = True  # see conftest
VERSION_4 = pytest.mark.linux("6.6", "it does not know the instructions of version 4")
_SEED = 1
_PROLOGUE = 18  # instructions that every function begins with
_REFERENCE = in_the_vm(Engine.REFERENCE)


def _trees(first: int, count: int) -> Iterator[tuple[int, Tree]]:
    return ((number, generate(_SEED, number)) for number in range(first, first + count))


@pytest.mark.kernel
@VERSION_4
@pytest.mark.parametrize("part", range(5))
def test_the_vm_gives_what_the_kernel_gives(part: int) -> None:
    with in_the_kernel() as kernel:
        assert differences(_trees(part * 10_000, 10_000), kernel, _REFERENCE) == []


@pytest.mark.slow
@pytest.mark.kernel
@VERSION_4
@pytest.mark.parametrize("part", range(20))
def test_the_vm_gives_what_the_kernel_gives_a_million_times(part: int) -> None:
    with in_the_kernel() as kernel:
        assert differences(_trees(50_000 + part * 47_500, 47_500), kernel, _REFERENCE) == []


def _some(count: int) -> Iterator[tuple[int, Tree]]:
    return _trees(2_000_000, count)


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
