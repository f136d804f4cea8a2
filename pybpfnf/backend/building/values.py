"""The language's types and constants as LLVM spells them, in registers and in memory."""

from __future__ import annotations

from typing import TypeGuard

from pybpfnf.dsl.types import (
    AddressType,
    ArrayType,
    BoolType,
    IntType,
    NoneType,
    OctetsType,
    OptionalType,
    PacketViewType,
    StructType,
    TlvViewType,
    Type,
    ValueType,
    VerdictType,
    ViewType,
)
from pybpfnf.errors import InternalError

_REGISTER_BITS = 64


def llvm_type(type_: Type) -> str:
    """In a register. An address is one i128 with the bytes of memory in its order; an optional says first whether it is there.
    What is larger is a pointer to its bytes, and a view that may be missing a pointer that may be null. A TLV in the packet is
    its offset there, 0 where there is none; so is a header, all ones where there is none."""
    match type_:
        case IntType():
            return f"i{type_.width}"
        case BoolType():
            return "i1"
        case AddressType():
            return "i128"
        case VerdictType():
            return "i32"
        case ViewType() | StructType() | ArrayType() | OctetsType() | OptionalType(inner=ViewType()):
            return "ptr"
        case OptionalType(inner=StructType()):
            return "ptr"
        case TlvViewType() | PacketViewType() | OptionalType(inner=TlvViewType() | PacketViewType()):
            return "i64"
        case OptionalType():
            return f"{{ i1, {llvm_type(type_.inner)} }}"
        case NoneType():
            raise InternalError(f"a value of type {type_} has no place in a register")


def is_in_memory(type_: Type) -> TypeGuard[StructType | ArrayType | OctetsType | OptionalType]:
    """Whether a value of the type is a pointer to its bytes."""
    return isinstance(type_, StructType | ArrayType | OctetsType) or is_optional_struct(type_)


def is_optional_struct(type_: Type) -> bool:
    """Whether it is a struct of its own that may be missing: its words, and one that says whether it is there."""
    return isinstance(type_, OptionalType) and isinstance(type_.inner, StructType)


def memory_type(type_: ValueType) -> str:
    """In memory that others read too (maps, globals, helper arguments): as in a register, but a bool is a byte."""
    return "i8" if isinstance(type_, BoolType) else llvm_type(type_)


def alignment(size: int) -> int:
    """The natural alignment in bytes of a value of `size` bytes, at most a register's."""
    return min(size, _REGISTER_BITS // 8)


def place_alignment(offset: int, size: int) -> int:
    """The alignment of a value at `offset` in memory that is aligned as a register."""
    lowest_bit = offset & -offset
    return min(alignment(size), lowest_bit or alignment(size))


def literal(value: int | bytes) -> str:
    """A constant for a register: an address is taken as it lies in little-endian memory."""
    return str(int.from_bytes(value, "little") if isinstance(value, bytes) else value)


def wire_bytes(value: int | bytes, size: int) -> bytes:
    """A constant as it is on the wire: integers big-endian, addresses and raw bytes as they are."""
    if isinstance(value, bytes):
        return value
    return (value & ((1 << 8 * size) - 1)).to_bytes(size, "big")


def string(data: bytes) -> str:
    """A quoted LLVM string: what is not plain ASCII in hexadecimal."""
    return '"' + "".join(map(_ESCAPED.__getitem__, data)) + '"'


_ESCAPED = [chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\{byte:02X}" for byte in range(256)]
