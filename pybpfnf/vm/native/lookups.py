"""Maps that machine code can look into: the elements of arrays, and of hashes the keys that were found lately."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from typing import final

from pybpfnf.vm.maps import ArrayMap, HashMap, PercpuArrayMap, PercpuHashMap, VmMap
from pybpfnf.vm.native.layout import FOUND_KEYS, FOUND_SIZE, LONGEST_KEY, MAP_SETS, MAP_WORDS, MapKind, key_place, map_index
from pybpfnf.vm.native.regions import bytes_address

_MOST_ELEMENTS = 1024  # of an array whose addresses are all worked out beforehand


@final
class Lookups:
    """The table of a session's maps, for `fast_helpers.map_lookup_elem`. A map that has no place in it is looked into by the reference."""

    def __init__(self, maps: Iterable[VmMap]) -> None:
        self.table = (ctypes.c_uint64 * (MAP_SETS * MAP_WORDS))()
        self._kept: list[object] = []
        for map_ in maps:
            at = map_index(map_.handle >> 32)
            if self.table[at]:
                continue  # the place is taken
            if type(map_) in (ArrayMap, PercpuArrayMap) and map_.spec.max_entries <= _MOST_ELEMENTS:
                addresses = _addresses(map_)
                self._enter(at, map_, MapKind.ARRAY, ctypes.addressof(addresses))
                self._kept.append(addresses)
            elif isinstance(map_, HashMap) and type(map_) in (HashMap, PercpuHashMap) and map_.spec.key_size <= LONGEST_KEY:
                found = FoundKeys()
                map_.watch = found
                self._enter(at, map_, MapKind.HASH, bytes_address(found.entries))
                self._kept.append(found.entries)

    def _enter(self, at: int, map_: VmMap, kind: MapKind, contents: int) -> None:
        size = map_.spec.max_entries if kind is MapKind.ARRAY else map_.spec.key_size
        self.table[at : at + MAP_WORDS] = [map_.handle >> 32, kind, size, contents]


def _addresses(map_: VmMap) -> ctypes.Array[ctypes.c_uint64]:
    elements = map_.spec.max_entries
    return (ctypes.c_uint64 * elements)(*(map_.find(index.to_bytes(4, "little")) for index in range(elements)))


@final
class FoundKeys:
    """Keys of one hash with the addresses of their values, each in the one place that its bytes give it. The hash tells what it finds and
    what goes (`maps.Watch`)."""

    def __init__(self) -> None:
        self.entries = bytearray(FOUND_KEYS * FOUND_SIZE)

    def found(self, key: bytes, address: int) -> None:
        at = key_place(key) * FOUND_SIZE
        self.entries[at : at + FOUND_SIZE] = key.ljust(LONGEST_KEY, b"\0") + address.to_bytes(8, "little")

    def gone(self, key: bytes) -> None:
        at = key_place(key) * FOUND_SIZE
        if self.entries[at : at + len(key)] == key:
            self.entries[at + LONGEST_KEY : at + FOUND_SIZE] = bytes(8)
