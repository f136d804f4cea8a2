"""What a parameter or a result of an author's function holds, by its annotation."""

from __future__ import annotations

from typing import TypeAlias, final

from pybpfnf.abi.headers import Header
from pybpfnf.dsl.types import AddressType, BoolType, IntType, NoneType, PacketViewType, StructType, TlvViewType, VerdictType
from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class PacketSlot:
    """The packet of one hook; `name` is its class."""

    name: str

    def __str__(self) -> str:
        return self.name


@final
@dataclass(frozen=True, slots=True)
class HeaderSlot:
    """A header of the packet; `name` is its class."""

    header: Header
    name: str

    def __str__(self) -> str:
        return self.name


@final
@dataclass(frozen=True, slots=True)
class OptionalSlot:
    """A look-up that can miss. A struct is a view of an entry where that is what is given, else one of its own."""

    inner: IntType | BoolType | AddressType | StructType | TlvViewType | PacketViewType

    def __str__(self) -> str:
        return f"{self.inner} | None"


# A struct is a view where the argument, or what is returned, is one; a TLV and a header are views of the packet.
ValueSlot: TypeAlias = IntType | BoolType | AddressType | VerdictType | StructType | TlvViewType | PacketViewType | OptionalSlot
Slot: TypeAlias = ValueSlot | PacketSlot | HeaderSlot | NoneType
