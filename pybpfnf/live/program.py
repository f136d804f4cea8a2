"""The variables, maps and fault counts of one running program."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, final, overload, runtime_checkable

from pybpfnf.abi.maps import MAP_TYPES
from pybpfnf.errors import InputError
from pybpfnf.image.meta import PREFIX
from pybpfnf.image.model import FaultSite, ObjectImage, Role, Variable
from pybpfnf.live.changes import Change, Undo, entry_of, make_all
from pybpfnf.live.entries import Entries, LiveArray, LiveHash
from pybpfnf.live.events import LiveEvents
from pybpfnf.live.programs import LivePrograms
from pybpfnf.live.queues import LiveQueue
from pybpfnf.live.tries import LiveTrie, is_of_addresses
from pybpfnf.records import dataclass
from pybpfnf.runner import EventAccess, MapAccess, QueueAccess
from pybpfnf.types.values import decode, encode

if TYPE_CHECKING:
    from pybpfnf.dsl.surface.events import PerfEventArray, RingBuf
    from pybpfnf.dsl.surface.hashes import HashDefinition
    from pybpfnf.dsl.surface.queues import QueueDefinition
    from pybpfnf.dsl.surface.stores import Array
    from pybpfnf.dsl.surface.structs import Struct
    from pybpfnf.dsl.surface.tails import ProgArray
    from pybpfnf.dsl.surface.tries import LpmTrie

K = TypeVar("K")
V = TypeVar("V")
R = TypeVar("R", bound="Struct")
Scalar = TypeVar("Scalar", int, bool, IPv6Address)

_DATA_KEY = bytes(4)  # a data section is an array of one value
_QUEUES = frozenset({"queue", "stack"})
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


@final
@dataclass(frozen=True, slots=True)
class _VariableChange:
    """A State as bytes, to be written."""

    live: Live
    variable: Variable
    data: bytes

    def make(self) -> Undo:
        before = self.live._bytes(self.variable)
        self.live._write(self.variable, self.data)
        return lambda: self.live._write(self.variable, before)


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
    def __getitem__(self, key: LpmTrie[V]) -> LiveTrie[V]: ...
    @overload
    def __getitem__(self, key: QueueDefinition[V]) -> LiveQueue[V]: ...
    @overload
    def __getitem__(self, key: RingBuf[R] | PerfEventArray[R]) -> LiveEvents[R]: ...
    @overload
    def __getitem__(self, key: ProgArray[Any]) -> LivePrograms: ...
    @overload
    def __getitem__(self, key: Scalar) -> Scalar: ...  # to a type checker a State or Config is its value
    def __getitem__(self, key: object) -> Any:
        """A variable's value, or what shows a map of its kind. Raises InputError for what the program does not have."""
        name = self._name(key)
        variable = self._image.variables.get(name)
        if variable is not None:
            return decode(variable.type, self._bytes(variable))
        access = self._maps.get(name)
        if access is None or access.spec.initial is not None:
            raise self._unknown(name)
        return _opened(access, getattr(key, "key_class", None), getattr(key, "value_class", None))

    def __setitem__(self, key: object, value: object) -> None:
        """Change a State while packets flow; the value as itself or as text (`"0x10"`, `"fc00::1"`)."""
        self._change(self._name(key), value).make()

    def update(self, changes: Mapping[str, object]) -> None:
        """Change several States and entries of maps (`allowed[fd00::1]`, the key as text), none where one of the changes cannot be made."""
        make_all([self._change(name, value) for name, value in changes.items()])

    def remove(self, entries: Iterable[str]) -> None:
        """Take several entries of maps away (`allowed[fd00::1]`), none where one cannot be."""
        make_all([self._entries(name).removed(key) for name, key in map(self._entry, entries)])

    def _entry(self, text: str) -> tuple[str, str]:
        found = entry_of(text)
        if found is None:
            raise InputError(f"{text!r} is no entry of a map", hint="name one: 'NAME[KEY]'")
        return found

    def _entries(self, name: str) -> Entries[Any, Any]:
        """A map that has entries to change; raises InputError for another."""
        if name in self._image.variables:
            raise InputError(f"{name} is a variable: it has no entries")
        found = self[name]
        if not isinstance(found, Entries):
            raise InputError(f"map {name} is a {found.spec.type}, which has no entries to change")
        return found

    def _change(self, name: str, value: object) -> Change:
        entry = entry_of(name)
        if entry is not None:
            return self._entries(entry[0]).changed(entry[1], value)
        variable = self._image.variables.get(name)
        if variable is None:
            if name in self._maps:
                raise InputError(f"{name} is a map", hint=f"set an entry of it: {self._entries(name).usage}")
            raise self._unknown(name)
        if variable.role is not Role.STATE:
            raise InputError(f"{name} is a Config: it is constant once the program is loaded", hint="give it when you load or attach")
        self._holder(variable)
        return _VariableChange(self, variable, encode(variable.type, value, name))

    def _write(self, variable: Variable, data: bytes) -> None:
        access = self._holder(variable)
        if isinstance(access, Patchable):
            access.patch(variable.offset, data)
            return
        whole = self._section(variable)
        access.update(_DATA_KEY, whole[: variable.offset] + data + whole[variable.offset + variable.size :])

    def names(self) -> tuple[str, ...]:
        """What can be asked for: variables, then maps; not what the compiler made for itself."""
        maps = [name for name, access in self._maps.items() if access.spec.initial is None and name not in self._image.variables]
        return (*self._image.variables, *(name for name in maps if not name.startswith(PREFIX)))

    def faults(self) -> tuple[FaultCount, ...]:
        """How often each fault exit was taken since the program was loaded; empty where the object does not count them."""
        counters = self._image.faults
        if counters is None:
            return ()
        data = self._maps[counters.map].lookup(_DATA_KEY) or b""
        counts = (data[at : at + _COUNTER_SIZE] for at in range(counters.offset, len(data), _COUNTER_SIZE))
        return tuple(FaultCount(site, int.from_bytes(count, sys.byteorder)) for site, count in zip(counters.sites, counts, strict=False))

    def _bytes(self, variable: Variable) -> bytes:
        return self._section(variable)[variable.offset : variable.offset + variable.size]

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


def _opened(access: MapAccess, key_class: object, value_class: object) -> Any:
    """What shows the map, by its type. Raises InputError for one that has nothing to show."""
    spec, row = access.spec, MAP_TYPES[access.spec.type]
    if spec.type in _QUEUES and isinstance(access, QueueAccess):
        return LiveQueue(access, value_class)
    if row.of_records and isinstance(access, EventAccess):
        return LiveEvents(access, value_class)
    if spec.type == "prog_array":
        return LivePrograms(access)
    if not row.has_keys:
        raise InputError(f"map {spec.name} is a {spec.type}, which has no keys to read")
    if row.indexed:
        return LiveArray(access, key_class, value_class)
    if spec.type == "lpm_trie" and is_of_addresses(spec):
        return LiveTrie(access, key_class, value_class)
    return LiveHash(access, key_class, value_class)
