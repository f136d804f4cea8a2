"""A planned topology made of namespaces, pairs of devices, addresses, routes and functions, in that order. `lab.start` is what calls this.

namespace r1: r2  <-veth->  r1 :namespace r2                              a link that does nothing to frames, or that netem does
namespace r1: r2  <-veth->  l0e0 :@links: l0e1  <-veth->  r1 :namespace r2     one that the link process does
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from ipaddress import IPv6Address, IPv6Interface
from typing import final

from pybpfnf.held_signals import HeldSignals
from pybpfnf.kernel import links, netns
from pybpfnf.kernel.bpf import Fd
from pybpfnf.kernel.ethtool import turn_off
from pybpfnf.kernel.links import IFF_UP, NEWROUTE
from pybpfnf.kernel.named_netns import create_namespace
from pybpfnf.kernel.netem import add_netem, has_netem
from pybpfnf.kernel.netlink import CREATE, EXCL, Netlink, NetlinkError, explained
from pybpfnf.kernel.netns import Namespace, set_sysctl
from pybpfnf.kernel.router import wait_for_address
from pybpfnf.kernel.seg6 import set_hmac_key, set_tunnel_source
from pybpfnf.kernel.told_routes import route_message
from pybpfnf.lab.bound import Ready, place_of, ready, said_of
from pybpfnf.lab.link_specification import LinkSpecification
from pybpfnf.lab.names import LINKS, namespace_of
from pybpfnf.lab.netem import netem_of
from pybpfnf.lab.plan import Device, Plan, PlannedLink, PlannedNode
from pybpfnf.lab.start_links import start_links
from pybpfnf.lab.topology import Direction
from pybpfnf.routes import Route
from pybpfnf.verbs.attach import attach

NETEM, PROCESS = "netem", "process"
_LOOPBACK = 1
_LINK_LOCAL_LENGTH = 64
# Before there are devices, so that each starts with them: no address of its own accord, nothing asked of routers; every packet
# answered that asks for an ICMP error, where a router of the world would answer some a second.
_NODE_SYSCTLS = (
    ("ipv6/conf/default/addr_gen_mode", 1),
    ("ipv6/conf/default/accept_ra", 0),
    ("ipv6/conf/default/router_solicitations", 0),
    ("ipv6/conf/default/accept_dad", 0),
    ("ipv6/conf/all/seg6_enabled", 1),
    ("ipv6/conf/default/seg6_enabled", 1),
    ("ipv6/conf/lo/seg6_enabled", 1),
    ("ipv6/conf/all/forwarding", 1),
    ("ipv6/conf/default/forwarding", 1),
    ("ipv4/ip_forward", 1),
    ("ipv6/icmp/ratelimit", 0),
)
_LINKS_SYSCTLS = (("ipv6/conf/all/disable_ipv6", 1), ("ipv6/conf/default/disable_ipv6", 1))


def build_programs(plan: Plan) -> Mapping[str, tuple[Ready, ...]]:
    """Of each node; raises CompileError and InputError as building does, before anything is made."""
    return {name: tuple(ready(bound, name, plan) for bound in node.bound) for name, node in plan.nodes.items()}


@final
class Builder:
    """Makes one lab. `created`: the names of the namespaces that it made, which are all that is to be removed."""

    def __init__(self, lab: str, plan: Plan, programs: Mapping[str, tuple[Ready, ...]], means: str | None) -> None:
        self._lab = lab
        self._plan = plan
        self._programs = programs
        self._means = means
        self._stack = ExitStack()
        self._namespaces: dict[str, Namespace] = {}
        self.created: list[str] = []

    def build(self) -> None:
        """All of it; raises an Error, and leaves what it made by then."""
        with self._stack:
            for name in self._plan.nodes:
                self._namespace(name, _NODE_SYSCTLS)
            self._make_links()
            for node in self._plan.nodes.values():
                self._within(node.name, partial(_configure, node=node, plan=self._plan))
            for node in self._plan.nodes.values():
                self._within(node.name, partial(_add_routes, node=node))
            for node in self._plan.nodes.values():
                self._within(node.name, partial(_bind, programs=self._programs[node.name]))

    def _namespace(self, node: str, sysctls: tuple[tuple[str, int], ...]) -> None:
        name = namespace_of(self._lab, node)
        with HeldSignals():
            self._namespaces[node] = self._stack.enter_context(create_namespace(name))
            self.created.append(name)

        def prepare(netlink: Netlink) -> None:
            for each, value in sysctls:
                set_sysctl(each, value)
            links.set_flags(netlink, _LOOPBACK, IFF_UP, IFF_UP)

        self._within(node, prepare)

    def _within(self, node: str, act: Callable[[Netlink], object]) -> None:
        with self._namespaces[node].entered(), Netlink() as netlink, said_of(f"node {node}"):
            act(netlink)

    # ---------------------------------------------------------------------------------------------------------- links

    def _make_links(self) -> None:
        busy = [link for link in self._plan.links if any(device.out != Direction() for _, device in link.ends)]
        means = self._chosen_means() if busy else NETEM
        if means == PROCESS and busy:
            self._namespace(LINKS, _LINKS_SYSCTLS)
        for link in self._plan.links:
            if link in busy and means == PROCESS:
                self._join_by_process(link)
            else:
                self._join(link)
        if means == PROCESS and busy:
            specifications = tuple(_specification(link, self._plan) for link in busy)
            with self._namespaces[LINKS].entered():
                start_links(namespace_of(self._lab, LINKS), specifications)

    def _chosen_means(self) -> str:
        """netem where the kernel has it, unless it was said."""
        if self._means is not None:
            return self._means
        with next(iter(self._namespaces.values())).entered(), Netlink() as netlink:
            return NETEM if has_netem(netlink, _LOOPBACK) else PROCESS

    def _join(self, link: PlannedLink) -> None:
        (first, device), (second, peer) = link.ends
        there = self._namespaces[second].fd
        self._within(first, partial(_add_pair, device=device, peer=peer.name, mac=peer.mac, there=there))
        for name, each in link.ends:
            self._within(name, partial(_bring_up, device=each))

    def _join_by_process(self, link: PlannedLink) -> None:
        there = self._namespaces[LINKS].fd
        for name, device in link.ends:
            self._within(name, partial(_add_pair, device=device, peer=wire_end(device), mac=_far_mac(device), there=there))
            self._within(name, partial(_bring_up, device=device, emulate=False))
            self._within(LINKS, partial(_bring_up_bare, name=wire_end(device)))


def _add_pair(netlink: Netlink, device: Device, peer: str, mac: str, there: Fd) -> None:
    links.add_veth(netlink, device.name, 0, peer, 0, mac=device.mac, peer_mac=mac, mtu=device.mtu, peer_namespace=there)


def wire_end(device: Device) -> str:
    """The device in the links' namespace that is the other end of a node's."""
    return f"l{device.link}e{device.end}"


def _far_mac(device: Device) -> str:
    """Of that: no frame is sent to it."""
    return f"02:00:01{device.mac.removeprefix('02:00:00')}"


def _specification(link: PlannedLink, plan: Plan) -> LinkSpecification:
    (_, first), (_, second) = link.ends
    names = (wire_end(first), wire_end(second))
    return LinkSpecification(link.name, names, first.mtu, plan.topology.seed, (first.out, second.out))


def _bring_up(netlink: Netlink, device: Device, *, emulate: bool = True) -> None:
    index = socket.if_nametoindex(device.name)
    turn_off(index)
    if emulate and device.out != Direction():
        add_netem(netlink, index, netem_of(device.out, device.mtu, f"{device.link}/{device.end}"))
    links.set_flags(netlink, index, IFF_UP, IFF_UP)


def _bring_up_bare(netlink: Netlink, name: str) -> None:
    index = socket.if_nametoindex(name)
    turn_off(index)
    links.set_flags(netlink, index, IFF_UP, IFF_UP)


# -------------------------------------------------------------------------------------------------------------- nodes


def _configure(netlink: Netlink, node: PlannedNode, plan: Plan) -> None:
    """Addresses, neighbours, and what the node is told of itself; waits until the addresses can be sent from."""
    for address in node.addresses:
        _add_address(netlink, _LOOPBACK, address)
    for device in node.devices:
        index = socket.if_nametoindex(device.name)
        for address in (IPv6Interface((device.link_local, _LINK_LOCAL_LENGTH)), *device.addresses):
            _add_address(netlink, index, address)
        peer = plan.links[device.link].ends[1 - device.end][1]
        for known in (peer.link_local, *(each.ip for each in peer.addresses)):
            links.add_neighbour(netlink, index, known, peer.mac)
    for address in (*node.addresses, *(each for device in node.devices for each in device.addresses)):
        wait_for_address(netlink, address.ip)
    if node.tunnel_source is not None:
        set_tunnel_source(node.tunnel_source)
    for number, key in node.hmac_keys:
        set_hmac_key(number, key)
    for name, value in node.sysctls:
        netns.set_sysctl(name, value)


def _add_address(netlink: Netlink, index: int, address: IPv6Interface) -> None:
    links.add_address(netlink, index, IPv6Address(address.ip), address.network.prefixlen)


def _add_routes(netlink: Netlink, node: PlannedNode) -> None:
    """Those that functions are put on too: they keep the next hops."""
    for route in (*node.routes, *(bound.route for bound in node.bound if not bound.is_sid)):
        _add_route(netlink, route)


def _add_route(netlink: Netlink, route: Route) -> None:
    try:
        netlink.send(route_message(route, socket.if_nametoindex, {}).encode(), NEWROUTE, CREATE | EXCL)
    except NetlinkError as error:
        raise explained(f"add the route to {route.prefix}", error) from None


def _bind(_netlink: Netlink, programs: tuple[Ready, ...]) -> None:
    for each in programs:
        route, values = each.bound.route, dict(each.bound.function.values)
        device = route.hops[0].device if each.bound.is_sid else None
        with said_of(place_of(each.bound)):
            attach(each.target, route.prefix, dev=device, table=route.table, program=each.prepared.program.name, config=values)
