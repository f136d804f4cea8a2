"""Several next hops: which a flow takes, by weight and by what the hash is told to look at."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv6Network

import pytest

from pybpfnf.errors import InputError
from pybpfnf.routes import Hop, Route
from pybpfnf.runner import Environment
from pybpfnf.testing.packets import Payload, inner, ipv6, srv6, udp
from pybpfnf.vm.router.router import VmRouter
from tests.router.conftest import NARROW, OUT, TUN, no_programs
from tests.router.conftest import vm as vm

POLICY = "ipv6/fib_multipath_hash_policy"
EVERYWHERE = IPv6Network("fc00::/16")


def hop_of(router: VmRouter, packet: bytes) -> str:
    ((device, _),) = router.receive(TUN, packet).packets
    return device


def spread(router: VmRouter, packets: list[bytes]) -> Counter[str]:
    return Counter(hop_of(router, packet) for packet in packets)


def two_hops(router: VmRouter, *, first: int = 1, second: int = 1) -> None:
    router.change_route("replace", Route(EVERYWHERE, hops=(Hop(OUT, weight=first), Hop(NARROW, weight=second))))


def flows(count: int) -> list[bytes]:
    return [ipv6("fc00::1", flow_label=label, payload=udp()) for label in range(count)]


def test_a_flow_keeps_its_next_hop(vm: VmRouter) -> None:
    two_hops(vm)
    for packet in flows(20):
        assert len({hop_of(vm, packet) for _ in range(5)}) == 1


def test_flows_spread_by_weight(vm: VmRouter) -> None:
    two_hops(vm, first=3, second=1)
    found = spread(vm, flows(2000))
    assert 1400 < found[OUT] < 1600


def test_two_routers_spread_flows_in_ways_of_their_own() -> None:
    ways = []
    for seed in (1, 2):
        router = VmRouter(no_programs, Environment(seed=seed))
        for name in (OUT, NARROW):
            router.add_device(name)
        two_hops(router)
        ways.append([hop_of(router, packet) for packet in flows(400)])
    assert 100 < sum(one == other for one, other in zip(*ways, strict=True)) < 300


def test_ports_do_not_count_unless_the_policy_says_so(vm: VmRouter) -> None:
    two_hops(vm)
    packets = [ipv6("fc00::1", payload=udp(source_port=port)) for port in range(1, 101)]
    assert len(spread(vm, packets)) == 1
    vm.set_sysctl(POLICY, 1)
    assert len(spread(vm, packets)) == 2


def test_flow_labels_do_not_count_beside_ports(vm: VmRouter) -> None:
    two_hops(vm)
    vm.set_sysctl(POLICY, 1)
    assert len(spread(vm, flows(100))) == 1


def test_policy_2_looks_into_tunnels(vm: VmRouter) -> None:
    two_hops(vm)
    packets = [srv6(["fc00::9", "fc00::8"], payload=inner(packet)) for packet in flows(100)]
    assert len(spread(vm, packets)) == 1
    vm.set_sysctl(POLICY, 2)
    assert len(spread(vm, packets)) == 2


def test_an_icmpv6_error_goes_the_way_of_the_packet_that_it_is_about(vm: VmRouter) -> None:
    two_hops(vm)
    for packet in flows(20):
        error = ipv6("fc00::1", source="fc07::7", payload=Payload(58, bytes((3, 0)) + bytes(6) + packet))
        assert hop_of(vm, error) == hop_of(vm, packet)


def test_there_is_no_other_policy(vm: VmRouter) -> None:
    with pytest.raises(InputError, match="no sysctl"):
        vm.set_sysctl(POLICY, 3)
