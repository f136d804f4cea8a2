"""Linux before 6.7 lets only jumps lead back: where LLVM lets an instruction run on into a loop's head, a `goto +0` stands between."""

from __future__ import annotations

import struct

from pybpfnf.abi.codec import decode, encode
from pybpfnf.abi.text import format_insn, parse
from pybpfnf.backend.objects import elf
from pybpfnf.backend.objects.latches import with_jumps_back
from pybpfnf.vm import run_program

RUNS_ON = """
    r0 = 0
    r1 = 5
    goto head
latch:
    r1 += -1
head:
    r0 += r1
    if r1 != 0 goto latch
    exit
"""
RUNS_ON_MENDED = [
    "r0 = 0", "r1 = 5", "goto +2", "r1 += -1", "goto +0", "r0 += r1", "if r1 != 0 goto -4", "exit",
]  # fmt: skip
JUMPS_BACK = "r0 = 5\nhead:\nr0 += -1\nif r0 != 0 goto head\nexit"
FUNCTION, SECTION_SYMBOL = 0x12, 0x03
RELOCATION = struct.Struct("<QQ")


def text_section(name: str, code: str) -> elf.Section:
    data = encode(parse(code))
    return elf.Section(name, elf.SHT_PROGBITS, 6, data, len(data), 8)


def object_of(*sections: elf.Section, symbols: tuple[elf.Symbol, ...] = ()) -> elf.Object:
    null = elf.Section("", 0, 0, b"", 0, 0)
    return elf.Object(b"", 0, (null, *sections), (elf.Symbol("", 0, 0, 0, 0, 0), *symbols))


def function(section: int, value: int, size: int) -> elf.Symbol:
    return elf.Symbol("f", FUNCTION, 0, section, value * 8, size * 8)


def listing(section: elf.Section) -> list[str]:
    return [format_insn(insn) for insn in decode(section.data)]


def test_a_loop_that_is_run_into_from_its_end_gets_a_jump_there() -> None:
    mended = with_jumps_back(object_of(text_section("prog", RUNS_ON), symbols=(function(1, 0, 7),)))
    assert listing(mended.sections[1]) == RUNS_ON_MENDED
    assert mended.sections[1].size == 8 * len(RUNS_ON_MENDED)
    assert (mended.symbols[1].value, mended.symbols[1].size) == (0, 8 * len(RUNS_ON_MENDED))


def test_it_computes_the_same() -> None:
    before = object_of(text_section("prog", RUNS_ON), symbols=(function(1, 0, 7),))
    after = with_jumps_back(before)
    results = [run_program(decode(each.sections[1].data)).r0 for each in (before, after)]
    assert results == [15, 15]


def test_a_loop_whose_way_back_is_a_jump_is_left_alone() -> None:
    given = object_of(text_section("prog", JUMPS_BACK), symbols=(function(1, 0, 4),))
    assert with_jumps_back(given) is given


def test_what_comes_after_moves_along() -> None:
    code = text_section("prog", RUNS_ON + "second:\nr1 = 0 ll\ncall +1\nexit\nthird:\nr0 = 1\nexit")
    relocations = elf.Section(".relprog", elf.SHT_REL, 0, RELOCATION.pack(7 * 8, 2 << 32 | 1), 16, 8, 16, info=1)
    given = object_of(code, relocations, symbols=(function(1, 0, 7), function(1, 7, 4), function(1, 11, 2)))
    mended = with_jumps_back(given)
    assert [(symbol.value // 8, symbol.size // 8) for symbol in mended.symbols[1:]] == [(0, 8), (8, 4), (12, 2)]
    assert RELOCATION.unpack(mended.sections[2].data)[0] == 8 * 8
    assert listing(mended.sections[1])[8:] == ["r1 = 0x0 ll", "call +1", "exit", "r0 = 1", "exit"]


def test_a_call_from_another_section_finds_its_function_where_it_is_then() -> None:
    """Such a call stands for the section, and the place in it stands in the instruction: slots less one."""
    caller, callee = text_section("prog", "call +6\nexit"), text_section(".text", RUNS_ON + "r0 = 1\nexit")
    relocations = elf.Section(".relprog", elf.SHT_REL, 0, RELOCATION.pack(0, 3 << 32 | 10), 16, 8, 16, info=1)
    section_symbol = elf.Symbol("", SECTION_SYMBOL, 0, 2, 0, 0)
    given = object_of(caller, callee, relocations, symbols=(function(1, 0, 2), function(2, 0, 7), section_symbol, function(2, 7, 2)))
    mended = with_jumps_back(given)
    assert listing(mended.sections[1]) == ["call +7", "exit"]


def test_two_loops_one_in_the_other_each_get_theirs() -> None:
    code = """
        r0 = 0
        r2 = 3
        goto outer
    outer_latch:
        r2 += -1
    outer:
        r1 = 2
        goto inner
    inner_latch:
        r1 += -1
    inner:
        r0 += 1
        if r1 != 0 goto inner_latch
        if r2 != 0 goto outer_latch
        exit
    """
    before = object_of(text_section("prog", code), symbols=(function(1, 0, 11),))
    after = with_jumps_back(before)
    assert sum(line == "goto +0" for line in listing(after.sections[1])) == 2
    assert run_program(decode(after.sections[1].data)).r0 == run_program(decode(before.sections[1].data)).r0 == 12
