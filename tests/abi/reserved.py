"""Encodings that RFC 9669 reserves: each a valid instruction with one field changed, and the section that reserves it.

The programs come from here; what our codec says of them and what the running kernel says is in `data/reserved.test`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, final

from pybpfnf.abi.codec import encode
from pybpfnf.abi.text import parse

GOLDEN = Path(__file__).parent / "data" / "reserved.test"
HEADER = "# RFC 9669 section | instruction | field = value | bytes | what the codec says | what Linux says; written by --update-data\n"
_SLOT = struct.Struct("<BBhi")
# For a program of type socket_filter: r6 is its context, which legacy packet loads want there; every register has a value.
_BEFORE = "r6 = r1\n" + "".join(f"r{number} = 1\n" for number in (0, 1, 2, 3, 4, 5, 7, 8, 9)) + "*(u64 *)(r10 - 8) = 0\n"
_AFTER = "r0 = 0\nexit\n"


@final
@dataclass(frozen=True)
class Case:
    section: str
    text: str  # the valid instruction
    field: str  # opcode, dst, src, off or imm; with a 2, of the second slot
    value: int
    after: str = _AFTER  # what comes behind it in a whole program

    @property
    def valid(self) -> bytes:
        """A whole program that has the valid instruction."""
        return encode(parse(f"{_BEFORE}{self.text}\n{self.after}"))

    @property
    def code(self) -> bytes:
        """The instruction alone, with the field changed."""
        (insn, *_) = parse(f"{self.text}\n{self.after}")
        return _with(encode([insn]), self.field, self.value)

    @property
    def program(self) -> bytes:
        """The whole program with the changed instruction."""
        before = encode(parse(_BEFORE))
        return before + self.code + self.valid[len(before) + len(self.code) :]


def _with(code: bytes, field: str, value: int) -> bytes:
    at = 8 if field.endswith("2") else 0
    opcode, registers, off, imm = _SLOT.unpack_from(code, at)
    match field.rstrip("2"):
        case "opcode":
            opcode = value
        case "dst":
            registers = registers & 0xF0 | value
        case "src":
            registers = registers & 0x0F | value << 4
        case "off":
            off = value
        case _:
            imm = value
    return code[:at] + _SLOT.pack(opcode, registers, off, imm) + code[at + 8 :]


_Row: TypeAlias = "tuple[str, str, tuple[tuple[str, int], ...]]"  # section, the valid instruction, fields with what they may not have

_COMPUTING = (
    # Section 4.1: what an operation does not name is zero; the offset is 1 for the signed divisions, 8 to 32 for sign-extending moves.
    ("r1 += 5", (("src", 2), ("off", 1), ("off", 8))),
    ("r1 += r2", (("off", 1), ("imm", 1))),
    ("w1 += 5", (("src", 2), ("off", 1))),
    ("w1 += w2", (("off", 1), ("imm", 1))),
    ("r1 = 5", (("src", 2), ("off", 8))),
    ("r1 = r2", (("off", 7), ("off", 64), ("imm", 1))),
    ("w1 = w2", (("off", 32), ("imm", 1))),
    ("r1 = (s8)r2", (("imm", 1),)),
    ("r1 /= 5", (("off", 2), ("src", 2))),
    ("w1 %= w2", (("off", 2), ("imm", 1))),
    ("r1 = -r1", (("src", 2), ("off", 1), ("imm", 1), ("opcode", 0x8F))),
    ("w1 = -w1", (("src", 2), ("off", 1), ("imm", 1), ("opcode", 0x8C))),
    ("r1 += 5", (("opcode", 0xE7), ("opcode", 0xF4))),
)
_SWAPPING = (
    # Section 4.2: widths of 16, 32 and 64 bits.
    ("r1 = be16 r1", (("imm", 8), ("imm", 24), ("src", 2), ("off", 1))),
    ("r1 = le32 r1", (("imm", 0), ("src", 2), ("off", 1))),
    ("r1 = bswap64 r1", (("imm", 128), ("src", 2), ("off", 1), ("opcode", 0xDF))),
)
_JUMPING = (
    # Section 4.3.
    ("if r1 == 5 goto +0", (("src", 2), ("opcode", 0xE5), ("opcode", 0xF6))),
    ("if r1 == r2 goto +0", (("imm", 1),)),
    ("if w1 == 5 goto +0", (("src", 2),)),
    ("if w1 == w2 goto +0", (("imm", 1),)),
    ("goto +0", (("dst", 1), ("src", 1), ("imm", 1), ("opcode", 0x0D))),
    ("gotol +0", (("dst", 1), ("src", 1), ("off", 1), ("opcode", 0x0E))),
    ("call ktime_get_ns", (("dst", 1), ("src", 3), ("off", 1), ("opcode", 0x86))),
)
_LOADING: tuple[_Row, ...] = (
    # Sections 5.1 and 5.2: no mode but these; a sign-extending load of 64 bits would be the plain one.
    ("5.1", "r1 = *(u32 *)(r10 - 8)", (("imm", 1), ("opcode", 0xA1), ("opcode", 0xE1))),
    ("5.1", "*(u32 *)(r10 - 8) = 5", (("src", 2), ("opcode", 0x82), ("opcode", 0xC2))),
    ("5.1", "*(u32 *)(r10 - 8) = r1", (("imm", 1), ("opcode", 0x83))),
    ("5.2", "r1 = *(s32 *)(r10 - 8)", (("imm", 1), ("opcode", 0x99))),
    # Section 5.3: operations and widths.
    ("5.3", "lock *(u64 *)(r10 - 8) += r1", (("imm", 0x10), ("imm", 0x20), ("imm", 0xE0), ("imm", 0xF0), ("imm", 2))),
    ("5.3", "lock *(u32 *)(r10 - 8) += r1", (("opcode", 0xCB), ("opcode", 0xD3), ("imm", 0x200))),
    # Section 5.4.
    ("5.4", "r1 = 0x123456789 ll", (("src", 7), ("src", 15), ("off", 1), ("opcode2", 0x95), ("dst2", 1), ("src2", 1), ("off2", 1))),
    # Section 5.5.
    ("5.5", "r0 = *(u8 *)skb[2]", (("dst", 1), ("src", 1), ("off", 1), ("opcode", 0x38))),
    ("5.5", "r0 = *(u8 *)skb[r1 + 2]", (("dst", 1), ("off", 1), ("opcode", 0x58))),
)
_REGISTERS = (
    # Section 3.1: registers are r0 to r10.
    ("r1 += r2", (("dst", 11), ("src", 11))),
    ("r1 = *(u32 *)(r10 - 8)", (("dst", 15), ("src", 12))),
    ("*(u32 *)(r10 - 8) = r1", (("dst", 13), ("src", 15))),
    ("if r1 == r2 goto +0", (("dst", 11), ("src", 14))),
)
_CALLED = "r0 = 0\nexit\nf:\nr0 = 0\nexit\n"


def cases() -> Iterator[Case]:
    for section, group in (("3.1", _REGISTERS), ("4.1", _COMPUTING), ("4.2", _SWAPPING), ("4.3", _JUMPING)):
        for text, changes in group:
            yield from (Case(section, text, field, value) for field, value in changes)
    for field, value in (("dst", 1), ("off", 1)):
        yield Case("4.3.2", "call f", field, value, _CALLED)
    for field in ("dst", "src", "off", "imm"):
        yield Case("4.3", "exit", field, 1, "")
    yield Case("4.3", "exit", "opcode", 0x96, "")
    for row_section, row_text, row_changes in _LOADING:
        yield from (Case(row_section, row_text, field, value) for field, value in row_changes)
