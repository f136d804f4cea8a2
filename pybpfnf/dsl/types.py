"""The language's types, as the compiler sees them. What an author writes (`u8`, `Tlv`, ...) is in `surface`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, final


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

    inner: IntType | BoolType | AddressType

    def __str__(self) -> str:
        return f"{self.inner} | None"


ValueType: TypeAlias = IntType | BoolType | AddressType
Type: TypeAlias = ValueType | VerdictType | NoneType | OptionalType


@final
@dataclass(frozen=True, slots=True)
class TlvField:
    """A field of a TLV at byte `offset` from the TLV's first byte (so 2 is the first byte of its value).

    `type` None is `count` raw bytes; else one value, on the wire in network byte order.
    """

    name: str
    offset: int
    size: int
    type: ValueType | None
    default: int | bytes | None = None


@final
@dataclass(frozen=True, slots=True)
class TlvLayout:
    """A TLV as on the wire: type byte, length byte, then fields without gaps. `size` includes the first two bytes."""

    name: str
    number: int
    size: int
    fields: tuple[TlvField, ...]
