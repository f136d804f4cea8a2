"""Echo requests in a lab in this process: how long they take, and which way they go."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network

import pytest

from pybpfnf.lab.ping import PATIENCE, Ping, ping, ping_all
from pybpfnf.lab.topology import Direction, End, Link, Node, Route, Topology, Via
from pybpfnf.lab.virtual import VirtualLab

MS = 10**6
OUT, BACK = 5 * MS, 20 * MS


def link(left: str, right: str, loss: float = 0.0) -> Link:
    return Link((End(left, Direction(OUT, loss=loss)), End(right, Direction(BACK))))


def lab_of(*nodes: Node, links: tuple[Link, ...], routing: str = "shortest") -> VirtualLab:
    return VirtualLab(Topology("lab", nodes, links, routing=routing))


def test_the_reply_takes_both_ways() -> None:
    with lab_of(Node("a"), Node("b"), Node("c"), links=(link("a", "b"), link("b", "c"))) as lab:
        found = ping(lab, "a", IPv6Address("fd00::3"))
        assert found == Ping("a", IPv6Address("fd00::3"), 2 * OUT + 2 * BACK, ("a", "b", "c"), ("c", "b", "a"))


def test_the_way_back_is_another_where_routes_say_so() -> None:
    a = Node("a", routes=(Route(IPv6Network("fd00::3"), via=(Via("b"),)),))
    c = Node("c", routes=(Route(IPv6Network("fd00::1"), via=(Via("a"),)),))
    with lab_of(a, Node("b"), c, links=(link("a", "b"), link("b", "c"), link("a", "c"))) as lab:
        found = ping(lab, "a", IPv6Address("fd00::3"))
        assert (found.there, found.back, found.rtt) == (("a", "b", "c"), ("c", "a"), 2 * OUT + BACK)


def test_each_node_asks_each_other() -> None:
    with lab_of(Node("a"), Node("b"), Node("c"), links=(link("a", "b"), link("b", "c"))) as lab:
        found = {(each.source, str(each.target)): each.rtt for each in ping_all(lab)}
        assert len(found) == 6
        assert found["a", "fd00::2"] == found["b", "fd00::1"] == OUT + BACK


@pytest.mark.parametrize(
    ("nodes", "links", "reason", "way"),
    [
        ((Node("a"), Node("b")), (link("a", "b", loss=1.0),), "a-b: lost by chance", ("a",)),
        ((Node("a"), Node("b"), Node("c")), (link("a", "b"),), "a: there is no route to fd00::3", ("a",)),
        (
            (Node("a", routes=(Route(IPv6Network("fd00::3"), via=(Via("b"),)),)), Node("b"), Node("c")),
            (link("a", "b"),),
            "fd00::2 answers: no route",
            ("a", "b", "a"),
        ),
    ],
    ids=["lost", "no route at the source", "no route on the way"],
)
def test_what_does_not_come_back_has_its_reason(
    nodes: tuple[Node, ...], links: tuple[Link, ...], reason: str, way: tuple[str, ...]
) -> None:
    with lab_of(*nodes, links=links) as lab:
        target = lab.plan.nodes[nodes[-1].name].addresses[0].ip
        found = ping(lab, "a", target)
        assert (found.rtt, found.reason, found.there) == (None, reason, way)
        assert lab.now < PATIENCE


def test_a_lab_goes_on_after_an_echo() -> None:
    with lab_of(Node("a"), Node("b"), links=(link("a", "b"),)) as lab:
        found = [ping(lab, "a", IPv6Address("fd00::2")).rtt for _ in range(3)]
        assert found == [OUT + BACK] * 3
        assert lab.now == 3 * (OUT + BACK)
