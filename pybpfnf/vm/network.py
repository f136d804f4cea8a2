"""What the router's FIB says to the seg6 code: an error, the function itself, or onwards. As far as an Environment describes it, here;
`router` has a whole one.

Which device a packet leaves by is not known here; whether the look-up that the hook makes succeeds is.
"""

from __future__ import annotations

import errno
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol, final

from pybpfnf.runner import Environment
from pybpfnf.vm.dst import Route
from pybpfnf.vm.ip import Address
from pybpfnf.vm.ipv4 import is_forwardable
from pybpfnf.vm.skb import Skb

# RT_TABLE_*, include/uapi/linux/rtnetlink.h. Table 0 stands for a look-up by the ordinary rules.
_ORDINARY, _MAIN, RT_TABLE_LOCAL = 0, 254, 255


class Network(Protocol):
    """The router that a packet is in, as the seg6 and tunnel code asks about it."""

    def lookup(self, skb: Skb, sid: Address, address: Address, table: int, oif: str | None = None) -> Route:
        """`seg6_lookup_nexthop`: where `address` leads by a table, 0 for the ordinary rules; never to the router itself. With `oif`, by
        that device alone, as for a packet of the router's own. `sid` is the one that the packet is at."""
        ...

    def tunnel_source(self, skb: Skb, destination: IPv6Address) -> IPv6Address:
        """`set_tun_src` (net/ipv6/seg6_iptunnel.c): the source of an outer header to `destination`."""
        ...


@final
class Described:
    """The router that an Environment describes."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def lookup(self, skb: Skb, sid: Address, address: Address, table: int, oif: str | None = None) -> Route:
        return lookup(self._environment, sid, address, table)

    def tunnel_source(self, skb: Skb, destination: IPv6Address) -> IPv6Address:
        environment = self._environment
        return environment.tunnel_source if int(environment.tunnel_source) else environment.device_address


def lookup(environment: Environment, sid: Address, address: Address, table: int) -> Route:
    """`seg6_lookup_nexthop` (net/ipv6/seg6_local.c): without local delivery, so the router's own addresses are a black hole."""
    if table not in environment.tables and table != _ORDINARY:
        return Route(-errno.EINVAL, f"there is no routing table {table}")
    if table in (_ORDINARY, RT_TABLE_LOCAL):  # the rules ask the local table first
        local = _local(environment, address)
        if local is not None:
            return local
    if address == sid and table in (_ORDINARY, _MAIN):
        return Route(to_function=True)
    if table == RT_TABLE_LOCAL or environment.is_unreachable(address):
        return _no_route(address)
    return Route()


def _local(environment: Environment, address: Address) -> Route | None:
    """What the local table, or the scope of the address, has to say; None for an address of somewhere else."""
    if isinstance(address, IPv4Address):  # which this router has none of
        return None if is_forwardable(address) else _no_route(address)
    if address == environment.device_address:
        return Route(-errno.EINVAL, f"{address} is the router's own: the seg6 look-up does not deliver locally")
    if address.is_multicast:
        return Route(0, f"{address} is multicast, which is not forwarded")
    # This router has no link-local addresses, and its loopback device is down.
    return _no_route(address) if address.is_link_local or address.is_loopback else None


def _no_route(address: Address) -> Route:
    return Route(-errno.ENETUNREACH, f"there is no route to {address}")
