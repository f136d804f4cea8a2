"""What a router of the VM sends and receives itself."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network

import pytest

from pybpfnf.errors import InputError
from pybpfnf.routes import Hop, Route, Seg6, Seg6Local
from pybpfnf.testing.packets import Payload, icmpv6_echo, ipv6, srv6, udp
from pybpfnf.vm.router.router import VmRouter
from tests.router.conftest import NARROW, OUT, TUN
from tests.router.conftest import vm as vm

OWN, FAR = "fd00::42", "fc00::2"
PORT = 4242


@pytest.fixture(autouse=True)
def routes(vm: VmRouter) -> None:
    vm.change_address("add", IPv6Address(OWN), 128, "lo")
    vm.change_address("add", IPv6Address("fe80::1"), 64, OUT)
    vm.change_address("add", IPv6Address("fe80::1"), 64, TUN)
    vm.change_route("add", Route(IPv6Network("fc00::/16"), hops=(Hop(OUT),)))
    vm.listen(PORT)


def test_a_packet_of_its_own_loses_no_hop(vm: VmRouter) -> None:
    packet = ipv6(FAR, source=OWN, payload=udp(), hop_limit=1)
    assert vm.send(packet).packets == ((OUT, packet),)


def test_a_packet_of_its_own_is_encapsulated_by_its_route(vm: VmRouter) -> None:
    vm.change_route("add", Route(IPv6Network("fc09::/16"), hops=(Hop(OUT),), encap=Seg6("encap", (IPv6Address(FAR),))))
    packet = ipv6("fc09::1", source=OWN, payload=udp())
    ((device, data),) = vm.send(packet).packets
    assert (device, data[-len(packet) :]) == (OUT, packet)
    assert IPv6Address(data[24:40]) == IPv6Address(FAR)


def test_a_packet_to_itself_comes_in_again(vm: VmRouter) -> None:
    packet = ipv6(OWN, source=OWN, payload=udp(destination_port=PORT))
    assert vm.send(packet).delivered == (packet,)


def test_a_datagram_is_delivered_to_who_listens(vm: VmRouter) -> None:
    packet = ipv6(OWN, source=FAR, payload=udp(destination_port=PORT))
    found = vm.receive(TUN, packet)
    assert (found.delivered, found.packets, found.reason) == ((packet,), (), None)


def test_an_echo_reply_is_delivered(vm: VmRouter) -> None:
    reply = ipv6(OWN, source=FAR, payload=Payload(58, bytes((129, 0, 0, 0, 0, 1, 0, 1)), checksum_at=2))
    assert vm.receive(TUN, reply).delivered == (reply,)


def test_a_packet_to_a_link_local_address_leaves_by_the_device_that_is_said(vm: VmRouter) -> None:
    packet = ipv6("fe80::2", source="fe80::1", payload=udp())
    assert vm.send(packet, TUN).packets == ((TUN, packet),)
    assert vm.send(packet, OUT).packets == ((OUT, packet),)


def test_an_answer_to_a_link_local_address_goes_back_by_its_link(vm: VmRouter) -> None:
    request = ipv6("fe80::1", source="fe80::2", payload=icmpv6_echo())
    for device in (TUN, OUT):
        assert [name for name, _ in vm.receive(device, request).packets] == [device]


@pytest.mark.parametrize("packet", [b"", bytes(39), bytes(40)])
def test_what_is_no_packet_is_refused(vm: VmRouter, packet: bytes) -> None:
    with pytest.raises(InputError, match="begins with an IPv6 header"):
        vm.send(packet)


def test_a_device_that_is_not_there_is_refused(vm: VmRouter) -> None:
    with pytest.raises(InputError, match="no device dum7"):
        vm.send(ipv6(FAR, source=OWN, payload=udp()), "dum7")


def test_a_packet_of_its_own_without_a_route_is_not_answered(vm: VmRouter) -> None:
    found = vm.send(ipv6("dead::1", source=OWN, payload=udp()))
    assert (found.packets, found.delivered, found.reason) == ((), (), "there is no route to dead::1")


def test_an_answer_that_has_no_route_is_lost(vm: VmRouter) -> None:
    found = vm.receive(TUN, ipv6("beef::1", source="dead::1", payload=udp()))
    assert (found.packets, found.reason) == ((), "there is no route to beef::1")


def test_a_packet_of_its_own_that_is_too_long_is_not_sent(vm: VmRouter) -> None:
    vm.change_route("add", Route(IPv6Network("fc05::/16"), hops=(Hop(NARROW),)))
    found = vm.send(ipv6("fc05::1", source=OWN, payload=udp(bytes(1500))))
    assert (found.packets, found.delivered) == ((), ())
    assert found.reason == "rawv6_send_hdrinc: 1548 bytes are more than the device's MTU of 1400"


def test_a_packet_of_its_own_that_an_encapsulation_makes_too_long_comes_back_as_an_error(vm: VmRouter) -> None:
    vm.change_route("add", Route(IPv6Network("fc05::/16"), hops=(Hop(NARROW),)))
    vm.change_route("add", Route(IPv6Network("fc09::/16"), hops=(Hop(NARROW),), encap=Seg6("encap", (IPv6Address("fc05::1"),))))
    found = vm.send(ipv6("fc09::1", source=OWN, payload=udp(bytes(1340))))
    assert found.packets == ()
    assert [packet[40] for packet in found.delivered] == [2]


def test_what_nobody_at_the_other_end_is_to_have_is_not_sent(vm: VmRouter) -> None:
    vm.add_device("wire", neighbours=[IPv6Address("fe80::2"), IPv6Address("fc07::2")])
    vm.change_route("add", Route(IPv6Network("fc07::/64"), hops=(Hop("wire"),)))
    vm.change_route("add", Route(IPv6Network("fc08::/64"), hops=(Hop("wire", IPv6Address("fe80::2")),)))
    vm.change_route("add", Route(IPv6Network("fc01::1"), hops=(Hop("wire"),), encap=Seg6Local("End.X", nh6=IPv6Address("fc07::2"))))
    sent = [ipv6(destination, source=OWN, payload=udp()) for destination in ("fc07::2", "fc08::9", "fc07::3")]
    found = [vm.send(packet) for packet in sent]
    assert [[device for device, _ in each.packets] for each in found] == [["wire"], ["wire"], []]
    assert found[2].reason == "ndisc: fc07::3 is nobody's at the other end of wire"
    assert vm.receive(TUN, srv6(["dead::1", "fc01::1"], source=FAR)).reason is None  # the next hop that End.X says is there
