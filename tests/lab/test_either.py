"""One topology, in namespaces and in this process: the same experiments with the same results."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv6Interface, IPv6Network
from itertools import pairwise

import pytest

from pybpfnf.errors import InputError
from pybpfnf.lab import End, Function, Lab, Link, Node, Route, Sid, Topology, VirtualLab, up
from pybpfnf.routes import Seg6Local
from pybpfnf.targets import object_image
from pybpfnf.testing.packets import ipv6, srv6, udp

PORT = 4242
SOURCE, SINK, COLLECTOR = "fd00:a::1", "fd00:b::1", "fd00:c::1"
SID, EXIT, TAGGED = "fc00:3::d", "fc00:3::6", "fc00:2::7"
ONE_WAY = 0  # of the counters of end_dm


@pytest.fixture(scope="module")
def topology() -> Topology:
    """source - r1 - r2 - r3 - sink: r1 sends what goes to the sink by end_dm at r3, r2 counts tags."""
    values = (("END_DM", SID), ("EXIT", EXIT), ("COLLECTOR", COLLECTOR), ("RATIO", 2))
    nodes = (
        Node("source", (IPv6Interface(SOURCE),)),
        Node("r1", routes=(Route(IPv6Network(SINK), does=Function(object_image("delay_probe"), values)),)),
        Node("r2", sids=(Sid(IPv6Network(TAGGED), Function(object_image("tag_increment"))),)),
        Node(
            "r3",
            sids=(Sid(IPv6Network(SID), Function(object_image("end_dm"))), Sid(IPv6Network(EXIT), Seg6Local("End.DT6", table=254))),
        ),
        Node("sink", (IPv6Interface(SINK),)),
    )
    links = tuple(Link((End(left.name), End(right.name)), mtu=1600) for left, right in pairwise(nodes))
    return Topology(f"either{os.getpid()}", nodes, links)


def _virtual(topology: Topology) -> Lab:
    return VirtualLab(topology)


def _namespaces(topology: Topology) -> Lab:
    return up(topology)


@pytest.fixture(params=["virtual", pytest.param("namespaces", marks=pytest.mark.kernel)])
def begin(request: pytest.FixtureRequest) -> Callable[[Topology], Lab]:
    return _virtual if request.param == "virtual" else _namespaces


def to_sink(data: bytes, *, hop_limit: int = 64) -> bytes:
    return ipv6(SINK, source=SOURCE, payload=udp(data, destination_port=PORT), hop_limit=hop_limit)


def test_experiments_have_the_same_results(topology: Topology, begin: Callable[[Topology], Lab]) -> None:
    with begin(topology) as lab:
        source, sink = lab.node("source"), lab.node("sink")
        assert (source.address, sink.address, sink.name) == (SOURCE, SINK, "sink")
        with sink.datagrams(PORT) as inbox:
            # One in two is a probe; both arrive as they were.
            for data in (b"one", b"two", b"three", b"four"):
                source.send(to_sink(data))
                assert inbox.take() == data
            assert lab.node("r3").attached(SID)["seen"][ONE_WAY] == 2
            # Ratios are changed while it runs.
            lab.node("r1").attached(SINK)["RATIO"] = 1
            source.send(to_sink(b"five"))
            assert inbox.take() == b"five"
            assert lab.node("r3").attached(SID)["seen"][ONE_WAY] == 3
            # By a segment, whose function sees the packet.
            source.send(srv6([SINK, TAGGED], source=SOURCE, tag=7, payload=udp(b"tagged", destination_port=PORT)))
            assert inbox.take() == b"tagged"
            # What does not arrive: no hops left on the way.
            source.send(to_sink(b"far", hop_limit=2))
            assert inbox.take(0.1) is None


def test_what_a_lab_does_not_have_is_refused(topology: Topology, begin: Callable[[Topology], Lab]) -> None:
    with begin(replace(topology, name=f"refused{os.getpid()}")) as lab:
        with pytest.raises(InputError, match="no node 'z'"):
            lab.node("z")
        with pytest.raises(InputError):
            lab.node("r2").attached("fc00::9")
        with lab.node("sink").datagrams(PORT), pytest.raises(InputError, match="4242"), lab.node("sink").datagrams(PORT):
            pass
