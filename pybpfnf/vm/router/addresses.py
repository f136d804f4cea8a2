"""A router's own addresses, and which of them a packet of its own is from (RFC 6724; net/ipv6/addrconf.c, ipv6_dev_get_saddr)."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network
from typing import final

from pybpfnf.errors import InputError

# The kernel's labels (net/ipv6/addrlabel.c) for what a router here can have.
_LABELS = ((IPv6Network("fc00::/7"), 5), (IPv6Network("2002::/16"), 2), (IPv6Network("2001::/32"), 6), (IPv6Network("::/0"), 1))
_LINK_LOCAL, _GLOBAL = 2, 14


@final
class Addresses:
    def __init__(self) -> None:
        self._own: list[tuple[IPv6Address, int, str]] = []

    def add(self, address: IPv6Address, length: int, device: str) -> None:
        if any(address == each and device == other for each, _, other in self._own):
            raise InputError(f"{device} has the address {address} already")
        self._own.append((address, length, device))

    def remove(self, address: IPv6Address, device: str) -> None:
        for each in self._own:
            if each[0] == address and each[2] == device:
                self._own.remove(each)
                return
        raise InputError(f"{device} has no address {address}")

    def has(self, address: IPv6Address, device: str | None = None) -> bool:
        """Whether it is one of the router's own, of any device; a link-local one of that device, where it is said (`ipv6_chk_addr`)."""
        wanted = device if address.is_link_local else None
        return any(address == each and wanted in (None, of) for each, _, of in self._own)

    def has_anycast(self, address: IPv6Address) -> bool:
        """Whether it is the anycast address of the routers in a prefix of its own (RFC 4291 section 2.6.1)."""
        return any(address == anycast(each, length) for each, length, _ in self._own)

    def source_for(self, destination: IPv6Address, device: str | None) -> IPv6Address:
        """`::` where there is no address at all; the first that was added of those that are equally good."""
        best, score = IPv6Address(0), (-1, False, False, -1)
        for address, length, own in self._own:
            new = (
                _scope_fits(address, destination),
                own == device,
                _label(address) == _label(destination),
                min(length, _common(address, destination)),
            )
            if new > score:
                best, score = address, new
        return best


def anycast(address: IPv6Address, length: int) -> IPv6Address | None:
    """Of the prefix that has the address; None where it has no room for one (net/ipv6/anycast.c, addrconf_join_anycast)."""
    return IPv6Network((address, length), strict=False).network_address if length < 127 else None


def _scope_fits(address: IPv6Address, destination: IPv6Address) -> int:
    """2 for the same scope, 1 for a wider one, 0 for one too narrow."""
    own, wanted = _scope(address), _scope(destination)
    return 2 if own == wanted else int(own > wanted)


def _scope(address: IPv6Address) -> int:
    return _LINK_LOCAL if address.is_link_local or address.is_loopback else _GLOBAL


def _label(address: IPv6Address) -> int:
    return next(label for prefix, label in _LABELS if address in prefix)


def _common(one: IPv6Address, other: IPv6Address) -> int:
    """Bits that both begin with."""
    return 128 - (int(one) ^ int(other)).bit_length()
