"""Bytes that are partly constants and partly values of the program, written to the stack for a helper: TLVs and SRHs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import final

from pybpfnf.abi.headers import HEADERS
from pybpfnf.backend.frame import Frame
from pybpfnf.backend.lower_packet import swap
from pybpfnf.backend.lower_struct import copy, octets_before
from pybpfnf.backend.values import place_alignment, wire_bytes
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import AddressType, BoolType, IntType, ItemsType, OctetsType, Type
from pybpfnf.errors import InternalError
from pybpfnf.records import dataclass

_WORD = 8
_TLV = HEADERS["tlv"]


@final
@dataclass(slots=True)
class Image:
    """`constant` has zeros where `values` (offset, value, type) go, in network byte order, and `octets` (offset, pointer,
    alignment, type)."""

    constant: bytearray
    values: list[tuple[int, str, Type]] = field(default_factory=list)
    octets: list[tuple[int, str, int, OctetsType]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.constant)

    def put(self, frame: Frame, offset: int, size: int, value: ir.Expr | bytes, after: Sequence[ir.Expr | bytes] = ()) -> None:
        """A value at its place; an expression is evaluated now, and those of `after` later."""
        if isinstance(value, bytes):
            self.constant[offset : offset + size] = value
        elif isinstance(value, ir.Const):
            self.constant[offset : offset + size] = wire_bytes(value.value, size)
        elif isinstance(value.type, OctetsType):
            self.octets.append((offset, *octets_before(frame, value, after), value.type))
        else:
            self.values.append((offset, frame.value(value), value.type))

    def put_tlv(self, frame: Frame, offset: int, tlv: ir.TlvValue, after: Sequence[ir.Expr | bytes] = ()) -> None:
        """A TLV at its place; `after` is evaluated after it."""
        self.constant[offset : offset + _TLV.size] = bytes((tlv.layout.number, tlv.size - _TLV.size))
        rest = [*tlv.parts, *after]
        for field_, value in tlv.values:
            start = offset + field_.offset
            for part in value if isinstance(value, tuple) else (value,):
                size = field_.type.item.size if isinstance(field_.type, ItemsType) else field_.size
                rest = rest[1:]
                self.put(frame, start, size, part, rest)
                start += size

    def write(self, frame: Frame, buffer: str) -> None:
        """Write to memory that is aligned to 8 bytes and has room for whole words; the last word is filled up with zeros."""
        w = frame.writer
        for start in range(0, len(self), _WORD):
            word = int.from_bytes(self.constant[start : start + _WORD], "little")
            w.store("i64", word, w.offset(buffer, start), _WORD)
        for offset, value, type_ in self.values:
            bits, value = wire_value(frame, value, type_)
            w.store(f"i{bits}", value, w.offset(buffer, offset), place_alignment(offset, bits // 8))
        for offset, pointer, alignment, type_ in self.octets:
            copy(frame, pointer, w.offset(buffer, offset), type_.size, min(alignment, place_alignment(offset, _WORD)))


def wire_value(frame: Frame, value: str, type_: Type) -> tuple[int, str]:
    """How many bits a value has on the wire, and the integer of so many that is stored for it."""
    match type_:
        case IntType(width=width):
            return width, swap(frame, width, value)
        case BoolType():
            return 8, frame.writer.cast("zext", "i1", value, "i8")
        case AddressType():
            return 128, value
    raise InternalError(f"a value of type {type_} in a TLV")
