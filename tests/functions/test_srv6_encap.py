"""`srv6_encap`: IPv6 packets get an outer header and an SRH towards FIRST and LAST (RFC 8986 section 5.1); all others pass."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv6Address
from typing import Final

import pytest

import pybpfnf
from pybpfnf import Environment, FaultKind, Runner
from pybpfnf.testing import packets
from pybpfnf.testing.packets import ipv4, ipv6, pack, srh, srv6, udp
from tests.functions.cases import LOST, SID
from tests.functions.conftest import ROUTER, Run

FUNCTION = "srv6_encap"
FIRST, LAST = "fc00:c::1", "fc00:c::2"
CONFIG = {"FIRST": FIRST, "LAST": LAST}

INNER: Final[Mapping[str, bytes]] = {
    "UDP": ipv6(SID, payload=udp()),
    "TCP": ipv6(SID, payload=packets.tcp(b"x" * 1000)),
    "ICMPv6": ipv6(SID, payload=packets.icmpv6_echo(b"ping")),
    "traffic class and flow label": ipv6(SID, payload=udp(), traffic_class=0xB9, flow_label=0xABCDE, hop_limit=2),
    "hop-by-hop options": ipv6(SID, payload=udp(), extensions=[packets.hop_by_hop()]),
    "IPv6 inside": ipv6(SID, payload=packets.inner(ipv6(LAST, payload=udp()))),
    "another routing header": srv6([LAST, SID], routing_type=3, destination=SID),
}
PASSING: Final[Mapping[str, bytes]] = {
    "SRv6": srv6([LAST, SID]),
    "SRv6, last segment": srv6([SID]),
    "SRv6 after options": srv6([LAST, SID], options=[packets.hop_by_hop(), packets.destination_options()]),
}


def encapsulated(inner: bytes) -> bytes:
    """H.Encaps by Linux: traffic class, flow label and hop limit are the inner ones; the source is the outgoing device's."""
    header = b"\x29" + srh([LAST, FIRST]).body
    length = len(header) + len(inner)
    outer = pack("ipv6", payload_length=length, next_header=43, source=str(ROUTER.device_address), destination=FIRST)
    return inner[:4] + outer[4:7] + inner[7:8] + outer[8:] + header + inner


@pytest.mark.parametrize("packet", INNER.values(), ids=INNER)
def test_srv6_encap_puts_the_path_around_an_ipv6_packet(run: Run, packet: bytes) -> None:
    outcome = run(packet)
    assert (outcome.verdict, outcome.fault, outcome.runs) == (0, None, 1)
    assert outcome.packet == encapsulated(packet)


@pytest.mark.parametrize("packet", PASSING.values(), ids=PASSING)
def test_srv6_encap_leaves_srv6_traffic_alone(run: Run, packet: bytes) -> None:
    assert run(packet).packet == packet


def test_srv6_encap_leaves_ipv4_alone(runner: Runner) -> None:
    packet = ipv4("198.51.100.1", payload=udp())
    with pybpfnf.simulate(FUNCTION, environment=Environment(), runner=runner, config=CONFIG) as nf:
        assert nf.run(packet).packet == packet


def test_srv6_encap_counts_what_it_encapsulates(runner: Runner) -> None:
    with pybpfnf.simulate(FUNCTION, environment=ROUTER, runner=runner, config=CONFIG) as nf:
        for packet in (*INNER.values(), *PASSING.values()):
            nf.run(packet)
        assert nf["packets"][0] == len(INNER)


def test_srv6_encap_faults_where_no_route_leads_to_the_path(runner: Runner) -> None:
    with pybpfnf.simulate(FUNCTION, environment=ROUTER, runner=runner, config={"FIRST": IPv6Address(LOST), "LAST": LAST}) as nf:
        outcome = nf.run(INNER["UDP"])
        assert nf["packets"][0] == 0
    assert outcome.fault is not None
    assert (outcome.fault.kind, outcome.fault.message, outcome.fault.line) == (FaultKind.EXIT, "the encapsulation failed", 18)
    assert (outcome.verdict, outcome.forwarded) == (0, False)  # OK, but encapsulated already, on a route that drops
