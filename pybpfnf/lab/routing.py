"""Shortest paths: for each node and each prefix of another, the devices by which the nearest owner is reached. Equal ways are all kept.

The cost of a way is the sum of its links' delays, each in the direction of travel, and of equal sums the number of links; or that number
alone (`routing = "hops"`). A prefix of several nodes leads to the nearest.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from ipaddress import IPv6Network
from typing import TypeAlias, final

from pybpfnf.lab.addressing import addresses_of
from pybpfnf.lab.topology import Direction, Route, Topology, device_names
from pybpfnf.records import dataclass
from pybpfnf.routes import Seg6

Cost: TypeAlias = tuple[int, int]  # nanoseconds of delay, links
Neighbours: TypeAlias = Mapping[str, list[tuple[str, str, Cost]]]
"""Of each node: device, the node behind it, and what going there costs."""


@final
@dataclass(frozen=True, slots=True)
class Ways:
    """What is known of a topology's routes. `shortest` by node and prefix of another: devices, in the order of links."""

    neighbours: Neighbours
    owners: Mapping[IPv6Network, frozenset[str]]
    shortest: Mapping[tuple[str, IPv6Network], tuple[str, ...]]

    def devices(self, node: str, route: Route) -> tuple[str, ...]:
        """The next hops of a route that says none: those to its prefix, else those to its first segment; () where no way is known."""
        wanted = [route.prefix]
        if isinstance(route.does, Seg6):
            wanted.append(IPv6Network(route.does.segments[0]))
        return next((found for each in wanted if (found := self._to(node, each))), ())

    def _to(self, node: str, prefix: IPv6Network) -> tuple[str, ...]:
        """By the longest prefix that has all of it."""
        covering = sorted((each for each in self.owners if prefix.subnet_of(each)), key=lambda each: -each.prefixlen)
        return self.shortest.get((node, covering[0]), ()) if covering else ()


def find_ways(topology: Topology) -> Ways:
    ways, prefixes = neighbours(topology), owners(topology)
    return Ways(ways, prefixes, {} if topology.routing == "none" else _shortest(ways, prefixes))


def owners(topology: Topology) -> Mapping[IPv6Network, frozenset[str]]:
    """Every prefix that is routed, and the nodes that have it: their addresses', those of their links, their SIDs, and `prefixes`."""
    found: dict[IPv6Network, set[str]] = {}
    addresses = addresses_of(topology)
    for node in topology.nodes:
        own = [each.network for each in addresses[node.name]]
        for prefix in (*own, *(sid.prefix for sid in node.sids), *node.prefixes):
            found.setdefault(prefix, set()).add(node.name)
    for link in topology.links:
        for end in link.ends:
            for address in end.addresses:
                found.setdefault(address.network, set()).add(end.node)
    return {prefix: frozenset(nodes) for prefix, nodes in found.items()}


def neighbours(topology: Topology) -> Neighbours:
    found: dict[str, list[tuple[str, str, Cost]]] = {node.name: [] for node in topology.nodes}
    for link, devices in zip(topology.links, device_names(topology.links), strict=True):
        for end, other, device in zip(link.ends, link.ends[::-1], devices, strict=True):
            found[end.node].append((device, other.node, _cost(end.out, topology.routing)))
    return found


def _cost(direction: Direction, routing: str) -> Cost:
    return (0 if routing == "hops" else direction.delay, 1)


def _shortest(ways: Neighbours, prefixes: Mapping[IPv6Network, frozenset[str]]) -> Mapping[tuple[str, IPv6Network], tuple[str, ...]]:
    found = {}
    costs: dict[frozenset[str], Mapping[str, Cost]] = {}
    for prefix, nodes in prefixes.items():
        if nodes not in costs:
            costs[nodes] = _costs_to(nodes, ways)
        for node in ways:
            if node not in nodes and node in costs[nodes]:
                found[node, prefix] = tuple(_first_devices(ways[node], costs[nodes], costs[nodes][node]))
    return found


def _first_devices(ways: list[tuple[str, str, Cost]], costs: Mapping[str, Cost], best: Cost) -> Iterator[str]:
    for device, behind, cost in ways:
        if behind in costs and _sum(cost, costs[behind]) == best:
            yield device


def _costs_to(targets: frozenset[str], ways: Neighbours) -> Mapping[str, Cost]:
    """What the cheapest way from each node to one of these costs (Dijkstra's algorithm, against the directions)."""
    back: dict[str, list[tuple[str, Cost]]] = {node: [] for node in ways}
    for node, each in ways.items():
        for _, behind, cost in each:
            back[behind].append((node, cost))
    waiting = [((0, 0), target) for target in sorted(targets)]
    found: dict[str, Cost] = {}
    while waiting:
        cost, node = heapq.heappop(waiting)
        if node in found:
            continue
        found[node] = cost
        for before, more in back[node]:
            heapq.heappush(waiting, (_sum(cost, more), before))
    return found


def _sum(first: Cost, second: Cost) -> Cost:
    return first[0] + second[0], first[1] + second[1]
