"""Addresses, prefixes and sysctls as files write them. Where an address is asked for, a node's name stands for its first one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from ipaddress import IPv4Address, IPv6Address, IPv6Interface, IPv6Network
from typing import final

from pybpfnf.errors import InputError
from pybpfnf.lab.tables import array, integer, mapping, text


@final
class Addresses:
    """The addresses of a topology's nodes, by name."""

    def __init__(self, known: Mapping[str, tuple[IPv6Interface, ...]]) -> None:
        self._known = known

    def address(self, value: object) -> IPv6Address:
        """An address, or the first one of a node; raises InputError, as all here do."""
        written = text(value)
        if written in self._known:
            if not self._known[written]:
                raise InputError(f"`{written}` has no address of its own", hint="give it one, or leave out its `addresses`")
            return self._known[written][0].ip
        try:
            return IPv6Address(written)
        except ValueError:
            close = get_close_matches(written, self._known, 1)
            hint = f"did you mean `{close[0]}`?" if close else f"the nodes are: {', '.join(self._known)}"
            raise InputError(f"`{written}` is neither an IPv6 address nor a node", hint=hint) from None

    def prefix(self, value: object) -> IPv6Network:
        """A prefix, `default`, or a node: the prefix of its first address."""
        written = text(value)
        if written == "default":
            return IPv6Network("::/0")
        return IPv6Network(self.address(written)) if written in self._known else prefix(written)

    def segments(self, value: object) -> tuple[IPv6Address, ...]:
        """In the order of travel."""
        found = tuple(self.address(each) for each in array(value))
        if not found:
            raise InputError("no segments")
        return found


def interface(value: object) -> IPv6Interface:
    """An address with a length; without one it stands for itself (/128)."""
    written = text(value)
    try:
        return IPv6Interface(written)
    except ValueError:
        raise InputError(f"`{written}` is not an IPv6 address, with a length or without", hint="as in `fd00:1::1/64`") from None


def prefix(value: object) -> IPv6Network:
    written = text(value)
    try:
        found = IPv6Network(written, strict=False)
    except ValueError:
        raise InputError(f"`{written}` is not an IPv6 prefix", hint="as in `fd00:1::/64`") from None
    if IPv6Address(written.partition("/")[0]) != found.network_address:
        raise InputError(f"`{written}` has bits behind its length", hint=f"write `{found}`")
    return found


def ipv4(value: object) -> IPv4Address:
    written = text(value)
    try:
        return IPv4Address(written)
    except ValueError:
        raise InputError(f"`{written}` is not an IPv4 address") from None


def sysctls(value: object) -> tuple[tuple[str, int], ...]:
    """By their path below /proc/sys/net: the names of a table as `sysctl` has them, `net.` in front, divided by dots. A name in quotes may
    be divided by slashes, for devices' names that have dots."""
    return tuple(_below((), mapping(value)))


def _below(names: tuple[str, ...], values: Mapping[str, object]) -> Iterator[tuple[str, int]]:
    for name, value in values.items():
        whole = (*names, *(name.split("/") if "/" in name else name.split(".")))
        if isinstance(value, dict):
            yield from _below(whole, value)
        elif whole[0] != "net" or len(whole) < 3 or not all(whole) or ".." in whole:
            raise InputError(f"`{'.'.join(whole)}` is no setting of the network", hint="as in net.ipv6.conf.all.seg6_enabled = 1")
        else:
            yield "/".join(whole[1:]), integer(value)
