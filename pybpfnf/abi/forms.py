"""Instruction forms: one row for each thing that an eBPF instruction can be (RFC 9669).

An operation that the encoding hides in `off`, `imm` or the source-register field (signed division, sign-extending
moves, atomics, pseudo loads) is a form of its own here, so that nothing after the codec looks at raw fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import final

from pybpfnf.records import dataclass


class Kind(Enum):
    """The families that consumers dispatch on."""

    ALU = "alu"  # dst = dst op (src | imm), and mov, movsx, neg
    SWAP = "swap"  # dst = byte order of dst; `width` bits of it
    LOAD = "load"  # dst = *(size *)(src + off), zero- or sign-extended
    STORE_REG = "store_reg"  # *(size *)(dst + off) = src
    STORE_IMM = "store_imm"  # *(size *)(dst + off) = imm
    ATOMIC = "atomic"  # on *(size *)(dst + off), with src
    JUMP = "jump"  # if dst op (src | imm) goto +off
    GOTO = "goto"  # goto +off, or +imm for the long form
    CALL_HELPER = "call_helper"
    CALL_LOCAL = "call_local"  # to the instruction slot after this one plus imm
    CALL_KFUNC = "call_kfunc"
    CALL_REG = "call_reg"  # callx: what register dst holds; no verifier of Linux takes it
    EXIT = "exit"
    LOAD_IMM64 = "load_imm64"  # two slots; the pseudo variants name maps, variables, functions
    PACKET_LOAD = "packet_load"  # legacy LD_ABS and LD_IND


_TWO_SLOTS = Kind.LOAD_IMM64  # by a name of its own: an enumeration's member is slow to get, and `slots` is asked often


@final
@dataclass(frozen=True, slots=True)
class Form:
    """One row. A field that is None is an operand; one with a number must have that number, else the encoding is reserved.

    `width` counts bits: of the operation (32, 64) for ALU and jumps, of memory (8 to 64) for loads, stores and
    atomics, of the value swapped for byte swaps. `isa` is the version of the instruction set that brought it (1 to 4).
    """

    name: str
    kind: Kind
    op: str
    width: int
    opcode: int
    dst: int | None
    src: int | None
    off: int | None
    imm: int | None
    isa: int = 1

    @property
    def slots(self) -> int:
        return 2 if self.kind is _TWO_SLOTS else 1

    @property
    def uses_imm(self) -> bool:
        """The second operand is the immediate (else, where there is one, the source register)."""
        return self.imm is None


@final
@dataclass(frozen=True, slots=True)
class Insn:
    """One decoded instruction.

    `off` is signed 16 bits, `imm` signed 32 bits; for LOAD_IMM64 `imm` is the unsigned 64-bit pair (second slot's
    immediate in the high half). `ref` is the name that a relocation gave: of a map (`ld_map`, `ld_map_value`, with the
    value's offset in the high half of `imm`), or of a kernel function (`call_kfunc`).
    """

    form: Form
    dst: int = 0
    src: int = 0
    off: int = 0
    imm: int = 0
    ref: str | None = None

    @property
    def slots(self) -> int:
        return self.form.slots


# Opcode bytes: low three bits are the class, then per class a source bit and an operation, or a mode and a size.
LD, LDX, ST, STX, ALU32, JMP, JMP32, ALU64 = range(8)
_SIZES = {32: 0x00, 16: 0x08, 8: 0x10, 64: 0x18}
_IMM, _ABS, _IND, _MEM, _MEMSX, _ATOMIC = 0x00, 0x20, 0x40, 0x60, 0x80, 0xC0
_X = 0x08

_ALU_OPS = {
    "add": 0x00, "sub": 0x10, "mul": 0x20, "div": 0x30, "or": 0x40, "and": 0x50,
    "lsh": 0x60, "rsh": 0x70, "mod": 0x90, "xor": 0xA0, "mov": 0xB0, "arsh": 0xC0,
}  # fmt: skip
_JUMP_OPS = {
    "jeq": 0x10, "jgt": 0x20, "jge": 0x30, "jset": 0x40, "jne": 0x50, "jsgt": 0x60, "jsge": 0x70,
    "jlt": 0xA0, "jle": 0xB0, "jslt": 0xC0, "jsle": 0xD0,
}  # fmt: skip
_V2_JUMPS = frozenset({"jlt", "jle", "jslt", "jsle"})
_ATOMIC_OPS = {"add": 0x00, "or": 0x40, "and": 0x50, "xor": 0xA0}
_FETCH = 0x01
# The source-register field of a 64-bit immediate load (RFC 9669 section 5.4).
_LOAD_IMM64 = {"lddw": 0, "ld_map": 1, "ld_map_value": 2, "ld_var": 3, "ld_func": 4, "ld_map_idx": 5, "ld_map_idx_value": 6}  # fmt: skip


def _alu_forms() -> Iterator[Form]:
    for width, klass in ((64, ALU64), (32, ALU32)):
        for op, code in _ALU_OPS.items():
            yield Form(f"{op}{width}_imm", Kind.ALU, op, width, code | klass, None, 0, 0, None)
            yield Form(f"{op}{width}_reg", Kind.ALU, op, width, code | _X | klass, None, None, 0, 0)
            if op in ("div", "mod"):
                yield Form(f"s{op}{width}_imm", Kind.ALU, f"s{op}", width, code | klass, None, 0, 1, None, isa=4)
                yield Form(f"s{op}{width}_reg", Kind.ALU, f"s{op}", width, code | _X | klass, None, None, 1, 0, isa=4)
        for bits in (8, 16, 32):
            if bits < width:
                yield Form(f"movsx{bits}_{width}", Kind.ALU, f"movsx{bits}", width, 0xB0 | _X | klass, None, None, bits, 0, isa=4)
        yield Form(f"neg{width}", Kind.ALU, "neg", width, 0x80 | klass, None, 0, 0, 0)
    for bits in (16, 32, 64):
        yield Form(f"le{bits}", Kind.SWAP, "le", bits, 0xD0 | ALU32, None, 0, 0, bits)
        yield Form(f"be{bits}", Kind.SWAP, "be", bits, 0xD0 | _X | ALU32, None, 0, 0, bits)
        yield Form(f"bswap{bits}", Kind.SWAP, "bswap", bits, 0xD0 | ALU64, None, 0, 0, bits, isa=4)


def _memory_forms() -> Iterator[Form]:
    for width, size in _SIZES.items():
        yield Form(f"ldx{width}", Kind.LOAD, "ldx", width, _MEM | size | LDX, None, None, None, 0)
        if width < 64:
            yield Form(f"ldxs{width}", Kind.LOAD, "ldxs", width, _MEMSX | size | LDX, None, None, None, 0, isa=4)
            yield Form(f"ldabs{width}", Kind.PACKET_LOAD, "abs", width, _ABS | size | LD, 0, 0, 0, None)
            yield Form(f"ldind{width}", Kind.PACKET_LOAD, "ind", width, _IND | size | LD, 0, None, 0, None)
        yield Form(f"stx{width}", Kind.STORE_REG, "stx", width, _MEM | size | STX, None, None, None, 0)
        yield Form(f"st{width}", Kind.STORE_IMM, "st", width, _MEM | size | ST, None, 0, None, None)
        yield Form(f"load_acquire{width}", Kind.ATOMIC, "load_acquire", width, _ATOMIC | size | STX, None, None, None, 0x100, isa=4)
        yield Form(f"store_release{width}", Kind.ATOMIC, "store_release", width, _ATOMIC | size | STX, None, None, None, 0x110, isa=4)
    for width in (32, 64):
        opcode = _ATOMIC | _SIZES[width] | STX
        for op, code in _ATOMIC_OPS.items():
            # Only the 64- and 32-bit add without fetch predate version 3 (as BPF_XADD).
            yield Form(f"atomic_{op}{width}", Kind.ATOMIC, op, width, opcode, None, None, None, code, isa=1 if op == "add" else 3)
            yield Form(f"atomic_fetch_{op}{width}", Kind.ATOMIC, f"fetch_{op}", width, opcode, None, None, None, code | _FETCH, isa=3)
        yield Form(f"atomic_xchg{width}", Kind.ATOMIC, "xchg", width, opcode, None, None, None, 0xE0 | _FETCH, isa=3)
        yield Form(f"atomic_cmpxchg{width}", Kind.ATOMIC, "cmpxchg", width, opcode, None, None, None, 0xF0 | _FETCH, isa=3)
    for name, source in _LOAD_IMM64.items():
        yield Form(name, Kind.LOAD_IMM64, name, 64, _IMM | _SIZES[64] | LD, None, source, 0, None)


def _jump_forms() -> Iterator[Form]:
    for width, klass in ((64, JMP), (32, JMP32)):
        for op, code in _JUMP_OPS.items():
            isa = 3 if width == 32 else 2 if op in _V2_JUMPS else 1
            yield Form(f"{op}{width}_imm", Kind.JUMP, op, width, code | klass, None, 0, None, None, isa=isa)
            yield Form(f"{op}{width}_reg", Kind.JUMP, op, width, code | _X | klass, None, None, None, 0, isa=isa)
    yield Form("ja", Kind.GOTO, "ja", 16, JMP, 0, 0, None, 0)
    yield Form("jal", Kind.GOTO, "jal", 32, JMP32, 0, 0, 0, None, isa=4)
    yield Form("call", Kind.CALL_HELPER, "call", 64, 0x80 | JMP, 0, 0, 0, None)
    yield Form("call_local", Kind.CALL_LOCAL, "call_local", 64, 0x80 | JMP, 0, 1, 0, None)
    yield Form("call_kfunc", Kind.CALL_KFUNC, "call_kfunc", 64, 0x80 | JMP, 0, 2, None, None)
    yield Form("callx", Kind.CALL_REG, "callx", 64, 0x80 | _X | JMP, None, 0, 0, 0)
    yield Form("exit", Kind.EXIT, "exit", 64, 0x90 | JMP, 0, 0, 0, 0)


FORMS: Mapping[str, Form] = {form.name: form for family in (_alu_forms, _memory_forms, _jump_forms) for form in family()}
"""Every form by name."""


def jump_target(insn: Insn, slot: int) -> int | None:
    """Where a jump at that slot leads, if it is taken; None for what is no jump (RFC 9669 section 4.3)."""
    if insn.form.kind is Kind.JUMP or insn.form.name == "ja":
        return slot + 1 + insn.off
    return slot + 1 + insn.imm if insn.form.name == "jal" else None
