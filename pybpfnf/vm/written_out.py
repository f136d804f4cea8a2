"""Steps of the instructions that are executed most, written out: `decode` builds the others from the tables of `alu`, with a second call.

Each means what its row there means; `test_written_out.py` compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pybpfnf.vm.alu import U64
from pybpfnf.vm.steps import Registers, Step

# ------------------------------------------------------------------------- dst, operand, the slot after the instruction


def _move_register(dst: int, src: int, following: int) -> Step:
    def step(registers: Registers) -> int:
        registers[dst] = registers[src] & U64
        return following

    return step


def _add_immediate(dst: int, immediate: int, following: int) -> Step:
    def step(registers: Registers) -> int:
        registers[dst] = (registers[dst] + immediate) & U64
        return following

    return step


def _add_register(dst: int, src: int, following: int) -> Step:
    def step(registers: Registers) -> int:
        registers[dst] = (registers[dst] + registers[src]) & U64
        return following

    return step


def _and_immediate(dst: int, immediate: int, following: int) -> Step:
    def step(registers: Registers) -> int:
        registers[dst] &= immediate
        return following

    return step


def _shift_left(dst: int, immediate: int, following: int) -> Step:
    by = immediate & 63

    def step(registers: Registers) -> int:
        registers[dst] = (registers[dst] << by) & U64
        return following

    return step


def _shift_right(dst: int, immediate: int, following: int) -> Step:
    by = immediate & 63

    def step(registers: Registers) -> int:
        registers[dst] >>= by
        return following

    return step


COMPUTED: Mapping[str, Callable[[int, int, int], Step]] = {
    "mov64_reg": _move_register,
    "add64_imm": _add_immediate,
    "add64_reg": _add_register,
    "and64_imm": _and_immediate,
    "lsh64_imm": _shift_left,
    "rsh64_imm": _shift_right,
}
"""By the form's name; the operand is the source register, or the immediate as 64 bits."""


# ------------------------------------------------------------------------------- dst, operand, the two slots to go on at


def _equal_to_immediate(dst: int, immediate: int, following: int, target: int) -> Step:
    return lambda registers: target if registers[dst] == immediate else following


def _unequal_to_immediate(dst: int, immediate: int, following: int, target: int) -> Step:
    return lambda registers: target if registers[dst] != immediate else following


def _above_immediate(dst: int, immediate: int, following: int, target: int) -> Step:
    return lambda registers: target if registers[dst] > immediate else following


def _above_register(dst: int, src: int, following: int, target: int) -> Step:
    return lambda registers: target if registers[dst] > registers[src] else following


JUMPS: Mapping[str, Callable[[int, int, int, int], Step]] = {
    "jeq64_imm": _equal_to_immediate,
    "jne64_imm": _unequal_to_immediate,
    "jgt64_imm": _above_immediate,
    "jgt64_reg": _above_register,
}
"""As above, of conditional jumps."""
