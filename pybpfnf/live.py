"""The maps and variables of a program that runs, by name and with the language's types: in the VM, loaded, or attached.

    nf[RATIO] = 1000
    print(nf[packets][0])

Values are `int`, `bool` and `IPv6Address`; keys and values of objects that do not say their types are unsigned integers
in host byte order where they have 1, 2, 4 or 8 bytes, else `bytes`. Bytes come and go through `runner.MapAccess`.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, MutableMapping
from difflib import get_close_matches
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, final, overload, runtime_checkable

from pybpfnf.abi.maps import MAP_TYPES
from pybpfnf.errors import InputError
from pybpfnf.image.model import FaultSite, ObjectImage, Role, Variable
from pybpfnf.records import dataclass
from pybpfnf.runner import MapAccess
from pybpfnf.types.layout import FieldType, StructType, unsigned_of
from pybpfnf.types.values import as_values, decode, encode

if TYPE_CHECKING:
    from pybpfnf.dsl.surface.hashes import HashDefinition
    from pybpfnf.dsl.surface.stores import Array

K = TypeVar("K")
V = TypeVar("V")
Scalar = TypeVar("Scalar", int, bool, IPv6Address)

_ARRAYS = frozenset({"array", "percpu_array"})
_DATA_KEY = bytes(4)  # a data section is an array of one value
_COUNTER_SIZE = 8  # of a fault counter, a u64


@runtime_checkable
class Patchable(Protocol):
    """A MapAccess that can write a part of a data section and leave the rest alone, while programs write it too."""

    def patch(self, offset: int, data: bytes) -> None: ...


@final
@dataclass(frozen=True, slots=True)
class FaultCount:
    site: FaultSite
    count: int


class _Entries(ABC, Generic[K, V]):
    """What arrays and hashes have in common: typed values, and a sum where each CPU has its own."""

    def __init__(self, access: MapAccess, key_class: object = None, value_class: object = None) -> None:
        """`key_class`, `value_class`: what the author wrote as types, where it is known."""
        self.spec = access.spec
        self._access = access
        self._is_per_cpu = MAP_TYPES[self.spec.type].per_cpu
        self._key_class, self._value_class = key_class, value_class
        self._key_type = self.spec.key_type or unsigned_of(self.spec.key_size)
        self._value_type = self.spec.value_type or unsigned_of(self.spec.value_size)

    def __getitem__(self, key: K) -> V:
        """The value; the sum over all CPUs where each has its own. Raises KeyError or IndexError when it is missing."""
        each: list[Any] = self.per_cpu(key)
        if len(each) == 1:
            only: V = each[0]
            return only
        if not all(isinstance(value, int) for value in each):
            raise InputError(f"map {self.spec.name} has a value for each CPU, and these have no sum", hint="read them with per_cpu(key)")
        total: V = sum(each)
        return total

    def __setitem__(self, key: K, value: V) -> None:
        """On a per-CPU map the first CPU gets the value and the others zero, so that the sum is what was written."""
        data = _encode(value, self._value_type, self.spec.value_size, f"map {self.spec.name}, value")
        if self._is_per_cpu:
            data = data.ljust(self._access.value_size, b"\0")
        self._access.update(self._encode_key(key), data)

    def per_cpu(self, key: K) -> list[V]:
        """The value of each CPU, in the order of their numbers; one value where the CPUs share it."""
        data, size = self._look_up(key), self.spec.value_size
        stride = (size + 7) // 8 * 8  # bpf(2) pads each CPU's value to 8 bytes
        starts = range(0, len(data), stride) if self._is_per_cpu else (0,)
        return [_decode(data[start : start + size], self._value_type, self._value_class) for start in starts]

    @abstractmethod
    def __len__(self) -> int: ...

    def _look_up(self, key: K) -> bytes:
        data = self._access.lookup(self._encode_key(key))
        if data is None:
            raise self._missing(key)
        return data

    def _missing(self, key: K) -> LookupError:
        return KeyError(key)

    def _encode_key(self, key: K) -> bytes:
        return _encode(key, self._key_type, self.spec.key_size, f"map {self.spec.name}, key")


@final
class LiveArray(_Entries[int, V]):
    """A live array: `a[0]`, `len(a)`, and its values one after the other when iterated."""

    def __len__(self) -> int:
        return self.spec.max_entries

    def __iter__(self) -> Iterator[V]:
        return (self[index] for index in range(len(self)))

    def _missing(self, key: int) -> LookupError:
        return IndexError(f"index {key} is out of range: map {self.spec.name} has {self.spec.max_entries} entries")

    def _encode_key(self, key: int) -> bytes:
        if not 0 <= key < self.spec.max_entries:
            raise self._missing(key)
        return super()._encode_key(key)


@final
class LiveHash(_Entries[K, V], MutableMapping[K, V]):
    """A live hash, as a dict: `h[k]`, `h.get(k)`, `k in h`, `del h[k]`, `h.items()`. Programs may change it meanwhile."""

    def __len__(self) -> int:
        return sum(1 for _ in self._access.keys())  # noqa: SIM118 an access is no dict

    def __iter__(self) -> Iterator[K]:
        return (_decode(key, self._key_type, self._key_class) for key in self._access.keys())  # noqa: SIM118 an access is no dict

    def __delitem__(self, key: K) -> None:
        if not self._access.delete(self._encode_key(key)):
            raise KeyError(key)


class Live:
    """The maps and variables of one running program, by name or by what the author defined (`nf["RATIO"]`, `nf[RATIO]`)."""

    def __init__(self, image: ObjectImage, maps: Mapping[str, MapAccess]) -> None:
        self._image = image
        self._maps = maps

    @overload
    def __getitem__(self, key: str) -> Any: ...
    @overload
    def __getitem__(self, key: Array[V]) -> LiveArray[V]: ...
    @overload
    def __getitem__(self, key: HashDefinition[K, V]) -> LiveHash[K, V]: ...
    @overload
    def __getitem__(self, key: Scalar) -> Scalar: ...  # to a type checker a State or Config is its value
    def __getitem__(self, key: object) -> Any:
        """A variable's value, or a LiveArray or LiveHash. Raises InputError for what the program does not have."""
        name = self._name(key)
        variable = self._image.variables.get(name)
        if variable is not None:
            data = self._section(variable)[variable.offset : variable.offset + variable.size]
            return _decode(data, variable.type)
        access = self._maps.get(name)
        if access is None or access.spec.initial is not None:
            raise self._unknown(name)
        if not MAP_TYPES[access.spec.type].has_keys:
            raise InputError(f"map {name} is a {access.spec.type}, which has no keys to read")
        classes = (getattr(key, "key_class", None), getattr(key, "value_class", None))
        return LiveArray(access, *classes) if access.spec.type in _ARRAYS else LiveHash(access, *classes)

    def __setitem__(self, key: object, value: object) -> None:
        """Change a State while packets flow; the value as itself or as text (`"0x10"`, `"fc00::1"`)."""
        self._write(*self._change(self._name(key), value))

    def update(self, changes: Mapping[str, object]) -> None:
        """Change several States, none where one of the changes cannot be made."""
        for variable, data in [self._change(name, value) for name, value in changes.items()]:
            self._write(variable, data)

    def _change(self, name: str, value: object) -> tuple[Variable, bytes]:
        variable = self._image.variables.get(name)
        if variable is None:
            if name in self._maps:
                raise InputError(f"{name} is a map", hint=f"set one of its entries: [{name}][key] = value")
            raise self._unknown(name)
        if variable.role is not Role.STATE:
            raise InputError(f"{name} is a Config: it is constant once the program is loaded", hint="give it when you load or attach")
        self._holder(variable)
        return variable, _encode(value, variable.type, variable.size, name)

    def _write(self, variable: Variable, data: bytes) -> None:
        access = self._holder(variable)
        if isinstance(access, Patchable):
            access.patch(variable.offset, data)
            return
        whole = self._section(variable)
        access.update(_DATA_KEY, whole[: variable.offset] + data + whole[variable.offset + variable.size :])

    def names(self) -> tuple[str, ...]:
        """What can be asked for: variables, then maps."""
        maps = [name for name, access in self._maps.items() if access.spec.initial is None and name not in self._image.variables]
        return (*self._image.variables, *maps)

    def faults(self) -> tuple[FaultCount, ...]:
        """How often each fault exit was taken since the program was loaded; empty where the object does not count them."""
        counters = self._image.faults
        if counters is None:
            return ()
        data = self._maps[counters.map].lookup(_DATA_KEY) or b""
        counts = (data[at : at + _COUNTER_SIZE] for at in range(counters.offset, len(data), _COUNTER_SIZE))
        return tuple(FaultCount(site, int.from_bytes(count, sys.byteorder)) for site, count in zip(counters.sites, counts, strict=False))

    def _section(self, variable: Variable) -> bytes:
        data = self._holder(variable).lookup(_DATA_KEY)
        assert data is not None  # an array always has its entries
        return data

    def _holder(self, variable: Variable) -> MapAccess:
        access = self._maps.get(variable.map)
        if access is None:
            raise InputError(f"{variable.name} is a variable of the object, but this program does not use it")
        return access

    def _name(self, key: object) -> str:
        name = key if isinstance(key, str) else getattr(key, "name", None)
        if not isinstance(name, str):
            raise InputError(f"{key!r} names no map and no variable", hint="give a name, or a Config, State or map of the module")
        return name

    def _unknown(self, name: str) -> InputError:
        names = self.names()
        near = get_close_matches(name, names, n=1)
        known = f"it has: {', '.join(names)}" if names else "it has none"
        return InputError(f"the program has no variable or map {name!r}", hint=f"did you mean {near[0]}?" if near else known)


@runtime_checkable
class _StructClass(Protocol):
    """An author's class of structs (`dsl.surface.structs.Struct`)."""

    def of_fields(self, values: Mapping[str, Any]) -> object: ...


def _encode(value: object, type_: FieldType | None, size: int, what: str) -> bytes:
    if type_ is not None:
        return encode(type_, value, what)
    if not isinstance(value, bytes) or len(value) != size:
        raise InputError(f"{what}: {value!r} is not {size} bytes", hint="the object does not say the type")
    return value


def _decode(data: bytes, type_: FieldType | None, kind: object = None) -> Any:
    """The value; its Python type follows from the object's, which a type checker cannot know. `kind`: the author's class."""
    if type_ is None:
        return data
    value = decode(type_, data)
    return kind.of_fields(value) if isinstance(type_, StructType) and isinstance(kind, _StructClass) else as_values(type_, value)
