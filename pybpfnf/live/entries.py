"""Live arrays and hashes: the entries of a map by index or by key."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, MutableMapping
from typing import Any, Generic, TypeVar, final

from pybpfnf.abi.maps import MAP_TYPES
from pybpfnf.errors import InputError
from pybpfnf.live.changes import EntryChange
from pybpfnf.live.codec import codec_of
from pybpfnf.runner import MapAccess
from pybpfnf.types.layout import StructType

K = TypeVar("K")
V = TypeVar("V")
_MISSING: Any = object()  # an argument that was not given


class Entries(ABC, Generic[K, V]):
    """What arrays and hashes have in common: typed values, and a sum where each CPU has its own."""

    def __init__(self, access: MapAccess, key_class: object = None, value_class: object = None) -> None:
        """`key_class`, `value_class`: what the author wrote as types, where it is known."""
        self.spec = access.spec
        self._access = access
        self._is_per_cpu = MAP_TYPES[self.spec.type].per_cpu
        self._keys = codec_of(self.spec.key_type, self.spec.key_size, f"map {self.spec.name}, key", key_class)
        self._values = codec_of(self.spec.value_type, self.spec.value_size, f"map {self.spec.name}, value", value_class)

    def __getitem__(self, key: K) -> V:
        """The value; the sum over all CPUs where each has its own, of a struct field by field. Raises KeyError or IndexError when it
        is missing and the map has no default."""
        data = self._access.lookup(self._encode_key(key))
        if data is None:
            return self._without_entry(key)
        value: V = self._value(data)
        return value

    def __setitem__(self, key: K, value: V) -> None:
        """On a per-CPU map the first CPU gets the value and the others zero, so that the sum is what was written."""
        self._access.update(self._encode_key(key), self._values.encode(value).ljust(self._access.value_size, b"\0"))

    def changed(self, key: str, value: object) -> EntryChange:
        """The change of one entry: its key as text, its value as itself or as text. Raises InputError for what is none."""
        data = self._values.of_text(value) if isinstance(value, str) else self._values.encode(value)
        return EntryChange(self._access, self._key_of_text(key), data.ljust(self._access.value_size, b"\0"))

    def removed(self, key: str) -> EntryChange:
        """The removal of one entry. Raises InputError where there is none, or where the map has entries that stay."""
        raise InputError(f"map {self.spec.name} has type {self.spec.type}: its entries stay", hint=f"set one: {self.usage}")

    @property
    def usage(self) -> str:
        """How an entry is set on a command line."""
        name = self.spec.name
        return f"'{name}[KEY]=VALUE', where KEY is {self._key_written} and VALUE {self._values.written}"

    @property
    def _key_written(self) -> str:
        return self._keys.written

    def _key_of_text(self, text: str) -> bytes:
        return self._keys.of_text(text)

    def per_cpu(self, key: K) -> list[V]:
        """The value of each CPU, in the order of their numbers; one value where the CPUs share it. Raises KeyError or IndexError."""
        data = self._access.lookup(self._encode_key(key))
        if data is None:
            raise self._missing(key)
        return [self._values.decode(each) for each in self._copies(data)]

    @abstractmethod
    def __len__(self) -> int: ...

    def _value(self, data: bytes) -> Any:
        copies = self._copies(data)
        return self._values.decode(copies[0]) if len(copies) == 1 else self._values.total(copies)

    def _copies(self, data: bytes) -> list[bytes]:
        """Each CPU's value, which bpf(2) pads to 8 bytes."""
        size = self.spec.value_size
        starts = range(0, len(data), (size + 7) // 8 * 8) if self._is_per_cpu else (0,)
        return [data[start : start + size] for start in starts]

    def _without_entry(self, key: K) -> V:
        """What a missing key reads as."""
        raise self._missing(key)

    @abstractmethod
    def _missing(self, key: K) -> LookupError: ...

    def _encode_key(self, key: K) -> bytes:
        return self._keys.encode(key)


@final
class LiveArray(Entries[int, V]):
    """A live array: `a[0]`, `len(a)`, and its values one after the other when iterated."""

    def __len__(self) -> int:
        return self.spec.max_entries

    def __iter__(self) -> Iterator[V]:
        return (self[index] for index in range(len(self)))

    @property
    def _key_written(self) -> str:
        return f"an index from 0 to {self.spec.max_entries - 1}"

    def _key_of_text(self, text: str) -> bytes:
        try:
            return self._encode_key(int(text, 0))
        except (ValueError, IndexError):
            raise InputError(f"map {self.spec.name}, index: {text!r} is not {self._key_written}") from None

    def _missing(self, key: int) -> LookupError:
        return IndexError(f"index {key} is out of range: map {self.spec.name} has {self.spec.max_entries} entries")

    def _encode_key(self, key: int) -> bytes:
        if not 0 <= key < self.spec.max_entries:
            raise self._missing(key)
        return super()._encode_key(key)


class LiveMapping(Entries[K, V], MutableMapping[K, V]):
    """Entries by keys that come and go, as a dict. Programs may change it meanwhile.

    `m[k]` is what it is in a function: of a missing key the map's default, where it has one, else a KeyError. What is there is
    what `k in m`, `m.get(k)`, `len(m)` and iteration say: reading a default makes no entry.
    """

    def __len__(self) -> int:
        return sum(1 for _ in self._access.keys())  # noqa: SIM118 an access is no dict

    def __iter__(self) -> Iterator[K]:
        return (self._decode_key(key) for key in self._access.keys())  # noqa: SIM118 an access is no dict

    def __contains__(self, key: object) -> bool:
        given: Any = key
        return self._access.lookup(self._encode_key(given)) is not None

    def __delitem__(self, key: K) -> None:
        if not self._access.delete(self._encode_key(key)):
            raise self._missing(key)

    def removed(self, key: str) -> EntryChange:
        change = EntryChange(self._access, self._key_of_text(key), None)
        if change.current() is None:
            raise InputError(f"map {self.spec.name} has no entry {key}")
        return change

    def get(self, key: K, default: Any = None) -> Any:
        """The value, or `default` (not the map's) where there is none."""
        data = self._access.lookup(self._encode_key(key))
        return default if data is None else self._value(data)

    def pop(self, key: K, default: Any = _MISSING) -> Any:
        """The value, and the entry is gone; `default` where there is none, or a KeyError."""
        found = self.get(key, _MISSING)
        if found is not _MISSING and self._access.delete(self._encode_key(key)):
            return found
        if default is _MISSING:
            raise self._missing(key)
        return default

    def setdefault(self, key: K, default: Any = None) -> Any:
        """The value, which is now `default` where there was none."""
        found = self.get(key, _MISSING)
        if found is _MISSING:
            self[key] = found = default
        return found

    def _without_entry(self, key: K) -> V:
        default = self.spec.default
        if default is None:
            raise self._missing(key)
        is_struct = isinstance(self.spec.value_type, StructType)
        data = bytes.fromhex(str(default)) if is_struct else self._values.encode(default)
        value: V = self._values.decode(data)
        return value

    def _missing(self, key: K) -> LookupError:
        return KeyError(key)

    def _decode_key(self, data: bytes) -> K:
        key: K = self._keys.decode(data)
        return key


@final
class LiveHash(LiveMapping[K, V]):
    """A live hash of any kind: `h[k]`, `h.get(k)`, `k in h`, `del h[k]`, `h.items()`."""
