"""What values are made of: integers, bool, addresses, raw bytes, arrays and structs, in the host's order as a C compiler lays them out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, final

from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class IntType:
    """An integer of `width` bits (8, 16, 32, 64), two's complement when signed."""

    name: str
    width: int
    signed: bool

    @property
    def minimum(self) -> int:
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        return (1 << (self.width - self.signed)) - 1

    @property
    def size(self) -> int:
        return self.width // 8

    def holds(self, value: int) -> bool:
        return self.minimum <= value <= self.maximum

    def reduce(self, value: int) -> int:
        """The value that this type holds for a mathematical integer: modulo 2**width."""
        value &= (1 << self.width) - 1
        return value - (1 << self.width) if self.signed and value >> (self.width - 1) else value

    def __str__(self) -> str:
        return self.name


@final
@dataclass(frozen=True, slots=True)
class BoolType:
    name: str = "bool"
    size: int = 1

    def __str__(self) -> str:
        return self.name


@final
@dataclass(frozen=True, slots=True)
class AddressType:
    """An IPv6 address: 16 bytes in network order, a value like an integer, without arithmetic."""

    name: str = "IPv6Address"
    size: int = 16

    def __str__(self) -> str:
        return self.name


U8, U16, U32, U64 = (IntType(f"u{width}", width, False) for width in (8, 16, 32, 64))
S8, S16, S32, S64 = (IntType(f"s{width}", width, True) for width in (8, 16, 32, 64))
BOOL, ADDRESS = BoolType(), AddressType()
INT_TYPES: Mapping[str, IntType] = {type_.name: type_ for type_ in (U8, U16, U32, U64, S8, S16, S32, S64)}


@final
@dataclass(frozen=True, slots=True)
class OctetsType:
    """`size` raw bytes."""

    size: int
    alignment: int = 1

    def __str__(self) -> str:
        return f"octets({self.size})"


@final
@dataclass(frozen=True, slots=True)
class ArrayType:
    """`count` items of one type, one after the other as in C."""

    item: FieldType
    count: int

    @property
    def size(self) -> int:
        return self.item.size * self.count

    @property
    def alignment(self) -> int:
        return field_alignment(self.item)

    def __str__(self) -> str:
        return f"array({self.item}, {self.count})"


@final
@dataclass(frozen=True, slots=True)
class StructField:
    """A field at byte `offset` in host byte order. A bit field has the `bits` lowest bits of its type, from bit `shift` of the
    integer at `offset`; `bits` 0: an ordinary field. `default`: an integer, a bool as 0 or 1, or bytes as they lie in memory."""

    name: str
    offset: int
    type: FieldType
    bits: int = 0
    shift: int = 0
    default: int | bytes | None = None


@final
@dataclass(frozen=True, slots=True)
class StructType:
    """A struct, laid out as a C compiler does on the host; bytes that no field has are zero."""

    name: str
    size: int
    alignment: int
    fields: tuple[StructField, ...]

    def field(self, name: str) -> StructField | None:
        return next((field for field in self.fields if field.name == name), None)

    def __str__(self) -> str:
        return self.name


ValueType: TypeAlias = IntType | BoolType | AddressType
FieldType: TypeAlias = ValueType | OctetsType | ArrayType | StructType
StoredType: TypeAlias = ValueType | StructType

LPM_KEY = StructType("lpm_key", 20, 4, (StructField("prefixlen", 0, U32), StructField("address", 4, ADDRESS)))
"""The key of a trie of IPv6 prefixes, as struct bpf_lpm_trie_key_u8 lies in memory (include/uapi/linux/bpf.h)."""

SPIN_LOCK = StructType("bpf_spin_lock", 4, 4, (StructField("val", 0, U32),))
"""A lock in a map's value, struct bpf_spin_lock (include/uapi/linux/bpf.h): the kernel finds it by this name in the types."""

SCALAR_TYPES: Mapping[str, ValueType] = {**INT_TYPES, BOOL.name: BOOL, ADDRESS.name: ADDRESS}
"""Every scalar type by the language's spelling."""


def field_alignment(type_: FieldType) -> int:
    """As a C compiler aligns it on a host of 64 bits; struct in6_addr has the alignment of its 32-bit words (linux/in6.h)."""
    if isinstance(type_, OctetsType | ArrayType | StructType):
        return type_.alignment
    return 4 if isinstance(type_, AddressType) else type_.size


def is_lock(type_: object) -> bool:
    return isinstance(type_, StructType) and type_.name == SPIN_LOCK.name


def lock_field(type_: object) -> StructField | None:
    """The lock of a struct, None where it has none."""
    return next((field for field in type_.fields if is_lock(field.type)), None) if isinstance(type_, StructType) else None


def shown_fields(type_: StructType) -> tuple[StructField, ...]:
    """The fields that have values: all but a lock."""
    return tuple(field for field in type_.fields if not is_lock(field.type))


def unsigned_of(size: int) -> IntType | None:
    """The unsigned integer of 1, 2, 4 or 8 bytes; None for any other size."""
    return INT_TYPES.get(f"u{size * 8}")
