"""A router of two devices in a namespace of its own, as the runner needs it: any packet that comes in at `in0` goes out at `out0`.

    wire  ->  feed0 = in0  [ the SID's End.BPF route, and default routes ]  out0 = sink0  ->  wire

All four devices are in one namespace, so that a packet keeps its mark across the pairs. `out0` needs no neighbours
(IFF_NOARP) and no gateway, so every destination has a way out. Nothing but forwarded packets leaves: no neighbour or
router discovery, no multicast reports, and a routing rule that gives the router's own packets (ICMP errors) no route.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterable
from contextlib import ExitStack
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network
from types import TracebackType
from typing import Self, final

from pybpfnf.errors import InputError, KernelError
from pybpfnf.kernel import links, netns, routes, seg6
from pybpfnf.kernel.devices import Devices
from pybpfnf.kernel.links import IFF_MULTICAST, IFF_NOARP, IFF_UP, MAIN_TABLE, Network
from pybpfnf.kernel.netlink import Netlink
from pybpfnf.kernel.netns import Namespace, set_sysctl
from pybpfnf.kernel.offload import offload_of
from pybpfnf.kernel.wire import Wire
from pybpfnf.runner import Environment

_LOCAL_TABLE = 255
IN, OUT, _FEED, _SINK = "in0", "out0", "feed0", "sink0"
_MACS = {IN: "02:00:00:00:00:01", OUT: "02:00:00:00:00:02", _FEED: "02:00:00:00:00:03", _SINK: "02:00:00:00:00:04"}
_PATIENCE, _PAUSE = 5.0, 0.0002  # seconds
_LOOPBACK = 1  # without it, packets to the router's own address would pass on
# The largest that a veth takes: no packet that the program grows is too big.
_MTU = 65535
_EVERYTHING: tuple[Network, ...] = (IPv6Network("::/0"), IPv4Network("0.0.0.0/0"))
# The packet that marks the end of a run: from and to addresses of nobody (RFC 4193), no next header, a text of its own.
_FLUSH_SOURCE, _FLUSH_TARGET = IPv6Address("fd70:7962:7066:6e66::1"), IPv6Address("fd70:7962:7066:6e66::2")
_FLUSH_TEXT = b"pybpfnf: end of run "
_NO_NEXT_HEADER = 59
# Tables that the kernel has always or that only it may fill; the others exist when they have a route.
_KERNELS_TABLES = frozenset({0, MAIN_TABLE, _LOCAL_TABLE})
# Set before there are devices, so that each starts with them. No link-local addresses: they would announce themselves.
_SYSCTLS = (
    ("ipv6/conf/default/addr_gen_mode", 1),
    ("ipv6/conf/default/accept_ra", 0),
    ("ipv6/conf/default/router_solicitations", 0),
    ("ipv4/conf/default/rp_filter", 0),
    ("ipv4/conf/all/rp_filter", 0),
    ("ipv4/ip_forward", 1),
)


@final
class Router:
    """Built from an Environment; everything vanishes when it is closed."""

    def __init__(self, environment: Environment) -> None:
        with ExitStack() as stack:
            self.namespace = stack.enter_context(Namespace())
            with self.namespace.entered():
                self.netlink = stack.enter_context(Netlink())
                self.out_index = _build(self.netlink, environment)
                self.devices = stack.enter_context(Devices(self.netlink, environment))
                self.wire = stack.enter_context(Wire(_FEED, _SINK, _MACS[IN], _flush_packet(), environment.mark, offload_of(environment)))
            self._stack = stack.pop_all()

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.close()


def _build(netlink: Netlink, environment: Environment) -> int:
    """Devices, addresses, settings and routes; the index of the outgoing device."""
    for name, value in _SYSCTLS:
        set_sysctl(name, value)
    address = environment.device_address
    if address.is_multicast or address.is_unspecified or address.is_loopback:
        raise InputError(f"the outgoing device cannot have the address {address}")
    in_index, out_index, feed, sink = _add_devices(netlink, environment.ifindex)
    # Only now: a forwarding device that is still multicast would join the group of all routers, and report it.
    set_sysctl("ipv6/conf/all/forwarding", 1)
    set_sysctl(f"ipv6/conf/{IN}/seg6_require_hmac", environment.require_hmac)
    set_sysctl("ipv6/conf/all/seg6_require_hmac", environment.require_hmac)
    set_sysctl("ipv6/seg6_flowlabel", environment.flowlabel)
    # The kernel lets the second of a pair send at once, the first only after a deferred work (net/core/link_watch.c):
    # so those that send, feed0 and out0, come second.
    for index in (_LOOPBACK, in_index, sink, feed, out_index):
        links.set_flags(netlink, index, IFF_UP, IFF_UP)
    links.add_address(netlink, out_index, address, 128)
    wait_for_address(netlink, address)
    links.forbid_own_packets(netlink)
    _add_routes(netlink, environment, out_index)
    for number, key in environment.hmac_keys.items():
        seg6.set_hmac_key(number, key)
    if not environment.tunnel_source.is_unspecified:
        seg6.set_tunnel_source(environment.tunnel_source)
    return out_index


def wait_for_address(netlink: Netlink, address: IPv6Address) -> None:
    """Until the address is one to send from: the kernel makes it valid, and then a local route for it, in a deferred work
    (net/ipv6/addrconf.c, addrconf_dad_work), also without duplicate address detection."""
    deadline = time.monotonic() + _PATIENCE
    while all(route.prefix != IPv6Network(address) for route in routes.routes(netlink, table=_LOCAL_TABLE)):
        if time.monotonic() > deadline:
            raise KernelError(f"the address {address} does not become usable", errno=errno.ETIMEDOUT)
        time.sleep(_PAUSE)


def _add_devices(netlink: Netlink, in_index: int) -> tuple[int, int, int, int]:
    """Both pairs, still down; their indexes: in, out, feed, sink."""
    if in_index < 2:
        raise InputError(f"the incoming device cannot have the index {in_index}", hint="1 is lo; give 2 or more")
    out_index, feed, sink = in_index + 1, in_index + 2, in_index + 3
    links.add_veth(netlink, IN, in_index, _FEED, feed, mac=_MACS[IN], peer_mac=_MACS[_FEED], mtu=_MTU)
    links.add_veth(netlink, OUT, out_index, _SINK, sink, mac=_MACS[OUT], peer_mac=_MACS[_SINK], mtu=_MTU)
    for index in (in_index, out_index, feed, sink):
        links.set_flags(netlink, index, IFF_NOARP, IFF_NOARP | IFF_MULTICAST)
    for name in (_FEED, _SINK):
        netns.set_sysctl(f"ipv6/conf/{name}/disable_ipv6", 1)
    return in_index, out_index, feed, sink


def _add_routes(netlink: Netlink, environment: Environment, out_index: int) -> None:
    holes = [ip_network(prefix) for prefix in environment.unreachable]
    reachable = [prefix for everything in _EVERYTHING for prefix in without(everything, holes)]
    for table in [MAIN_TABLE, *sorted(environment.tables - _KERNELS_TABLES)]:
        for prefix in reachable:
            links.add_route(netlink, prefix, out_index, table=table)
    links.add_route(netlink, IPv6Network(_FLUSH_TARGET), out_index)


def without(whole: Network, holes: Iterable[Network]) -> list[Network]:
    """The prefixes that cover `whole` but for the holes: a route with an error would answer another errno than no route."""
    parts = [whole]
    for hole in holes:
        parts = [rest for part in parts for rest in _cut(part, hole)]
    return parts


def _cut(part: Network, hole: Network) -> list[Network]:
    if isinstance(part, IPv4Network) and isinstance(hole, IPv4Network):
        return [] if hole.supernet_of(part) else list(part.address_exclude(hole)) if hole.subnet_of(part) else [part]
    if isinstance(part, IPv6Network) and isinstance(hole, IPv6Network):
        return [] if hole.supernet_of(part) else list(part.address_exclude(hole)) if hole.subnet_of(part) else [part]
    return [part]


def _flush_packet() -> bytes:
    """The packet up to the number of the run, which the wire adds."""
    length = len(_FLUSH_TEXT) + Wire.NUMBER_SIZE
    header = (6 << 28).to_bytes(4, "big") + length.to_bytes(2, "big") + bytes([_NO_NEXT_HEADER, 64])
    return header + _FLUSH_SOURCE.packed + _FLUSH_TARGET.packed + _FLUSH_TEXT
