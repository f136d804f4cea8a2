"""A topology worked out: of each node its devices with their addresses, and every route with its next hops. What runs it does as it says.

Next hops are link-local addresses with a device. Nothing is found out while it runs: neighbours have the hardware addresses given here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Interface, IPv6Network
from typing import final

from pybpfnf.lab.addressing import addresses_of, link_local, mac
from pybpfnf.lab.check import checked
from pybpfnf.lab.routing import Ways, find_ways
from pybpfnf.lab.topology import Direction, Function, Link, Node, Route, Topology, Via, device_names, link_names
from pybpfnf.records import dataclass
from pybpfnf.routes import MAIN_TABLE, Hop, Seg6
from pybpfnf.routes import Route as Told
from pybpfnf.runner import HmacKey


@final
@dataclass(frozen=True, slots=True)
class Device:
    """A node's end of a link: `link` is its number, `end` 0 or 1. `addresses` are those given to it, beside `link_local`."""

    name: str
    link: int
    end: int
    mac: str
    link_local: IPv6Address
    addresses: tuple[IPv6Interface, ...]
    mtu: int
    out: Direction


@final
@dataclass(frozen=True, slots=True)
class Bound:
    """A function at a SID (lwt_seg6local) or on a route (the other hooks). `route` has the next hops, and no encapsulation."""

    route: Told
    function: Function
    is_sid: bool


@final
@dataclass(frozen=True, slots=True)
class PlannedNode:
    """`addresses` are on lo. `routes` do not need one another, in their order, but for what next hops are on link."""

    name: str
    number: int
    addresses: tuple[IPv6Interface, ...]
    devices: tuple[Device, ...]
    routes: tuple[Told, ...]
    bound: tuple[Bound, ...]
    tunnel_source: IPv6Address | None
    sysctls: tuple[tuple[str, int], ...]
    hmac_keys: tuple[tuple[int, HmacKey], ...]
    clock_offset: int


@final
@dataclass(frozen=True, slots=True)
class PlannedLink:
    """Its two ends as (node, device)."""

    name: str
    ends: tuple[tuple[str, Device], tuple[str, Device]]


@final
@dataclass(frozen=True, slots=True)
class Plan:
    topology: Topology
    nodes: Mapping[str, PlannedNode]
    links: tuple[PlannedLink, ...]


def plan(topology: Topology) -> Plan:
    """Raises InputError for a topology that is wrong."""
    ways = find_ways(checked(topology))
    links = _links(topology)
    nodes = {}
    for number, node in enumerate(topology.nodes, 1):
        devices = tuple(device for link in links for name, device in link.ends if name == node.name)
        nodes[node.name] = _node(topology, node, number, devices, links, ways)
    return Plan(topology, nodes, links)


def _links(topology: Topology) -> tuple[PlannedLink, ...]:
    numbers = {node.name: number for number, node in enumerate(topology.nodes, 1)}
    names = zip(link_names(topology.links), device_names(topology.links), strict=True)
    found = []
    for position, (link, (name, devices)) in enumerate(zip(topology.links, names, strict=True)):
        first, second = (_end(link, position, end, devices[end], numbers) for end in (0, 1))
        found.append(PlannedLink(name, (first, second)))
    return tuple(found)


def _end(link: Link, position: int, number: int, name: str, numbers: Mapping[str, int]) -> tuple[str, Device]:
    end = link.ends[number]
    local = link_local(numbers[end.node])
    return end.node, Device(name, position, number, mac(position, number), local, end.addresses, link.mtu, end.out)


def _node(
    topology: Topology, node: Node, number: int, devices: tuple[Device, ...], links: tuple[PlannedLink, ...], ways: Ways
) -> PlannedNode:
    addresses = addresses_of(topology)[node.name]
    hops = {device.name: Hop(device.name, links[device.link].ends[1 - device.end][1].link_local) for device in devices}
    said = tuple(_told(route, node.name, hops, ways) for route in node.routes)
    taken = {route.prefix for route in node.routes if route.table == MAIN_TABLE and route.metric is None}
    own = [device.addresses for device in devices]
    on_link = {each.network for each in (*addresses, *(address for each in own for address in each))}
    derived = tuple(_derived(node.name, taken | on_link, hops, ways))
    static, bound = _split(node, said, devices)
    source = node.tunnel_source or next((each.ip for each in addresses), None)
    return PlannedNode(
        node.name, number, addresses, devices, (*derived, *static), bound, source, node.sysctls, node.hmac_keys, node.clock_offset
    )  # fmt: skip


def _told(route: Route, node: str, hops: Mapping[str, Hop], ways: Ways) -> Told:
    """The route with its next hops; a function on it is not said."""
    via = route.via
    if route.type == "unicast" and not via:
        via = tuple(Via(device) for device in ways.devices(node, route))
    found = tuple(replace(hops[each.device], weight=each.weight) for each in via)
    return Told(route.prefix, route.table, found, route.does if isinstance(route.does, Seg6) else None, route.type, route.metric)


def _derived(node: str, taken: set[IPv6Network], hops: Mapping[str, Hop], ways: Ways) -> Iterator[Told]:
    for (name, prefix), devices in ways.shortest.items():
        if name == node and prefix not in taken:
            yield Told(prefix, hops=tuple(hops[device] for device in devices))


def _split(node: Node, said: tuple[Told, ...], devices: tuple[Device, ...]) -> tuple[tuple[Told, ...], tuple[Bound, ...]]:
    """What a router is told, and what functions are bound to. A SID's route names a device, which no packet sees: the first."""
    static: list[Told] = []
    bound: list[Bound] = []
    for told, route in zip(said, node.routes, strict=True):
        if isinstance(route.does, Function):
            bound.append(Bound(told, route.does, is_sid=False))
        else:
            static.append(told)
    anywhere = tuple(Hop(device.name) for device in devices[:1])
    for sid in node.sids:
        if isinstance(sid.behaviour, Function):
            bound.append(Bound(Told(sid.prefix, hops=anywhere), sid.behaviour, is_sid=True))
        else:
            static.append(Told(sid.prefix, hops=anywhere, encap=sid.behaviour))
    return tuple(static), tuple(bound)
