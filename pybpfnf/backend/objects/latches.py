"""Loops whose way back is a jump, for kernels that take no other.

LLVM likes to put the end of a loop's body right before the loop's head, so that the way back costs no instruction. Linux before 6.7
refuses that: its first pass (kernel/bpf/verifier.c, check_cfg and visit_insn) lets only jumps lead back, and says `back-edge from
insn` for an instruction that runs on into one whose walk is not over. So a `goto +0` is put between the two, and what
counts instructions is moved along: jumps, relocations, symbols, .BTF.ext.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import final

from pybpfnf.abi.codec import decode, encode, make
from pybpfnf.abi.forms import Insn, Kind, jump_target
from pybpfnf.abi.slots import slots_of
from pybpfnf.backend.objects import elf, extinfo
from pybpfnf.records import dataclass

_SLOT = 8  # bytes


@final
@dataclass(frozen=True, slots=True)
class Shift:
    """Where the slots of a section go when one is put before each of `places`, which ascend."""

    places: tuple[int, ...]

    def __call__(self, slot: int) -> int:
        return slot + bisect_right(self.places, slot)

    def offset(self, offset: int) -> int:
        """The same for bytes."""
        return self(offset // _SLOT) * _SLOT


def with_jumps_back(object_: elf.Object) -> elf.Object:
    """The object with a `goto +0` wherever a function runs on backwards; the same object where none does."""
    shifts: dict[int, Shift] = {}
    for index, section in enumerate(object_.sections):
        starts = {symbol.value // _SLOT for symbol in object_.symbols if symbol.kind == elf.STT_FUNC and symbol.section == index}
        places = sorted({head for start in starts for head in _heads_run_into(decode(section.data), start)}) if starts else []
        if places:
            shifts[index] = Shift(tuple(places))
    return _shifted(object_, shifts) if shifts else object_


# ------------------------------------------------------------------------------------------------------------- finding


def _heads_run_into(insns: tuple[Insn, ...], start: int) -> Iterator[int]:
    """The slots that another instruction, no jump, runs on into while the walk from them is not over: depth first, as check_cfg goes."""
    at = slots_of(insns)
    on_the_way, done = {start}, set[int]()
    stack = [(start, _successors(start, at[start]))]
    while stack:
        slot, ways = stack[-1]
        way = next(ways, None)
        if way is None:
            stack.pop()
            on_the_way.discard(slot)
            done.add(slot)
            continue
        target, jumps = way
        if target in on_the_way:
            if not jumps:
                yield target
        elif target not in done:
            on_the_way.add(target)
            stack.append((target, _successors(target, at[target])))


def _successors(slot: int, insn: Insn) -> Iterator[tuple[int, bool]]:
    """Where it goes on, and whether by a jump. A call comes back; what it calls is a function of its own."""
    target = jump_target(insn, slot)
    if insn.form.kind is Kind.JUMP or (target is None and insn.form.kind is not Kind.EXIT):
        yield slot + insn.slots, insn.form.kind is Kind.JUMP
    if target is not None:
        yield target, True


# ------------------------------------------------------------------------------------------------------------- shifting


def _shifted(object_: elf.Object, shifts: Mapping[int, Shift]) -> elf.Object:
    offsets = {object_.sections[index].name: shift.offset for index, shift in shifts.items()}
    btf = object_.section(".BTF")
    sections = []
    for index, section in enumerate(object_.sections):
        if any(symbol.kind == elf.STT_FUNC and symbol.section == index for symbol in object_.symbols):
            data = encode(_moved(object_, index, shifts))
            section = replace(section, data=data, size=len(data))
        elif section.type == elf.SHT_REL and section.info in shifts:
            section = replace(section, data=elf.moved_relocations(section.data, shifts[section.info].offset))
        elif section.name == ".BTF.ext" and btf is not None:
            section = replace(section, data=extinfo.moved(section.data, btf.data, offsets))
        sections.append(section)
    symbols = tuple(_symbol(symbol, shifts.get(symbol.section)) for symbol in object_.symbols)
    return replace(object_, sections=tuple(sections), symbols=symbols)


def _symbol(symbol: elf.Symbol, shift: Shift | None) -> elf.Symbol:
    if shift is None or symbol.kind == elf.STT_SECTION:
        return symbol
    value = shift.offset(symbol.value)
    return replace(symbol, value=value, size=shift.offset(symbol.value + symbol.size) - value)


def _moved(object_: elf.Object, index: int, shifts: Mapping[int, Shift]) -> Iterator[Insn]:
    """The instructions of a section, with those that are put between, and distances and addresses as they are then."""
    shift = shifts.get(index, Shift(()))
    named = elf.relocations_of(object_, index)
    for slot, insn in slots_of(decode(object_.sections[index].data)).items():
        if slot in shift.places:
            yield make("ja", off=0)
        symbol, target = named.get(slot * _SLOT), jump_target(insn, slot)
        if target is not None:
            distance = shift(target) - shift(slot) - 1
            yield replace(insn, imm=distance) if insn.form.name == "jal" else replace(insn, off=distance)
        elif symbol is not None and symbol.kind == elf.STT_SECTION and symbol.section in shifts:
            yield _readdressed(insn, shifts[symbol.section])
        elif insn.form.kind is Kind.CALL_LOCAL and symbol is None:
            yield replace(insn, imm=shift(slot + 1 + insn.imm) - shift(slot) - 1)
        else:
            yield insn


def _readdressed(insn: Insn, shift: Shift) -> Insn:
    """What refers to a place in another section of code, which stands in the instruction itself: of a call in slots less one, of an
    address in bytes."""
    if insn.form.kind is Kind.CALL_LOCAL:
        return replace(insn, imm=shift(insn.imm + 1) - 1)
    return replace(insn, imm=shift.offset(insn.imm))
