"""The cases of `data/instructions.test`: for each form, short programs whose r0 shows what the instruction does.

Only the programs come from here; the results in the file are the running kernel's (--update-data), and the VM must give the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

from pybpfnf.abi.codec import make
from pybpfnf.abi.forms import FORMS, Form, Insn, Kind
from pybpfnf.abi.text import format_insn, parse

GOLDEN = Path(__file__).parent / "data" / "instructions.test"
_HEADER = "# form | program | r0, as the kernel computes it; written by --update-data"

_PAIRS = (
    (7, 3),
    (-7, 3),
    (7, -3),
    (-7, -3),
    (1 << 63, -1),
    (0x1234567880000000, -1),
    (0x123456789ABCDEF0, 0),
    (0x123456789ABCDEF0, 68),
    (0x123456789ABCDEF0, 0x0FEDCBA980000001),
)
_LEFT = (7, -7, 1 << 63, 0x123456789ABCDEF0)
_IMMEDIATES = (3, -3, 1, 0x7FFFFFFF, -0x80000000)
_VALUES = (0x123456789ABCDEF0, 0x8182838485868788, -1, 0x7F)
_PLACE = -8  # of r10: where memory cases work
_OTHERS = (8, 9)  # registers beside r0 and r1
PACKET = bytes(range(0x70, 0xB0))
"""What r1 points to when a program begins; r2 is its length."""


@final
@dataclass(frozen=True)
class Case:
    form: str
    program: str  # instructions, separated by semicolons; r0 is the result
    r0: int

    @property
    def insns(self) -> tuple[Insn, ...]:
        return parse(self.program.replace("; ", "\n"))


def read_cases() -> list[Case]:
    rows = (line.split(" | ") for line in GOLDEN.read_text().splitlines() if not line.startswith("#"))
    return [Case(form.strip(), program.strip(), int(r0, 16)) for form, program, r0 in rows]


def write_cases(cases: list[Case]) -> None:
    lines = [f"{case.form:<18} | {case.program} | {case.r0:#x}" for case in cases]
    GOLDEN.write_text("\n".join([_HEADER, *lines]) + "\n")


def programs() -> Iterator[tuple[str, str]]:
    """Every form with the programs that try it."""
    for form in FORMS.values():
        for insns in _MAKERS[form.kind](form):
            yield form.name, "; ".join(format_insn(insn) for insn in insns)


Program = list[Insn]


def _constant(register: int, value: int) -> Insn:
    return make("lddw", register, imm=value & 0xFFFFFFFFFFFFFFFF)


_EXIT = make("exit")


def _alu(form: Form) -> Iterator[Program]:
    if not form.uses_imm:
        for a, b in _PAIRS:
            operand = 1 if form.src is None else 0
            yield [_constant(0, a), _constant(1, b), make(form.name, 0, operand), _EXIT]
        for a in _LEFT:
            yield [_constant(0, a), make(form.name, 0, 0), _EXIT]  # dst is src
        dst, src = _OTHERS
        yield [_constant(dst, _PAIRS[-1][0]), _constant(src, _PAIRS[-1][1]), make(form.name, dst, src), make("mov64_reg", 0, dst), _EXIT]
        return
    shift = form.op in ("lsh", "rsh", "arsh")
    for immediate in (0, 1, form.width - 1) if shift else _IMMEDIATES:
        for a in _LEFT:
            yield [_constant(0, a), make(form.name, 0, imm=immediate), _EXIT]


def _swap(form: Form) -> Iterator[Program]:
    for value in _VALUES:
        yield [_constant(0, value), make(form.name, 0), _EXIT]


def _load(form: Form) -> Iterator[Program]:
    for value in _VALUES:
        yield [_constant(1, value), make("stx64", 10, 1, _PLACE), make(form.name, 0, 10, _PLACE), _EXIT]
    if form.kind is Kind.LOAD:  # atomics are not for packets
        for offset in (0, 13, len(PACKET) - form.width // 8):
            yield [make(form.name, 0, 1, offset), _EXIT]
    base, _ = _OTHERS  # dst is src: the pointer goes
    start = [make("st64", 10, off=_PLACE, imm=-2), make("mov64_reg", base, 10)]
    yield [*start, make(form.name, base, base, _PLACE), make("mov64_reg", 0, base), _EXIT]


def _store_register(form: Form) -> Iterator[Program]:
    background = make("st64", 10, off=_PLACE, imm=0x55555555)
    for value in _VALUES:
        yield [background, _constant(1, value), make(form.name, 10, 1, _PLACE), make("ldx64", 0, 10, _PLACE), _EXIT]
    _, src = _OTHERS
    for offset in (0, 13, len(PACKET) - 8):
        yield [_constant(src, _VALUES[1]), make(form.name, 1, src, offset), make("ldx64", 0, 1, offset), _EXIT]


def _store_immediate(form: Form) -> Iterator[Program]:
    background = make("st64", 10, off=_PLACE, imm=0x55555555)
    for value in (1, -1, 0x7FFFFFFF, -0x80000000):
        yield [background, make(form.name, 10, off=_PLACE, imm=value), make("ldx64", 0, 10, _PLACE), _EXIT]
    for offset in (0, 13, len(PACKET) - 8):
        yield [make(form.name, 1, off=offset, imm=-2), make("ldx64", 0, 1, offset), _EXIT]


def _atomic(form: Form) -> Iterator[Program]:
    if form.op == "load_acquire":
        yield from _load(form)
        return
    for memory, operand in ((0xFFFFFFFFFFFFFFFF, 1), (0x123456789ABCDEF0, 0x0FEDCBA987654321)):
        for r0 in (memory, memory ^ 1, memory & 0xFFFFFFFF) if form.op == "cmpxchg" else (0,):
            start = [_constant(0, r0), _constant(1, operand), _constant(2, memory), make("stx64", 10, 2, _PLACE)]
            run = [*start, make(form.name, 10, 1, _PLACE)]
            yield [*run, make("ldx64", 0, 10, _PLACE), _EXIT]  # what memory holds then
            yield [*run, make("xor64_reg", 0, 1), _EXIT]  # what the registers hold then
            # The bytes beside a narrow operation are untouched: seen in the first of these.
        own = [_constant(0, operand), _constant(2, memory), make("stx64", 10, 2, _PLACE), make(form.name, 10, 0, _PLACE)]
        yield [*own, make("ldx64", 1, 10, _PLACE), make("xor64_reg", 0, 1), _EXIT]  # r0 is the operand, and what a fetch fills


def _jump(form: Form) -> Iterator[Program]:
    for a, b in ((5, 5), (5, 6), (6, 5), (-1, 1), (1, -1), (0x100000005, 5), (0x80000000, 1)):
        compare = make(form.name, 0, off=1, imm=b) if form.uses_imm else make(form.name, 0, 1, 1)
        if form.uses_imm and b == 0x100000005:
            continue
        yield [_constant(0, a), _constant(1, b), compare, make("add64_imm", 0, imm=100), make("add64_imm", 0, imm=1), _EXIT]
    if not form.uses_imm:
        for a in (5, 0, -1):
            yield [_constant(0, a), make(form.name, 0, 0, 1), make("add64_imm", 0, imm=100), make("add64_imm", 0, imm=1), _EXIT]
        dst, src = _OTHERS
        start = [_constant(dst, 5), _constant(src, -1), make("mov64_imm", 0, imm=1)]
        yield [*start, make(form.name, dst, src, 1), make("mov64_imm", 0, imm=2), _EXIT]


def _goto(form: Form) -> Iterator[Program]:
    jump = make(form.name, off=1) if form.name == "ja" else make(form.name, imm=1)
    # The condition is false: it is there because the kernel refuses instructions that nothing leads to.
    yield [make("mov64_imm", 0, imm=1), make("jeq64_imm", 0, off=1, imm=2), jump, make("mov64_imm", 0, imm=2), _EXIT]
    over, back = (make(form.name, off=distance, imm=distance) for distance in (2, -4))
    yield [over, make("add64_imm", 0, imm=5), _EXIT, make("mov64_imm", 0, imm=3), back]


def _call_local(form: Form) -> Iterator[Program]:
    """Arguments arrive, r6 to r9 are the caller's again afterwards, and each function has a stack of its own."""
    callee = [make("mov64_imm", 6, imm=99), make("stx64", 10, 1, _PLACE), make("mov64_reg", 0, 1), make("add64_reg", 0, 2), _EXIT]
    keep = [make("mov64_imm", 6, imm=7), make("st64", 10, off=_PLACE, imm=30)]
    after = [make("add64_reg", 0, 6), make("ldx64", 1, 10, _PLACE), make("add64_reg", 0, 1), _EXIT]
    yield [*keep, make("mov64_imm", 1, imm=100), make("mov64_imm", 2, imm=11), make(form.name, imm=len(after)), *after, *callee]


