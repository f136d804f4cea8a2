"""Hash tables as an author writes them: shared by all CPUs or with a value for each, full at some point or dropping old keys."""

from __future__ import annotations

from typing import TypeVar, final

from pybpfnf.abi.maps import MAP_TYPES
from pybpfnf.dsl.surface.definitions import DefinitionError, birthplace, only_compiled
from pybpfnf.dsl.surface.stores import MapDefinition, checked_default, checked_size, checked_stored_type
from pybpfnf.dsl.types import BOOL

K = TypeVar("K")
V = TypeVar("V")


class HashDefinition(MapDefinition[K, V]):
    """What all hash tables have: `m[k]`, `m.get(k)`, `k in m`, `m[k] = v`, `m[k] op= e`, `del m[k]`."""

    def __init__(self, key: type[K], value: type[V], size: int, *, default: V | None = None) -> None:
        owner = type(self).__name__
        self.key = checked_stored_type(key, owner, "key")
        if self.key is BOOL:
            raise DefinitionError(f"{owner}: a bool is no key type", hint="use an Array of two")
        self.value = checked_stored_type(value, owner, "value", locks=self.kind == "hash")
        self.key_class, self.value_class = key, value
        self.size = checked_size(size, owner)
        self.default = None if default is None else checked_default(default, self.value, owner)
        if MAP_TYPES[self.kind].per_cpu and self.default not in (None, 0, bytes(self.value.size)):
            message = f"{owner}: a default is zero here, as a key that one CPU makes has zeros on the others"
            raise DefinitionError(message, hint="write a default of zeros, or ask `m.get(k)`")
        self._birthplace = birthplace()

    def get(self, key: K) -> V | None:
        """The value of `key`, None where it is missing."""
        only_compiled("reading a map")

    def __contains__(self, key: K) -> bool:
        only_compiled("reading a map")

    def __delitem__(self, key: K) -> None:
        only_compiled("writing a map")


@final
class Hash(HashDefinition[K, V]):
    """`Hash(key type, value type, size, default=...)`: at most `size` keys with a value each, shared by all CPUs.

    With `default` a missing key reads as that, and `m[k] += e` creates it; without, `m[k]` is a fault when the key is missing.
    """

    kind = "hash"


@final
class LruHash(HashDefinition[K, V]):
    """`LruHash(key type, value type, size, default=...)`: as Hash, but never full: a new key drops one that was not used for long.

    Which one, and when, is the kernel's choice: with few entries it may drop one before there are `size`. A view's entry may be
    dropped too, by any CPU, and its memory is then another key's.
    """

    kind = "lru_hash"


@final
class PerCpuHash(HashDefinition[K, V]):
    """`PerCpuHash(key type, value type, size, default=...)`: keys as in Hash, with a value of its own for each CPU, so that nothing is
    shared; summed by who reads it. A key that one CPU makes is there for all, with zeros: so `default` is zero.
    """

    kind = "percpu_hash"


@final
class LruPerCpuHash(HashDefinition[K, V]):
    """`LruPerCpuHash(key type, value type, size, default=...)`: a PerCpuHash that drops old keys as LruHash does, each on all CPUs."""

    kind = "lru_percpu_hash"
