"""Tries as an author writes them: values by prefix, found by the longest that matches."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network
from typing import Any, TypeVar, final

from pybpfnf.dsl.surface.definitions import DefinitionError, birthplace, only_compiled
from pybpfnf.dsl.surface.stores import MapDefinition, checked_size, checked_stored_type
from pybpfnf.types.layout import LPM_KEY

V = TypeVar("V")


@final
class LpmTrie(MapDefinition[Any, V]):
    """`LpmTrie(IPv6Address, value type, size)`: at most `size` prefixes with a value each, shared by all CPUs.

    `t[address]` is the value of the longest prefix that the address is in, and a fault where it is in none; `t.get(address)` is None
    there. A function stores and deletes under a prefix: `t[Prefix("fc00::/16")] = v`. `::/0` matches every address.
    """

    kind = "lpm_trie"

    def __init__(self, address: type[IPv6Address], value: type[V], size: int) -> None:
        if address is not IPv6Address:
            raise DefinitionError(f"LpmTrie: {address!r} is no type of addresses", hint="write LpmTrie(IPv6Address, value type, size)")
        self.key = LPM_KEY
        self.value = checked_stored_type(value, "LpmTrie", "value")
        self.key_class, self.value_class = IPv6Network, value
        self.size = checked_size(size, "LpmTrie")
        self.default = None
        self._birthplace = birthplace()

    def get(self, address: IPv6Address) -> V | None:
        """The value of the longest prefix that the address is in, None where it is in none."""
        only_compiled("reading a map")

    def __getitem__(self, address: IPv6Address) -> V:
        only_compiled("reading a map")

    def __contains__(self, address: IPv6Address) -> bool:
        only_compiled("reading a map")

    def __setitem__(self, prefix: IPv6Network | IPv6Address, value: V) -> None:
        """Under a prefix; an address stands for the entry that it matches, in `t[address] += 1`."""
        only_compiled("writing a map")

    def __delitem__(self, prefix: IPv6Network) -> None:
        only_compiled("writing a map")
