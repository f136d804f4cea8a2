"""The runner's router: what it lets out, what it leaves out, and the one place where hops are put back."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from ipaddress import IPv6Address, IPv6Network

import pytest

from pybpfnf.errors import InputError
from pybpfnf.kernel.router import Router, without
from pybpfnf.kernel.wire import hop_put_back
from pybpfnf.runner import Environment
from pybpfnf.testing.packets import ipv6, udp

ETH_P_ALL = 3


def crossed(router: Router, packet: bytes) -> list[bytes]:
    return [hop_put_back(each) for each in router.wire.cross(packet)]


def test_one_hop_is_put_back_and_nothing_else() -> None:
    packet = ipv6("fc00::1", payload=udp(), hop_limit=63)
    assert hop_put_back(packet) == ipv6("fc00::1", payload=udp(), hop_limit=64)
    assert hop_put_back(b"short") == b"short"


def test_holes_are_cut_out_of_everything() -> None:
    parts = without(IPv6Network("::/0"), [IPv6Network("fc00:2::/32"), IPv6Network("2000::/3"), IPv6Network("fc00:2:3::/48")])
    for text, inside in (("fc00:2::1", False), ("fc00:3::1", True), ("2001:db8::1", False), ("4000::", True), ("::", True)):
        assert any(IPv6Address(text) in part for part in parts) == inside, text
    assert without(IPv6Network("::/0"), [IPv6Network("::/0")]) == []


@pytest.mark.kernel
def test_packets_cross_in_order_and_those_without_a_route_do_not() -> None:
    first, second = ipv6("fc00:a::1", payload=udp()), ipv6("2001:db8::1", payload=udp())
    with Router(Environment(unreachable=("2001:db8::/32",))) as router:
        assert crossed(router, first) == [first]
        assert router.wire.cross(second) == []
        assert crossed(router, first) == [first]


@pytest.mark.kernel
def test_what_is_for_the_router_itself_does_not_leave_it() -> None:
    with Router(Environment(device_address=IPv6Address("fc00:7::7"))) as router:
        assert router.wire.cross(ipv6("fc00:7::7", payload=udp())) == []


@pytest.mark.kernel
def test_the_router_sends_nothing_of_its_own() -> None:
    """No neighbour discovery, no multicast reports, no ICMP errors: for a second, also after packets that ask for errors."""
    with Router(Environment()) as router, router.namespace.entered(), _tap("sink0") as tap:
        router.wire.cross(ipv6("fc00:a::1", payload=udp(), hop_limit=1))
        router.wire.cross(ipv6("fc00:b::b", payload=udp(), source="fc00:a::2"))
        time.sleep(1)
        frames = list(_waiting(tap))
    assert len(frames) == 2
    assert all(b"pybpfnf: end of run" in frame for frame in frames)


def _tap(device: str) -> socket.socket:
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    tap.bind((device, ETH_P_ALL))
    tap.setblocking(False)
    return tap


def _waiting(tap: socket.socket) -> Iterator[bytes]:
    while True:
        try:
            yield tap.recv(2048)
        except BlockingIOError:
            return


@pytest.mark.kernel
def test_a_device_address_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="the outgoing device cannot have the address ff02::1"):
        Router(Environment(device_address=IPv6Address("ff02::1")))
