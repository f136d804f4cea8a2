"""How fast a lab in this process goes: packets over five nodes in a row, each met by all five."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Network
from itertools import pairwise
from typing import final

from pybpfnf.errors import InternalError
from pybpfnf.lab import Direction, End, Function, Link, Node, Sid, Topology, VirtualLab
from pybpfnf.routes import Seg6Local
from pybpfnf.targets import object_image
from pybpfnf.testing.packets import ipv6, srv6, udp

PACKETS = 10_000
_NODES = ("source", "r1", "r2", "r3", "sink")
_SOURCE, _SINK, _END, _FUNCTION = "fd00::1", "fd00::5", "fc00:3::e", "fc00:3::f"
_PORT = 9  # discard
_DELAY, _GAP = 5_000_000, 10_000  # nanoseconds: of each link, and from packet to packet


@final
@dataclass(frozen=True, slots=True)
class LabSpeed:
    """Processor time of packets that r2 does something with; each crosses `crossings` nodes."""

    what: str
    packets: int
    crossings: int
    seconds: float


def measure(packets: int) -> Iterator[LabSpeed]:
    payload = udp(destination_port=_PORT)
    yield _run("forwarded", ipv6(_SINK, source=_SOURCE, payload=payload), packets)
    yield _run("End", srv6([_SINK, _END], source=_SOURCE, payload=payload), packets)
    yield _run("tag_increment", srv6([_SINK, _FUNCTION], source=_SOURCE, payload=payload), packets)


def _topology() -> Topology:
    sids = (Sid(IPv6Network(_END), Seg6Local("End")), Sid(IPv6Network(_FUNCTION), Function(object_image("tag_increment"))))
    nodes = tuple(Node(name, sids=sids if name == "r2" else ()) for name in _NODES)
    links = tuple(Link((End(left, Direction(_DELAY)), End(right, Direction(_DELAY)))) for left, right in pairwise(_NODES))
    return Topology("speed", nodes, links)


def _run(what: str, packet: bytes, packets: int) -> LabSpeed:
    with VirtualLab(_topology()) as lab:
        arrived: list[int] = []
        lab.node("sink").listen(_PORT, lambda datagram: arrived.append(lab.now))
        for number in range(packets):
            lab.send("source", packet, at=number * _GAP)
        begin = time.process_time()
        lab.run()
        seconds = time.process_time() - begin
    if len(arrived) != packets:
        raise InternalError(f"{len(arrived)} of {packets} packets arrived")
    return LabSpeed(what, packets, len(_NODES), seconds)
