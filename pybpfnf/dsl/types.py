"""The language's types, as the compiler sees them. What an author writes (`u8`, `Tlv`, ...) is in `surface`."""

from __future__ import annotations

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


U8, U16, U32, U64 = (IntType(f"u{width}", width, False) for width in (8, 16, 32, 64))
S8, S16, S32, S64 = (IntType(f"s{width}", width, True) for width in (8, 16, 32, 64))
INT_TYPES = {type_.name: type_ for type_ in (U8, U16, U32, U64, S8, S16, S32, S64)}


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


@final
@dataclass(frozen=True, slots=True)
class VerdictType:
    """What a function returns: one of its hook's verdicts, 32 bits."""

    name: str = "Verdict"
    size: int = 4

    def __str__(self) -> str:
        return self.name


@final
@dataclass(frozen=True, slots=True)
class NoneType:
    """The type of a call that gives nothing."""

    name: str = "None"

    def __str__(self) -> str:
        return self.name


BOOL, ADDRESS, VERDICT, NONE = BoolType(), AddressType(), VerdictType(), NoneType()


@final
@dataclass(frozen=True, slots=True)
class OptionalType:
    """A look-up that can miss: `inner | None`."""

    inner: IntType | BoolType | AddressType | ViewType | TlvViewType

    def __str__(self) -> str:
        return f"{self.inner} | None"


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
    """An author's Struct, laid out as a C compiler does on the host; bytes that no field has are zero."""

    name: str
    size: int
    alignment: int
    fields: tuple[StructField, ...]

    def field(self, name: str) -> StructField | None:
        return next((field for field in self.fields if field.name == name), None)

    def __str__(self) -> str:
        return self.name


@final
@dataclass(frozen=True, slots=True)
class ViewType:
    """A struct where it lies, in an entry of `map`: fields are read there and written there. `shared`: with other CPUs.
    `reserved`: a record of a ring buffer, until it is submitted or discarded."""

    struct: StructType
    map: str
    shared: bool
    reserved: bool = False
    size: int = 8  # of the pointer to it

    def __str__(self) -> str:
        return f"{'reserved' if self.reserved else 'view of'} {self.struct}"


ValueType: TypeAlias = IntType | BoolType | AddressType


@final
@dataclass(frozen=True, slots=True)
class ItemsType:
    """Items of a TLV, one after the other: `most` of them, or in a trailing array as many as the TLV's length says, at most `most`."""

    item: ValueType
    most: int
    trailing: bool

    def __str__(self) -> str:
        return f"array({self.item}, {'max=' if self.trailing else ''}{self.most})"


@final
@dataclass(frozen=True, slots=True)
class TlvField:
    """A field of a TLV at byte `offset` from the TLV's first byte (so 2 is the first byte of its value), on the wire in network
    byte order. `size` in bytes; of a trailing array 0, as it may be empty."""

    name: str
    offset: int
    size: int
    type: ValueType | OctetsType | ItemsType
    default: int | bytes | None = None


@final
@dataclass(frozen=True, slots=True)
class TlvLayout:
    """A TLV as on the wire: type byte, length byte, then fields without gaps. `size` includes the first two bytes, and nothing of a
    trailing array."""

    name: str
    number: int
    size: int
    fields: tuple[TlvField, ...]

    @property
    def trailing(self) -> ItemsType | None:
        """The array that ends it, as long as the TLV's length makes it."""
        last = self.fields[-1].type if self.fields else None
        return last if isinstance(last, ItemsType) and last.trailing else None

    @property
    def lengths(self) -> range:
        """What the length byte can be: one number, or with a trailing array one for each number of its items."""
        fixed = self.size - 2
        if self.trailing is None:
            return range(fixed, fixed + 1)
        step = self.trailing.item.size
        return range(fixed, fixed + self.trailing.most * step + 1, step)


@final
@dataclass(frozen=True, slots=True)
class TlvViewType:
    """A TLV where it lies in the packet: fields are read there, and written there where the hook may."""

    layout: TlvLayout
    size: int = 8  # of its offset

    def __str__(self) -> str:
        return f"view of {self.layout.name}"


FieldType: TypeAlias = ValueType | OctetsType | ArrayType | StructType
StoredType: TypeAlias = ValueType | StructType
Type: TypeAlias = ValueType | VerdictType | NoneType | OptionalType | FieldType | ViewType | TlvViewType


def field_alignment(type_: FieldType) -> int:
    """As a C compiler aligns it on a host of 64 bits; struct in6_addr has the alignment of its 32-bit words (linux/in6.h)."""
    if isinstance(type_, OctetsType | ArrayType | StructType):
        return type_.alignment
    return 4 if isinstance(type_, AddressType) else type_.size


def struct_of(type_: object) -> StructType | None:
    """The struct that a value of this type is, or is a view of; None for any other type."""
    if isinstance(type_, ViewType):
        return type_.struct
    return type_ if isinstance(type_, StructType) else None