def _exit(form: Form) -> Iterator[Program]:
    yield [make("mov64_imm", 0, imm=-2), _EXIT]


def _load_imm64(form: Form) -> Iterator[Program]:
    if form.op == "lddw":
        for value in _VALUES:
            yield [_constant(0, value), _EXIT]


def _nothing(form: Form) -> Iterator[Program]:
    """Not for programs without maps, helpers and packets."""
    return iter(())


_MAKERS = {
    Kind.ALU: _alu,
    Kind.SWAP: _swap,
    Kind.LOAD: _load,
    Kind.STORE_REG: _store_register,
    Kind.STORE_IMM: _store_immediate,
    Kind.ATOMIC: _atomic,
    Kind.JUMP: _jump,
    Kind.GOTO: _goto,
    Kind.CALL_LOCAL: _call_local,
    Kind.EXIT: _exit,
    Kind.LOAD_IMM64: _load_imm64,
    Kind.CALL_HELPER: _nothing,
    Kind.CALL_KFUNC: _nothing,
    Kind.CALL_REG: _nothing,
    Kind.PACKET_LOAD: _nothing,
}
NOT_PURE = frozenset(
    {form.name for form in FORMS.values() if form.kind in (Kind.CALL_HELPER, Kind.CALL_KFUNC, Kind.CALL_REG, Kind.PACKET_LOAD)}
    | {name for name in FORMS if name.startswith("ld_")}
)
"""Forms that need something outside the program; `test_session` and `test_faults` have them."""
