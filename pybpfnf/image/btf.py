"""Decode .BTF: types and strings (Documentation/bpf/btf.rst). What the sections of an object add is in `btfext` and `datasec`."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from enum import IntEnum
from functools import cached_property
from typing import final

from pybpfnf.errors import ObjectError
from pybpfnf.records import dataclass

MAGIC = 0xEB9F
HEADER = struct.Struct("<HBBIIIII")  # magic, version, flags, hdr_len, type_off, type_len, str_off, str_len
TYPE = struct.Struct("<III")  # name_off, info, size or type
_MAX_DEPTH = 32  # the kernel's MAX_RESOLVE_DEPTH
_LARGEST_SIZE = 1 << 32


class Kind(IntEnum):
    """BTF_KIND_* (include/uapi/linux/btf.h)."""

    VOID = 0
    INT = 1
    PTR = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    FWD = 7
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNC = 12
    FUNC_PROTO = 13
    VAR = 14
    DATASEC = 15
    FLOAT = 16
    DECL_TAG = 17
    TYPE_TAG = 18
    ENUM64 = 19


# What follows a type's three words: once (INT's encoding, ARRAY's three words, VAR's linkage, DECL_TAG's index) or vlen times.
_ONCE: Mapping[int, int] = {Kind.INT: 4, Kind.ARRAY: 12, Kind.VAR: 4, Kind.DECL_TAG: 4}
_EACH: Mapping[int, int] = {Kind.STRUCT: 12, Kind.UNION: 12, Kind.ENUM: 8, Kind.FUNC_PROTO: 8, Kind.DATASEC: 12, Kind.ENUM64: 12}


def trailer_size(kind: int, vlen: int) -> int:
    """How many bytes follow the three words of a type."""
    return _ONCE.get(kind, 0) + _EACH.get(kind, 0) * vlen


_MODIFIERS = frozenset({Kind.TYPEDEF, Kind.VOLATILE, Kind.CONST, Kind.RESTRICT, Kind.TYPE_TAG})
_SIZED = frozenset({Kind.INT, Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.ENUM64, Kind.FLOAT, Kind.DATASEC})
ENCODING_SIGNED, ENCODING_BOOL = 1, 4  # of an INT, in bits 24 to 27 of its word


@final
@dataclass(frozen=True, slots=True)
class Type:
    """One type. `value` is its size or the type it refers to, as the kind says; `vlen` also carries a FUNC's linkage.

    `trailer` is what follows, in 32-bit words; for kinds that have entries (members, parameters, variables) `entries` divides it.
    """

    id: int
    kind: Kind
    name: str
    name_offset: int
    vlen: int
    flag: bool
    value: int
    trailer: tuple[int, ...] = ()

    def entries(self) -> Iterator[tuple[int, ...]]:
        """The members, parameters, enumerators or variables, each as its words."""
        width = _EACH[self.kind] // 4
        return (self.trailer[start : start + width] for start in range(0, len(self.trailer), width))


VOID = Type(0, Kind.VOID, "void", 0, 0, False, 0)


@final
@dataclass(frozen=True)
class Btf:
    """The types by id, the void type first, and the table of strings."""

    types: tuple[Type, ...]
    strings: bytes

    def type(self, number: int) -> Type:
        if number >= len(self.types):
            raise ObjectError(f"section .BTF names type {number} of {len(self.types)}")
        return self.types[number]

    def string(self, offset: int) -> str:
        return _string(self.strings, offset)

    def strip(self, number: int) -> Type:
        """The type without typedefs and qualifiers."""
        for _ in range(_MAX_DEPTH):
            found = self.type(number)
            if found.kind not in _MODIFIERS:
                return found
            number = found.value
        raise ObjectError(f"section .BTF: type {number} refers to itself")

    def size_of(self, number: int) -> int:
        """Bytes that a value of the type takes; raises ObjectError for a type without size."""
        count = 1
        for _ in range(_MAX_DEPTH):
            found = self.strip(number)
            if found.kind is Kind.ARRAY:
                number, count = found.trailer[0], count * found.trailer[2]
            elif found.kind is Kind.PTR:
                return 8 * count
            elif found.kind in _SIZED and found.value * count < _LARGEST_SIZE:
                return found.value * count
            else:
                raise ObjectError(f"section .BTF: type {number} ({found.kind.name} {found.name!r}) has no usable size")
        raise ObjectError(f"section .BTF: type {number} refers to itself")

    @cached_property
    def datasecs(self) -> dict[str, Type]:
        return {found.name: found for found in self.types if found.kind is Kind.DATASEC}

    @cached_property
    def kfuncs(self) -> tuple[str, ...]:
        """The functions of the kernel that the object declares, as libbpf has it: in the section `.ksyms`."""
        datasec = self.datasecs.get(".ksyms")
        declared = [] if datasec is None else [self.type(entry[0]) for entry in datasec.entries()]
        return tuple(found.name for found in declared if found.kind is Kind.FUNC)

    def variables(self, section: str) -> Iterator[tuple[Type, int]]:
        """Each variable of a DATASEC with its offset there, as recorded (LLVM records 0: see `datasec`)."""
        datasec = self.datasecs.get(section)
        if datasec is None:
            return
        for number, offset, _size in datasec.entries():
            found = self.type(number)
            if found.kind is Kind.VAR:
                yield found, offset


def decode_btf(data: bytes) -> Btf:
    """Decode a .BTF section; raises ObjectError where it is malformed or has kinds that are not known."""
    if len(data) < HEADER.size:
        raise ObjectError("section .BTF is truncated")
    magic, version, _flags, header_size, type_offset, type_size, string_offset, string_size = HEADER.unpack_from(data)
    if (magic, version) != (MAGIC, 1):
        raise ObjectError(f"section .BTF has magic {magic:#x}, version {version}; {MAGIC:#x}, version 1 are known")
    types = data[header_size + type_offset :][:type_size]
    strings = data[header_size + string_offset :][:string_size]
    if len(types) < type_size or len(strings) < string_size or type_size % 4:
        raise ObjectError("section .BTF is truncated")
    if strings[:1] != b"\0" or strings[-1:] != b"\0":
        raise ObjectError("section .BTF: its table of strings does not begin and end with a NUL")
    return Btf((VOID, *_decode_types(types, strings)), strings)


def _decode_types(data: bytes, strings: bytes) -> Iterator[Type]:
    offset = 0
    number = 1
    while offset < len(data):
        if offset + TYPE.size > len(data):
            raise ObjectError(f"section .BTF: type {number} is truncated")
        name_offset, info, value = TYPE.unpack_from(data, offset)
        kind, vlen = _kind(number, info >> 24 & 0x1F), info & 0xFFFF
        size = trailer_size(kind, vlen)
        offset += TYPE.size
        if offset + size > len(data):
            raise ObjectError(f"section .BTF: type {number} is truncated")
        trailer = struct.unpack_from(f"<{size // 4}I", data, offset)
        offset += size
        yield Type(number, kind, _string(strings, name_offset), name_offset, vlen, bool(info >> 31), value, trailer)
        number += 1


def _kind(number: int, value: int) -> Kind:
    if not Kind.INT <= value <= Kind.ENUM64:
        raise ObjectError(f"section .BTF: type {number} is of kind {value}, which is not known")
    return Kind(value)


def _string(strings: bytes, offset: int) -> str:
    end = strings.find(b"\0", offset)
    if end < 0:
        raise ObjectError(f"section .BTF: no string at {offset}")
    return strings[offset:end].decode(errors="backslashreplace")
