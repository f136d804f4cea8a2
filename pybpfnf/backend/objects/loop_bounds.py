"""Loops that compare their bound with their counter, for kernels that know no other way to an end.

The verifier follows a loop with its counter as a constant. Linux before 6.8 foresees a comparison where the constant is on the right
alone (kernel/bpf/verifier.c, check_cond_jmp_op and is_branch_taken): of `if r3 < r2`, with r3 = 1 and r2 known to be 2 or 3, it follows
both ways. On the impossible one nothing is true of r2 any more, so that no later comparison ends the loop, and a million instructions
later the program is too large. So `if r3 < r2` becomes `if r2 > r3` where the loop counts in r3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import final

from pybpfnf.abi.codec import decode, encode
from pybpfnf.abi.forms import FORMS, Form, Insn, Kind, jump_target
from pybpfnf.abi.slots import slots_of
from pybpfnf.backend.objects import elf
from pybpfnf.records import dataclass

_MIRRORED = {"jlt": "jgt", "jle": "jge", "jslt": "jsgt", "jsle": "jsge"}
_MIRRORED |= {mirrored: op for op, mirrored in _MIRRORED.items()}


@final
@dataclass(frozen=True, slots=True)
class _Loop:
    """From the slot that a jump leads back to, up to that jump. `counters`: the registers that a constant is added to in between."""

    first: int
    last: int
    counters: frozenset[int]


def with_bounds_first(object_: elf.Object) -> elf.Object:
    """The object with such comparisons the other way round; nothing moves."""
    code = {symbol.section for symbol in object_.symbols if symbol.kind == elf.STT_FUNC}
    sections = [
        replace(section, data=encode(_bounds_first(decode(section.data)))) if index in code else section
        for index, section in enumerate(object_.sections)
    ]
    return replace(object_, sections=tuple(sections))


def _bounds_first(insns: tuple[Insn, ...]) -> Iterator[Insn]:
    loops = _loops(insns)
    for slot, insn in slots_of(insns).items():
        counters = next((loop.counters for loop in loops if loop.first <= slot <= loop.last), frozenset[int]())
        if insn.form.op in _MIRRORED and not insn.form.uses_imm and insn.dst in counters and insn.src not in counters:
            yield replace(insn, form=_mirrored(insn), dst=insn.src, src=insn.dst)
        else:
            yield insn


def _loops(insns: tuple[Insn, ...]) -> list[_Loop]:
    """The smallest first: of loops one in the other, the inner one."""
    slots = slots_of(insns)
    found = []
    for last, insn in slots.items():
        first = jump_target(insn, last)
        if first is not None and first <= last:
            counters = {each.dst for slot, each in slots.items() if first <= slot <= last and _counts(each)}
            found.append(_Loop(first, last, frozenset(counters)))
    return sorted(found, key=lambda loop: loop.last - loop.first)


def _counts(insn: Insn) -> bool:
    return insn.form.kind is Kind.ALU and insn.form.op == "add" and insn.form.uses_imm


def _mirrored(insn: Insn) -> Form:
    return FORMS[insn.form.name.replace(insn.form.op, _MIRRORED[insn.form.op], 1)]
