"""Live tries: values by prefix, found by the longest that matches (kernel/bpf/lpm_trie.c)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import TypeAlias, TypeVar, final

from pybpfnf.errors import InputError
from pybpfnf.image.model import MapSpec
from pybpfnf.live.entries import LiveMapping

V = TypeVar("V")
Network: TypeAlias = IPv6Network | IPv4Network
Prefix: TypeAlias = Network | IPv6Address | IPv4Address | str
"""A prefix, or an address, which is the prefix of all its bits; either as text too (`"fc00::/16"`)."""

_LENGTH_SIZE = 4  # struct bpf_lpm_trie_key_u8: prefixlen, a u32 of the host, before the prefix in network order
_VERSIONS = {4: 4, 16: 6}  # bytes of an address: the version of IP


def is_of_addresses(spec: MapSpec) -> bool:
    """Whether the keys are prefixes of IP addresses, by their size."""
    return spec.key_size - _LENGTH_SIZE in _VERSIONS


@final
class LiveTrie(LiveMapping[Prefix, V]):
    """A live trie. Reading finds the longest prefix that all of the given address or prefix is in; `t[k] = v` and `del t[k]` are of
    exactly that prefix. Iteration gives the prefixes, as networks."""

    def _encode_key(self, key: Prefix) -> bytes:
        network = self._network(key)
        return network.prefixlen.to_bytes(_LENGTH_SIZE, "little") + network.network_address.packed

    @property
    def _key_written(self) -> str:
        return f"an IPv{_VERSIONS[self.spec.key_size - _LENGTH_SIZE]} prefix"

    def _key_of_text(self, text: str) -> bytes:
        return self._encode_key(text)

    def _decode_key(self, data: bytes) -> Network:
        # The kernel keeps the bits after the prefix as they were given; they mean nothing.
        length, address = int.from_bytes(data[:_LENGTH_SIZE], "little"), data[_LENGTH_SIZE:]
        network = IPv6Network if _VERSIONS[len(address)] == 6 else IPv4Network
        return network((address, length), strict=False)

    def _network(self, key: Prefix) -> Network:
        version = _VERSIONS[self.spec.key_size - _LENGTH_SIZE]
        try:
            network = ip_network(key)
        except ValueError as error:
            raise InputError(f"map {self.spec.name}, key: {key!r} is no prefix: {error}") from None
        if network.version != version:
            raise InputError(f"map {self.spec.name}, key: {key} is no prefix of IPv{version}")
        if isinstance(network.network_address, IPv6Address) and network.network_address.scope_id is not None:
            raise InputError(f"map {self.spec.name}, key: {key} has a zone, which a prefix has not")
        return network
