"""What functions of lwt_in, lwt_out and lwt_xmit mean: compiled, then run on the VM and in the kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, Final

import pytest

import pybpfnf
from pybpfnf.image.settings import configure
from pybpfnf.runner import Environment, Outcome, Runner
from pybpfnf.testing.packets import destination_options, hop_by_hop, ipv4, ipv6, pack, srh, srv6, udp
from tests.dsl.cases import HEADER
from tests.kernel_support import ATOMIC_FRAGMENT

ROUTER: Final = Environment(tunnel_source=IPv6Address("fc00:b::99"), unreachable=("2001:db8::/32",))
SIX, FOUR = ipv6("fc00:a::1", payload=udp(), traffic_class=0xB8), ipv4("198.51.100.1", payload=udp(), dscp=46)
SRV6 = srv6(["fc00:c::2", "fc00:c::1"], tag=77)
FIRST, SECOND = "fc00:d::1", "fc00:d::2"
Run = Callable[..., Outcome]


@pytest.fixture
def run(runner: Runner, tmp_path: Path) -> Run:
    def run_(hook: str, body: str, packet: bytes = SIX, environment: Environment = ROUTER, on_fault: str = "DROP") -> Outcome:
        packet_class = {"lwt_in": "LwtInPacket", "lwt_out": "LwtOutPacket", "lwt_xmit": "LwtXmitPacket"}[hook]
        lines = "".join(f"    {line}\n" for line in body.strip("\n").split("\n"))
        before = f'FIRST = Config(IPv6Address, default=IPv6Address("{FIRST}"))\nSECOND = IPv6Address("{SECOND}")\n'
        source = f"{HEADER}{before}\n@{hook}(on_fault={on_fault})\ndef f(pkt: {packet_class}) -> Verdict:\n{lines}"
        path = tmp_path / "case.py"
        path.write_text(source, encoding="utf-8")
        image = configure(pybpfnf.read(pybpfnf.build(path)), {})
        with runner.open(image, image.program(), environment) as session:
            return session.run(packet)

    return run_


HOOKS = pytest.mark.parametrize("hook", ["lwt_in", "lwt_out", "lwt_xmit"])
NO_IPV6 = "if pkt.ipv6 is None:\n    return DROP\n"
FRAGMENT = SRV6[:6] + b"\x2c" + SRV6[7:40] + b"\x2b" + bytes(7) + SRV6[40:]


@HOOKS
@pytest.mark.parametrize(("packet", "there"), [(SIX, True), (SRV6, True), (FOUR, False)], ids=["IPv6", "SRv6", "IPv4"])
def test_ipv6_is_none_for_an_ipv4_packet(run: Run, hook: str, packet: bytes, there: bool) -> None:
    outcome = run(hook, "return OK if pkt.ipv6 is not None else DROP", packet)
    assert (outcome.forwarded, outcome.fault) == (there, None)


OPTIONS = [hop_by_hop(), destination_options()]
PACKETS = {
    "none": (SIX, False),
    "first": (SRV6, True),
    "after options": (srv6(["fc00:c::2", "fc00:c::1"], tag=77, options=OPTIONS), True),
    "last segment": (srv6(["fc00:c::1"], tag=77), True),
    "IPv4": (FOUR, False),
    "another routing type": (srv6(["fc00:c::2", "fc00:c::1"], tag=77, routing_type=3), False),
    "behind a fragment header": (FRAGMENT, False),
    "cut": (ipv6("fc00:a::1", payload=udp(), next_header=43)[:44], False),
    "cut at its end": (SRV6[:4] + b"\0\x07" + SRV6[6:47], False),
    "four headers": (srv6(["fc00:c::2", "fc00:c::1"], options=[destination_options()] * 3), True),
}


@HOOKS
@pytest.mark.parametrize("name", [name for name in PACKETS if name != "cut"])
def test_srh_is_none_for_a_packet_without_one(run: Run, hook: str, name: str) -> None:
    packet, there = PACKETS[name]
    outcome = run(hook, "srh = pkt.srh\nif srh is None:\n    return DROP\nreturn OK", packet)
    assert (outcome.forwarded, outcome.verdict, outcome.fault) == (there, 0 if there else 2, None)


@HOOKS
def test_fields_of_a_header_that_is_there(run: Run, hook: str) -> None:
    body = "if pkt.srh is not None and pkt.srh.tag == 77 and pkt.ipv6.next_header == 43:\n    pkt.mark = pkt.srh.tag\nreturn OK"
    assert run(hook, body, SRV6).mark == 77
    assert run(hook, body, SIX).mark == 0


@HOOKS
def test_the_answer_is_a_bool_too(run: Run, hook: str) -> None:
    body = "six = pkt.ipv6 is not None\nrouted = pkt.srh is None\npkt.mark = u32(six) * 2 + u32(routed)\nreturn OK"
    assert [run(hook, body, packet).mark for packet in (SIX, SRV6, FOUR)] == [3, 2, 1]


@HOOKS
def test_or_asks_the_second_only_where_the_first_is_there(run: Run, hook: str) -> None:
    body = "if pkt.srh is None or pkt.srh.tag != 77:\n    return DROP\nreturn OK"
    assert [run(hook, body, packet).forwarded for packet in (SIX, SRV6, srv6(["fc00:c::1"], tag=1), FOUR)] == [False, True, False, False]


@HOOKS
def test_an_assertion_of_a_header_faults_where_it_is_not(run: Run, hook: str) -> None:
    outcome = run(hook, "assert pkt.srh is not None\npkt.mark = pkt.srh.tag\nreturn OK", SIX, on_fault="OK")
    assert outcome.fault is not None
    assert (outcome.fault.message, outcome.forwarded) == ("assert pkt.srh is not None", True)


@HOOKS
def test_fields_of_the_context(run: Run, hook: str) -> None:
    outcome = run(hook, "pkt.mark = pkt.len * 100 + pkt.ingress_ifindex * 10 + pkt.ifindex\nreturn OK")
    came_by = Environment().ifindex
    assert outcome.mark == len(SIX) * 100 + came_by * 10 + came_by + (hook == "lwt_xmit")


@HOOKS
@pytest.mark.parametrize(("packet", "ether_type"), [(SIX, 0x86DD), (FOUR, 0x0800)], ids=["IPv6", "IPv4"])
def test_the_protocol_is_an_ether_type(run: Run, hook: str, packet: bytes, ether_type: int) -> None:
    assert run(hook, "pkt.mark = pkt.protocol + pkt.vlan_proto\nreturn OK", packet).mark == ether_type


# ------------------------------------------------------------------------------------------------- encapsulation


def header(*path: str, number: int = 41, **fields: Any) -> bytes:
    return bytes((number,)) + srh([*reversed(path)], **fields).body


def outer(packet: bytes, pushed: bytes, destination: str, **fields: int) -> bytes:
    given: dict[str, Any] = {"source": "fc00:b::99", "hop_limit": packet[7], "traffic_class": 0xB8} | fields
    return (
        pack("ipv6", version=6, payload_length=len(pushed) + len(packet), next_header=43, destination=destination, **given)
        + pushed
        + packet
    )


@pytest.mark.parametrize("verdict", ["OK", "REROUTE"])
def test_push_encap_goes_the_path_in_order(run: Run, verdict: str) -> None:
    outcome = run("lwt_in", f"{NO_IPV6}pkt.push_encap(Srh(path=[FIRST, SECOND], tag=9))\nreturn {verdict}")
    assert outcome.packet == outer(SIX, header(FIRST, SECOND, tag=9), FIRST)


def test_push_encap_with_a_tlv(run: Run) -> None:
    """A field of the packet inside, written before it moved."""
    body = NO_IPV6 + "pkt.push_encap(Srh(path=[pkt.ipv6.destination], flags=pkt.ipv6.hop_limit))\nreturn OK"
    outcome = run("lwt_in", body)
    assert outcome.packet == outer(SIX, header("fc00:a::1", flags=64), "fc00:a::1")


def test_push_encap_inline_keeps_the_destination_as_the_last_segment(run: Run) -> None:
    outcome = run("lwt_in", f"{NO_IPV6}pkt.push_encap_inline(Srh(path=[FIRST, SECOND]))\nreturn OK")
    pushed = header(FIRST, SECOND, "fc00:a::1", number=17)
    before = SIX[:4] + (len(SIX) - 40 + len(pushed)).to_bytes(2, "big") + b"\x2b" + SIX[7:24] + IPv6Address(FIRST).packed
    assert outcome.packet == before + pushed + SIX[40:]


@pytest.mark.parametrize("call", ["push_encap(Srh(path=[SECOND]))", "push_encap_inline(Srh(path=[SECOND]))"])
def test_a_path_that_leads_nowhere_is_a_fault(run: Run, call: str) -> None:
    outcome = run("lwt_in", f"{NO_IPV6}pkt.{call}\nreturn OK", environment=replace(ROUTER, unreachable=("fc00:d::/32",)))
    assert outcome.fault is not None
    assert (outcome.verdict, outcome.forwarded) == (2, False)


@pytest.mark.parametrize("packet", [SIX, pytest.param(FOUR, marks=ATOMIC_FRAGMENT)], ids=["IPv6", "IPv4"])
@pytest.mark.parametrize("hook", ["lwt_in", "lwt_xmit"])
def test_push_ip_takes_both_versions(run: Run, hook: str, packet: bytes) -> None:
    body = "pkt.push_ip(Srh(path=[FIRST, SECOND]), source=IPv6Address('fc00:9::9'), hop_limit=33)\nreturn REROUTE"
    outcome = run(hook, body, packet)
    inside = run("lwt_out", "return OK", packet).packet if hook == "lwt_xmit" else packet
    assert inside is not None
    pushed = header(FIRST, SECOND, number=41 if packet is SIX else 4)
    assert outcome.packet == outer(inside, pushed, FIRST, source=int(IPv6Address("fc00:9::9")), hop_limit=33, traffic_class=0)
    assert outcome.runs == 1


def test_two_encapsulations_one_in_the_other(run: Run) -> None:
    body = (
        f"{NO_IPV6}pkt.push_encap(Srh(path=[SECOND]))\nassert pkt.srh is not None\npkt.mark = pkt.srh.last_entry + 5\n"
        "pkt.push_encap(Srh(path=[FIRST]))\nreturn OK"
    )
    outcome = run("lwt_in", body)
    assert outcome.packet == outer(outer(SIX, header(SECOND), SECOND), header(FIRST), FIRST)
    assert outcome.mark == 5


def test_a_packet_that_is_routed_anew_can_meet_the_function_again(run: Run) -> None:
    """The encapsulated packet goes to the function's own route: there is an SRH now, and it is left alone."""
    body = "if pkt.srh is not None:\n    return OK\npkt.push_ip(Srh(path=[IPv6Address('fc00:a::1')]), source=FIRST)\nreturn REROUTE"
    outcome = run("lwt_in", body)
    assert outcome.runs == 2
    assert outcome.packet == outer(SIX, header("fc00:a::1"), "fc00:a::1", source=int(IPv6Address(FIRST)), hop_limit=64, traffic_class=0)
