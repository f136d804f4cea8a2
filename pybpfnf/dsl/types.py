"""The types that the compiler alone knows: verdicts, views, what may be None. Those that have values as bytes are `pybpfnf.types`,
and are named here too; what an author writes (`u8`, `Tlv`, ...) is in `surface`."""

from __future__ import annotations

from typing import TypeAlias, final

from pybpfnf.records import dataclass
from pybpfnf.types.layout import (
    ADDRESS,
    BOOL,
    INT_TYPES,
    S8,
    S16,
    S32,
    S64,
    U8,
    U16,
    U32,
    U64,
    AddressType,
    ArrayType,
    BoolType,
    FieldType,
    IntType,
    OctetsType,
    StoredType,
    StructField,
    StructType,
    ValueType,
    field_alignment,
)

__all__ = [
    "ADDRESS",
    "AddressType",
    "ArrayType",
    "BOOL",
    "BoolType",
    "FieldType",
    "INT_TYPES",
    "IntType",
    "NONE",
    "NoneType",
    "OctetsType",
    "OptionalType",
    "S16",
    "S32",
    "S64",
    "S8",
    "StoredType",
    "StructField",
    "StructType",
    "TlvField",
    "TlvLayout",
    "TlvViewType",
    "Type",
    "U16",
    "U32",
    "U64",
    "U8",
    "VERDICT",
    "ValueType",
    "VerdictType",
    "ViewType",
    "field_alignment",
    "struct_of",
]


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


VERDICT, NONE = VerdictType(), NoneType()


@final
@dataclass(frozen=True, slots=True)
class OptionalType:
    """A look-up that can miss: `inner | None`."""

    inner: IntType | BoolType | AddressType | ViewType | TlvViewType | PacketViewType | StructType

    @property
    def size(self) -> int:
        """Of a struct that may be missing, in memory: whole words, and one that says whether it is there."""
        return -(-self.inner.size // 8) * 8 + 8

    @property
    def alignment(self) -> int:
        return 8

    def __str__(self) -> str:
        return f"{self.inner} | None"


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


TLV_HEADER = (TlvField("type", 0, 1, U8), TlvField("length", 1, 1, U8))
"""What every TLV has, to be read."""

ANY_TLV = TlvLayout("Tlv", 0, 2, ())
"""A TLV of which nothing else is known."""


@final
@dataclass(frozen=True, slots=True)
class TlvViewType:
    """A TLV where it lies in the packet: fields are read there, and written there where the hook may."""

    layout: TlvLayout
    size: int = 8  # of its offset

    def __str__(self) -> str:
        return f"view of {self.layout.name}"


@final
@dataclass(frozen=True, slots=True)
class WireField:
    """A field of a header, in the `size` bytes at `offset`, in network byte order.

    A bit field has `bits` bits, `shift` bits above the low end of the big-endian integer that those bytes are; `bits` 0: the whole.
    """

    name: str
    offset: int
    type: WireType
    size: int
    bits: int = 0
    shift: int = 0


@final
@dataclass(frozen=True, slots=True)
class HeaderType:
    """An author's Header as on the wire: fields without gaps. `number`: what the header before it calls it (its Next Header value)."""

    name: str
    size: int
    fields: tuple[WireField, ...]
    number: int | None = None

    def field(self, name: str) -> WireField | None:
        return next((field for field in self.fields if field.name == name), None)

    def __str__(self) -> str:
        return self.name


@final
@dataclass(frozen=True, slots=True)
class WireArrayType:
    """`count` items of one type in a header, without gaps."""

    item: ValueType | HeaderType
    count: int

    @property
    def size(self) -> int:
        return self.item.size * self.count

    def __str__(self) -> str:
        return f"array({self.item}, {self.count})"


@final
@dataclass(frozen=True, slots=True)
class PacketViewType:
    """A header, or an array in one, where it lies in the packet."""

    of: HeaderType | WireArrayType
    size: int = 8  # of its offset

    def __str__(self) -> str:
        return f"view of {self.of}"


WireType: TypeAlias = ValueType | OctetsType | WireArrayType | HeaderType
Type: TypeAlias = ValueType | VerdictType | NoneType | OptionalType | FieldType | ViewType | TlvViewType | PacketViewType


def is_reserved(type_: Type) -> bool:
    """Whether a value of the type is a reserved record, or a look-up that may be."""
    inner = type_.inner if isinstance(type_, OptionalType) else type_
    return isinstance(inner, ViewType) and inner.reserved


def struct_of(type_: object) -> StructType | None:
    """The struct that a value of this type is, or is a view of; None for any other type."""
    if isinstance(type_, ViewType):
        return type_.struct
    return type_ if isinstance(type_, StructType) else None
