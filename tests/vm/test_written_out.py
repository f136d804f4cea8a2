"""The steps that are written out mean what the tables of the operations say, unset registers included."""

from __future__ import annotations

from itertools import product

import pytest

from pybpfnf.abi.forms import FORMS
from pybpfnf.vm.alu import ALU, TESTS, U64
from pybpfnf.vm.faults import UNWRITTEN, GuestFault
from pybpfnf.vm.written_out import COMPUTED, JUMPS

VALUES = (0, 1, 2, 31, 63, 64, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 32, (1 << 63) - 1, 1 << 63, U64 - 1, U64)
DST, SRC, FOLLOWING, TARGET = 3, 5, 7, 11


@pytest.mark.parametrize("name", COMPUTED)
def test_a_computation_gives_what_its_row_gives(name: str) -> None:
    form = FORMS[name]
    for left, right in product(VALUES, VALUES):
        registers = list(range(11))
        registers[DST], registers[SRC] = left, right
        expected = [*registers[:DST], ALU[form.op, form.width](left, right), *registers[DST + 1 :]]
        assert COMPUTED[name](DST, right if form.uses_imm else SRC, FOLLOWING)(registers) == FOLLOWING
        assert registers == expected, (left, right)


@pytest.mark.parametrize("name", JUMPS)
def test_a_jump_is_taken_where_its_row_says_so(name: str) -> None:
    form = FORMS[name]
    for left, right in product(VALUES, VALUES):
        registers = list(range(11))
        registers[DST], registers[SRC] = left, right
        went = JUMPS[name](DST, right if form.uses_imm else SRC, FOLLOWING, TARGET)(registers)
        assert went == (TARGET if TESTS[form.op, form.width](left, right) else FOLLOWING), (left, right)


@pytest.mark.parametrize("name", [*COMPUTED, *JUMPS])
@pytest.mark.parametrize("unset", [DST, SRC])
def test_what_was_never_written_is_a_fault(name: str, unset: int) -> None:
    form = FORMS[name]
    if (form.uses_imm and unset == SRC) or (form.op == "mov" and unset == DST):
        return  # not read
    registers = list(range(11))
    registers[unset] = UNWRITTEN[unset]
    operand = 5 if form.uses_imm else SRC
    step = COMPUTED[name](DST, operand, FOLLOWING) if name in COMPUTED else JUMPS[name](DST, operand, FOLLOWING, TARGET)
    with pytest.raises(GuestFault, match=f"r{unset} is read before anything was written to it"):
        step(registers)
