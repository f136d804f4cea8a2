"""What outlives a packet, as an author writes it: maps, Config and State."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar, final

from pybpfnf.dsl.surface.definitions import Birthplace, DefinitionError, birthplace, only_compiled
from pybpfnf.dsl.surface.scalars import value_type
from pybpfnf.dsl.surface.structs import Struct, pack, stored_type
from pybpfnf.types.layout import ADDRESS, U32, IntType, StoredType, StructType, ValueType, lock_field
from pybpfnf.types.scalars import constant_of

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")


def _checked_type(annotation: object, owner: str, part: str) -> ValueType:
    type_ = value_type(annotation)
    if type_ is None:
        raise _wrong_type(annotation, owner, part, "write one of u8 to u64, s8 to s64, bool, IPv6Address")
    return type_


def _wrong_type(annotation: object, owner: str, part: str, hint: str) -> DefinitionError:
    return DefinitionError(f"{owner}: {annotation!r} is no {part} type", hint=hint)


def checked_stored_type(annotation: object, owner: str, part: str, *, locks: bool = False) -> StoredType:
    """As `_checked_type`, for what a map holds: structs too; with a lock where `locks`."""
    type_ = stored_type(annotation)
    if type_ is None:
        raise _wrong_type(annotation, owner, part, "write one of u8 to u64, s8 to s64, bool, IPv6Address, or a Struct")
    if not locks and lock_field(type_) is not None:
        # kernel/bpf/syscall.c, map_check_btf
        raise DefinitionError(
            f"{owner}: {type_} has a lock, which a {part} has not here", hint="a lock is in a value of a Hash or an Array"
        )
    return type_


def checked_default(value: object, type_: StoredType, owner: str) -> int | bytes:
    if not isinstance(type_, StructType):
        return _checked_constant(value, type_, owner, "default")
    if not isinstance(value, Struct) or value.layout != type_:
        raise DefinitionError(f"{owner}: default {value!r} is no {type_}", hint=f"write default={type_}(...)")
    return pack(value)


def _checked_constant(value: object, type_: ValueType, owner: str, part: str) -> int | bytes:
    constant = constant_of(value, type_)
    if constant is None:
        number = isinstance(type_, IntType) and isinstance(value, int) and not isinstance(value, bool)
        hint = f"write {type_.minimum} to {type_.maximum}" if isinstance(type_, IntType) else f"give it a value of {type_}"
        raise DefinitionError(f"{owner}: {part} {value!r} is no {type_}", code="overflow" if number else "type", hint=hint)
    return constant


def checked_size(size: int, owner: str) -> int:
    if not isinstance(size, int) or isinstance(size, bool) or not 0 < size < 1 << 32:
        raise DefinitionError(f"{owner}: {size!r} is no number of entries", hint="write an integer from 1 to 4294967295")
    return size


class MapDefinition(Generic[K, V]):
    """What all maps have: types, a size, and the name that their module gives them."""

    kind: str  # a row of abi.maps

    key: StoredType
    value: StoredType
    value_class: object  # what the author gave as types
    key_class: object = None
    size: int
    default: int | bytes | None
    _birthplace: Birthplace

    @property
    def name(self) -> str | None:
        """The name in the module that made it; None where it has none."""
        return self._birthplace.name_of(self)

    def __getitem__(self, key: K) -> V:
        only_compiled("reading a map")

    def __setitem__(self, key: K, value: V) -> None:
        only_compiled("writing a map")

    def __repr__(self) -> str:
        key = "" if isinstance(self, Array) else f"{self.key}, "
        return f"<{type(self).__name__}({key}{self.value}, {self.size}) {self.name or 'without a name'}>"


class Array(MapDefinition[int, V]):
    """`Array(value type, size)`: `size` values, all zero at first, shared by all CPUs; an index out of range is a fault.

    `+= -= &= |= ^=` are atomic, on values of 32 and 64 bits.
    """

    kind = "array"

    def __init__(self, value: type[V], size: int) -> None:
        owner = type(self).__name__
        self.key = U32
        self.value = checked_stored_type(value, owner, "value", locks=self.kind == "array")
        self.value_class = value
        self.size = checked_size(size, owner)
        self.default = None
        self._birthplace = birthplace()


@final
class PerCpuArray(Array[V]):
    """`PerCpuArray(value type, size)`: an array of its own for each CPU, so that nothing is shared; summed by who reads it."""

    kind = "percpu_array"


class _Variable:
    """What Config and State have in common."""

    role: str

    def __init__(self, type: object, initial: object) -> None:  # noqa: A002 the word that an author writes
        self.type = _checked_type(type, self.role, "variable")
        self.initial = None if initial is None else _checked_constant(initial, self.type, self.role, "value")
        self._birthplace = birthplace(3)

    @property
    def name(self) -> str | None:
        """The name in the module that made it; None where it has none."""
        return self._birthplace.name_of(self)

    def __repr__(self) -> str:
        return f"<{self.role}({self.type}) {self.name or 'without a name'}>"


@final
class ConfigVariable(_Variable):
    """`Config(type, default=...)`: set when the function is loaded, constant afterwards. Without default it must be given."""

    role = "Config"

    def __init__(self, type: object, *, default: object = None) -> None:  # noqa: A002
        super().__init__(type, default)


@final
class StateVariable(_Variable):
    """`State(type, initial=...)`: shared by all packets and with the control plane, which may change it at any time."""

    role = "State"

    def __init__(self, type: object, *, initial: object = None) -> None:  # noqa: A002
        super().__init__(type, initial)
        if self.initial is None:
            self.initial = bytes(ADDRESS.size) if self.type == ADDRESS else 0


if TYPE_CHECKING:

    def Config(type: type[T], *, default: T = ...) -> T:  # noqa: A002 the word that an author writes
        """Set when the function is loaded, constant afterwards."""
        ...

    def State(type: type[T], *, initial: T = ...) -> T:  # noqa: A002
        """Shared by all packets, and changed by the control plane at any time."""
        ...
else:
    Config = ConfigVariable
    State = StateVariable
