"""Instructions to bytes and back (RFC 9669 section 3), little-endian encoding.

A reserved encoding is an error that names the field; nothing is guessed or passed through.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping

from pybpfnf.abi.forms import FORMS, Form, Insn, Kind
from pybpfnf.errors import ObjectError

SLOT_SIZE = 8
_SLOT = struct.Struct("<BBhi")
_REGISTERS = 11  # r0 to r10

# 64-bit immediate loads whose value is the first half alone (RFC 9669 section 5.4, the rows that use `imm` only).
_ONE_HALF = frozenset({"ld_map", "ld_func", "ld_map_idx"})

_BY_OPCODE: dict[int, list[Form]] = {}
for _form in FORMS.values():
    _BY_OPCODE.setdefault(_form.opcode, []).append(_form)


class DecodeError(ObjectError):
    """A reserved or truncated encoding; `slot` counts from the first instruction."""

    def __init__(self, slot: int, reason: str) -> None:
        super().__init__(f"instruction {slot}: {reason}")
        self.slot = slot


def decode(code: bytes) -> tuple[Insn, ...]:
    """Decode whole instructions; raises DecodeError on the first reserved one."""
    if len(code) % SLOT_SIZE:
        raise DecodeError(len(code) // SLOT_SIZE, f"{len(code)} bytes are not whole 8-byte instructions")
    return tuple(_decode_all(code))


def _decode_all(code: bytes) -> Iterator[Insn]:
    count = len(code) // SLOT_SIZE
    slot = 0
    while slot < count:
        opcode, registers, off, imm = _SLOT.unpack_from(code, slot * SLOT_SIZE)
        form = _match(slot, opcode, registers & 15, registers >> 4, off, imm)
        if form.kind is Kind.LOAD_IMM64:
            if slot + 1 == count:
                raise DecodeError(slot, "a 64-bit immediate load without its second half")
            opcode2, registers2, off2, high = _SLOT.unpack_from(code, (slot + 1) * SLOT_SIZE)
            if opcode2 or registers2 or off2:
                raise DecodeError(slot + 1, "the second half of a 64-bit immediate load has reserved fields set")
            if high and form.name in _ONE_HALF:
                raise DecodeError(slot + 1, f"{form.name}: reserved value {high} in the second half's imm")
            imm = (imm & 0xFFFFFFFF) | (high & 0xFFFFFFFF) << 32
        yield Insn(form, registers & 15, registers >> 4, off, imm)
        slot += form.slots


def _match(slot: int, opcode: int, dst: int, src: int, off: int, imm: int) -> Form:
    candidates = _BY_OPCODE.get(opcode)
    if candidates is None:
        raise DecodeError(slot, f"unknown opcode {opcode:#04x}")
    values = {"dst": dst, "src": src, "off": off, "imm": imm}
    for form in candidates:
        if all(getattr(form, field) in (None, value) for field, value in values.items()):
            for field in ("dst", "src"):
                if getattr(form, field) is None and values[field] >= _REGISTERS:
                    raise DecodeError(slot, f"{form.name}: there is no register r{values[field]}")
            return form
    # Name the field that no candidate accepts; with none such, the combination is at fault.
    for field, value in values.items():
        if all(getattr(form, field) not in (None, value) for form in candidates):
            raise DecodeError(slot, f"opcode {opcode:#04x}: reserved value {value} in {field}")
    raise DecodeError(slot, f"opcode {opcode:#04x}: reserved combination of fields {values}")


def encode(insns: Iterable[Insn], numbers: Mapping[str, int] | None = None) -> bytes:
    """Encode; with `numbers`, an instruction that names a map or a kernel function gets that one's as its low immediate: a file
    descriptor, or the id of a type of the kernel."""
    out = bytearray()
    for insn in insns:
        imm = insn.imm
        if insn.ref is not None and numbers is not None:
            imm = (imm & ~0xFFFFFFFF) | numbers[insn.ref]
        form = insn.form
        if form.kind is Kind.LOAD_IMM64:
            low, high = _signed32(imm), _signed32(imm >> 32)
            out += _SLOT.pack(form.opcode, insn.dst | insn.src << 4, insn.off, low) + _SLOT.pack(0, 0, 0, high)
        else:
            out += _SLOT.pack(form.opcode, insn.dst | insn.src << 4, insn.off, imm)
    return bytes(out)


def _signed32(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def make(name: str, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0, ref: str | None = None) -> Insn:
    """An instruction of the named form, its fixed fields filled in from the row."""
    form = FORMS[name]
    given = {"dst": dst, "src": src, "off": off, "imm": imm}
    fields = {field: value if getattr(form, field) is None else getattr(form, field) for field, value in given.items()}
    return Insn(form, **fields, ref=ref)
