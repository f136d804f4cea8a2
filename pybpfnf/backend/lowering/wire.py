"""Bytes that are partly constants and partly values of the program, written to the stack for a helper: TLVs and SRHs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field
from typing import TypeAlias, final

from pybpfnf.abi.headers import HEADERS
from pybpfnf.backend.building.frame import Frame
from pybpfnf.backend.building.values import alignment, place_alignment, wire_bytes
from pybpfnf.backend.lowering.packet import swap
from pybpfnf.backend.lowering.structs import copy, octets_before
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import AddressType, BoolType, IntType, ItemsType, OctetsType
from pybpfnf.errors import InternalError
from pybpfnf.records import dataclass

_WORD = 8
_TLV = HEADERS["tlv"]
_Scalar: TypeAlias = IntType | BoolType | AddressType


@final
@dataclass(slots=True)
class Image:
    """`constant` has zeros where `values` (offset, value, type) go, in network byte order, and `octets` (offset, pointer,
    alignment, type)."""

    constant: bytearray
    values: list[tuple[int, str, _Scalar]] = field(default_factory=list)
    octets: list[tuple[int, str, int, OctetsType | AddressType]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.constant)

    def put(self, frame: Frame, offset: int, size: int, value: ir.Expr | bytes, after: Sequence[ir.Expr | bytes] = ()) -> None:
        """A value at its place; an expression is evaluated now, and those of `after` later."""
        if isinstance(value, bytes):
            self.constant[offset : offset + size] = value
        elif isinstance(value, ir.Const):
            self.constant[offset : offset + size] = wire_bytes(value.value, size)
        elif isinstance(value, ir.VariableRead) and isinstance(value.variable, ir.Config) and isinstance(value.type, AddressType):
            # From where it is, in pieces that fit the place: a whole one is loaded at once, and taken apart with shifts.
            self.octets.append((offset, f"@{value.variable.name}", alignment(value.type.size), value.type))
        elif isinstance(value.type, OctetsType):
            self.octets.append((offset, *octets_before(frame, value, after), value.type))
        elif isinstance(value.type, IntType | BoolType | AddressType):
            self.values.append((offset, frame.value(value), value.type))
        else:
            raise InternalError(f"a value of type {value.type} in a TLV")

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
        for start, width in self._constant_parts():
            part = int.from_bytes(self.constant[start : start + width], "little")
            w.store(f"i{width * 8}", part, w.offset(buffer, start), width)
        for offset, value, type_ in self.values:
            bits, value = wire_value(frame, value, type_)
            w.store(f"i{bits}", value, w.offset(buffer, offset), place_alignment(offset, bits // 8))
        for offset, pointer, aligned, kind in self.octets:
            copy(frame, pointer, w.offset(buffer, offset), kind.size, min(aligned, place_alignment(offset, _WORD)))

    def _constant_parts(self) -> Iterator[tuple[int, int]]:
        """(start, width) of the stores that write what no value does: at most one a word, no wider than it must be."""
        constant = [True] * (-(-len(self) // _WORD) * _WORD)
        filled = [(offset, type_.size) for offset, _, type_ in self.values] + [(offset, type_.size) for offset, _, _, type_ in self.octets]
        for offset, size in filled:
            constant[offset : offset + size] = [False] * size
        for word in range(0, len(constant), _WORD):
            if any(constant[word : word + _WORD]):
                yield _narrowed(constant, word, _WORD)


def _narrowed(wanted: Sequence[bool], start: int, width: int) -> tuple[int, int]:
    """The half of an access, or the half of that, in which all lies that is wanted of it."""
    half = width // 2
    low, high = any(wanted[start : start + half]), any(wanted[start + half : start + width])
    if width == 1 or (low and high):
        return start, width
    return _narrowed(wanted, start if low else start + half, half)


def wire_value(frame: Frame, value: str, type_: _Scalar) -> tuple[int, str]:
    """How many bits a value has on the wire, and the integer of so many that is stored for it."""
    match type_:
        case IntType(width=width):
            return width, swap(frame, width, value)
        case BoolType():
            return 8, frame.writer.cast("zext", "i1", value, "i8")
        case AddressType():
            return 128, value
