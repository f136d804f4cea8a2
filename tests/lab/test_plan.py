"""What a topology leaves unsaid is worked out: addresses, names of devices, routes, always the same for the same topology."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Interface, IPv6Network

import pytest

from pybpfnf.errors import InputError
from pybpfnf.lab.plan import Bound, plan
from pybpfnf.lab.topology import Direction, End, Function, Link, Node, Route, Sid, Topology, Via
from pybpfnf.routes import Hop, Seg6, Seg6Local
from pybpfnf.routes import Route as Told


def net(*links: tuple[str, str, int], nodes: tuple[Node, ...] = (), routing: str = "shortest") -> Topology:
    """Nodes as links name them, unless they are given; a link's delay in milliseconds, the same both ways."""
    known = {node.name: node for node in nodes}
    names = dict.fromkeys(name for first, second, _ in links for name in (first, second))
    made = tuple(
        Link((End(first, Direction(delay * 10**6)), End(second, Direction(delay * 10**6)))) for first, second, delay in links
    )  # fmt: skip
    return Topology("net", tuple(known.get(name, Node(name)) for name in names), made, routing)


def hops(topology: Topology, node: str, to: str) -> list[str | None]:
    """The devices of the derived route from a node to another's address."""
    planned = plan(topology)
    address = IPv6Network(planned.nodes[to].addresses[0].ip)
    return [hop.device for route in planned.nodes[node].routes if route.prefix == address for hop in route.hops]


def test_nodes_without_addresses_are_numbered_in_their_order() -> None:
    own = Node("b", addresses=(IPv6Interface("fd00::3/128"),))
    planned = plan(net(("a", "b", 0), ("b", "c", 0), nodes=(own,)))
    assert [str(node.addresses[0]) for node in planned.nodes.values()] == ["fd00::1/128", "fd00::3/128", "fd00::6/128"]


def test_devices_are_called_as_the_node_behind_them() -> None:
    planned = plan(net(("a", "b", 0), ("a", "b", 0)))
    assert [device.name for device in planned.nodes["a"].devices] == ["b", "b-2"]
    assert [link.name for link in planned.links] == ["a-b", "a-b-2"]


def test_a_next_hop_is_the_link_local_address_behind_the_device() -> None:
    planned = plan(net(("a", "b", 0)))
    assert planned.nodes["a"].routes == (Told(IPv6Network("fd00::2"), hops=(Hop("b", IPv6Address("fe80::2")),)),)
    assert planned.nodes["b"].devices[0].link_local == IPv6Address("fe80::2")


def test_the_way_with_the_least_delay_is_taken() -> None:
    square = net(("a", "b", 10), ("b", "d", 10), ("a", "c", 1), ("c", "e", 1), ("e", "d", 1))
    assert hops(square, "a", "d") == ["c"]


def test_of_equal_delays_the_fewest_hops_are_taken() -> None:
    assert hops(net(("a", "b", 0), ("b", "c", 0), ("a", "c", 0)), "a", "c") == ["c"]


def test_hops_alone_count_where_that_is_asked_for() -> None:
    assert hops(net(("a", "b", 1), ("b", "c", 1), ("a", "c", 50), routing="hops"), "a", "c") == ["c"]


def test_equal_ways_are_all_taken() -> None:
    diamond = net(("a", "b", 1), ("a", "c", 1), ("b", "d", 1), ("c", "d", 1))
    assert hops(diamond, "a", "d") == ["b", "c"]
    assert hops(net(("a", "b", 1), ("a", "b", 1)), "a", "b") == ["b", "b-2"]


def test_each_direction_has_its_own_delay() -> None:
    links = (
        Link((End("a", Direction(5)), End("b", Direction(50)))),
        Link((End("a", Direction(6)), End("b", Direction(6)))),
    )
    both = Topology("two", (Node("a"), Node("b")), links)
    assert (hops(both, "a", "b"), hops(both, "b", "a")) == (["b"], ["a-2"])


def test_nothing_is_found_where_nothing_is_wanted_or_no_way_leads() -> None:
    assert hops(net(("a", "b", 0), routing="none"), "a", "b") == []
    assert hops(net(("a", "b", 0), ("c", "d", 0)), "a", "c") == []


def test_a_prefix_of_two_nodes_leads_to_the_nearer() -> None:
    cast = (IPv6Network("fc00::/64"),)
    nodes = (Node("b", prefixes=cast), Node("d", prefixes=cast))
    planned = plan(net(("a", "b", 9), ("a", "c", 1), ("c", "d", 1), nodes=nodes))
    assert [hop.device for route in planned.nodes["a"].routes if route.prefix == cast[0] for hop in route.hops] == ["c"]


def test_a_sids_route_names_a_device_and_others_know_the_way_to_it() -> None:
    sids = (Sid(IPv6Network("fc00::1"), Seg6Local("End")), Sid(IPv6Network("fc00::2"), Function("end")))
    planned = plan(net(("a", "b", 0), nodes=(Node("b", sids=sids),)))
    assert Told(IPv6Network("fc00::1"), hops=(Hop("a"),), encap=Seg6Local("End")) in planned.nodes["b"].routes
    assert planned.nodes["b"].bound == (Bound(Told(IPv6Network("fc00::2"), hops=(Hop("a"),)), Function("end"), is_sid=True),)
    assert {IPv6Network("fc00::1"), IPv6Network("fc00::2")} < {route.prefix for route in planned.nodes["a"].routes}


def test_an_encapsulation_goes_the_way_of_its_first_segment_where_none_to_the_prefix_is_known() -> None:
    encap = Seg6("encap", (IPv6Address("fd00::2"),))
    planned = plan(net(("a", "b", 0), nodes=(Node("a", routes=(Route(IPv6Network("::/0"), does=encap),)),)))
    assert planned.nodes["a"].routes[-1] == Told(IPv6Network("::/0"), hops=(Hop("b", IPv6Address("fe80::2")),), encap=encap)


def test_a_route_that_is_said_takes_the_place_of_the_one_that_is_found() -> None:
    said = Route(IPv6Network("fd00::2"), (Via("b-2", 3),))
    planned = plan(net(("a", "b", 0), ("a", "b", 0), nodes=(Node("a", routes=(said,)),)))
    assert planned.nodes["a"].routes == (Told(IPv6Network("fd00::2"), hops=(Hop("b-2", IPv6Address("fe80::2"), 3),)),)


def test_encapsulations_come_from_the_first_address_unless_it_is_said() -> None:
    nodes = (Node("a"), Node("b", tunnel_source=IPv6Address("fd00::b")), Node("c", addresses=()))
    planned = plan(net(("a", "b", 0), ("b", "c", 0), nodes=nodes))
    assert [node.tunnel_source for node in planned.nodes.values()] == [IPv6Address("fd00::1"), IPv6Address("fd00::b"), None]


def test_a_wrong_topology_is_refused_with_the_place_that_is_wrong() -> None:
    with pytest.raises(InputError, match=r"^topology net: links\.0\.ends: a link from `a` to itself$"):
        plan(net(("a", "a", 0)))
