"""What a router sends by itself: each ICMPv6 message of the VM's is the kernel's, byte by byte."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path

import pytest

from pybpfnf.kernel.namespace_router import NamespaceRouter
from pybpfnf.routes import Crossing, Hop, Route, Router, Seg6, Seg6Local
from pybpfnf.testing.packets import Payload, destination_options, hop_by_hop, icmpv6_echo, inner, ipv6, srv6, udp
from pybpfnf.vm.router.router import VmRouter
from tests.router.conftest import MTU, NARROW, OUT, TUN, no_programs
from tests.router.conftest import vm as vm

OWN, OTHER, SENDER = "fd00::42", "fd00:1::1", "fc00::2"
PORT = 4242
ROUTES = (
    Route(IPv6Network("fc00::/16"), hops=(Hop(OUT),)),
    Route(IPv6Network("fc05::/16"), hops=(Hop(NARROW),)),
    Route(IPv6Network("fc01::e"), hops=(Hop(OUT),), encap=Seg6Local("End")),
    Route(IPv6Network("fc01::6"), hops=(Hop(OUT),), encap=Seg6Local("End.DT6", table=254)),
    Route(IPv6Network("fc02::/16"), hops=(Hop(OUT),), encap=Seg6("encap", (IPv6Address("fc05::1"),))),
    Route(IPv6Network("fc03::/16"), hops=(Hop(OUT),), encap=Seg6("inline", (IPv6Address("fc05::1"), IPv6Address("fc05::2")))),
    Route(IPv6Network("fc0b::/16"), type="blackhole"),
    Route(IPv6Network("fc0c::/16"), type="unreachable"),
    Route(IPv6Network("fc0d::/16"), type="prohibit"),
)


def _set_up(router: Router) -> None:
    router.change_address("add", IPv6Address(OWN), 48, "lo")
    router.change_address("add", IPv6Address(OTHER), 64, TUN)
    for route in ROUTES:
        router.change_route("add", route)


@pytest.fixture(autouse=True)
def routes(vm: VmRouter) -> None:
    _set_up(vm)
    vm.listen(PORT)


@pytest.fixture
def kernel() -> Iterator[NamespaceRouter]:
    router = NamespaceRouter(no_programs, answers=True)
    with closing(router):
        router.add_device(OUT)
        router.add_device(NARROW)
        _set_up(router)
        router.run_shell(f"ip link set {NARROW} mtu {MTU}", Path())
        yield router


def big(size: int) -> Payload:
    return udp(bytes(size))


ASKED = {
    "the hop limit is used up": ipv6("fc00::1", source=SENDER, payload=udp(), hop_limit=1),
    "the hop limit is zero": ipv6("fc00::1", source=SENDER, payload=udp(), hop_limit=0),
    "the hop limit is used up of a long packet": ipv6("fc00::1", source=SENDER, payload=big(1300), hop_limit=1),
    "the hop limit is used up at a segment": srv6(["fc00::1", "fc01::e"], source=SENDER, hop_limit=1),
    "the hop limit is used up at a segment of the router's own": srv6(["fc00::1", OWN, OWN], source=SENDER, hop_limit=1),
    "no route": ipv6("dead::1", source=SENDER, payload=udp()),
    "no route to the next segment": srv6(["dead::1", "fc01::e"], source=SENDER),
    "no route to the packet inside": ipv6("fc01::6", source="fc00::9", payload=inner(ipv6("dead::1", source=SENDER, payload=udp()))),
    "a black hole": ipv6("fc0b::1", source=SENDER, payload=udp()),
    "unreachable": ipv6("fc0c::1", source=SENDER, payload=udp()),
    "prohibited": ipv6("fc0d::1", source=SENDER, payload=udp()),
    "too big": ipv6("fc05::1", source=SENDER, payload=big(1400)),
    "not too big": ipv6("fc05::1", source=SENDER, payload=big(MTU - 48)),
    "too big by one": ipv6("fc05::1", source=SENDER, payload=big(MTU - 47)),
    "too big when encapsulated": ipv6("fc02::1", source=SENDER, payload=big(1300)),
    "too big when inserted": ipv6("fc03::1", source=SENDER, payload=big(1330)),
    "to the prefix of an address on lo": ipv6("fd00::43", source=SENDER, payload=udp()),
    "an echo request": ipv6(OWN, source=SENDER, payload=icmpv6_echo(b"data", identifier=7, sequence=9), traffic_class=0xB8, flow_label=5),
    "an echo request to another address": ipv6(OTHER, source=SENDER, payload=icmpv6_echo()),
    "an echo request to the anycast address": ipv6("fd00:1::", source=SENDER, payload=icmpv6_echo()),
    "an echo request behind options": ipv6(OWN, source=SENDER, payload=icmpv6_echo(b"x"), extensions=[hop_by_hop(), destination_options()]),
    "an echo request behind an SRH": srv6([OWN], segments_left=0, source=SENDER, payload=icmpv6_echo(b"x")),
    "an echo request with a wrong checksum": ipv6(OWN, source=SENDER, payload=Payload(58, b"\x80" + bytes(7))),
    "an echo request of a long packet": ipv6(OWN, source=SENDER, payload=icmpv6_echo(bytes(2000))),
    "a port where nobody listens": ipv6(OWN, source=SENDER, payload=udp(b"x", destination_port=9)),
    "a port where nobody listens, behind an SRH": srv6([OWN], segments_left=0, source=SENDER, payload=udp(b"x", destination_port=9)),
    "UDP without a checksum": ipv6(OWN, source=SENDER, payload=Payload(17, bytes.fromhex("0009000900080000"))),
    "UDP with a wrong length": ipv6(OWN, source=SENDER, payload=Payload(17, bytes.fromhex("0009000900101234"))),
    "nothing for the router": ipv6(OWN, source=SENDER, payload=Payload(59, b"")),
    "an unknown next header": ipv6(OWN, source=SENDER, payload=Payload(200, b"what?")),
    "an unknown next header behind options": ipv6(OWN, source=SENDER, payload=Payload(200, b"what?"), extensions=[destination_options()]),
    "a routing header of an unknown type": srv6(["fc00::1", OWN], source=SENDER, routing_type=99),
    "one that is used up": srv6([OWN], segments_left=0, source=SENDER, routing_type=99, payload=udp(destination_port=9)),
    "segments left past the segments": srv6(["fc00::1", OWN], segments_left=2, destination=OWN, source=SENDER),
    "an ICMPv6 error": ipv6("dead::1", source=SENDER, payload=Payload(58, bytes((3, 0)) + bytes(6))),
    "a redirect": ipv6("dead::1", source=SENDER, payload=Payload(58, bytes((137, 0)) + bytes(6))),
    "an echo reply that nobody gets": ipv6("dead::1", source=SENDER, payload=Payload(58, bytes((129, 0)) + bytes(6))),
    "an ICMPv6 error behind an SRH": srv6(["dead::1", "fc01::e"], source=SENDER, payload=Payload(58, bytes((1, 0)) + bytes(6))),
    "a packet that the router could have sent itself": ipv6("dead::1", source=OWN, payload=udp()),
    "from a link-local address": ipv6("fc00::1", source="fe80::2", payload=udp()),
    "from nobody": ipv6("fc00::1", source="::", payload=udp()),
    "to a group": ipv6("ff0e::1", source=SENDER, payload=udp(), hop_limit=1),
    "no route back": ipv6("dead::1", source="beef::1", payload=udp()),
}


def _of(crossing: Crossing) -> list[tuple[str, str]]:
    return [(device, packet.hex()) for device, packet in crossing.packets]


@pytest.mark.kernel
def test_the_routers_own_packets_are_the_kernels(vm: VmRouter, kernel: NamespaceRouter) -> None:
    found = {name: _of(vm.receive(TUN, packet)) for name, packet in ASKED.items()}
    assert found == {name: _of(kernel.receive(TUN, packet)) for name, packet in ASKED.items()}
    assert sum(bool(each) for each in found.values()) > len(found) // 2
