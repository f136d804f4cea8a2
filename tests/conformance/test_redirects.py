"""Packets that leave by another device, which lwt_xmit alone may send there: on the VM, in the kernel, and by the evaluator."""

from __future__ import annotations

import struct
from typing import Final

import pytest

from pybpfnf import (
    DROP,
    OK,
    REDIRECT,
    Array,
    Config,
    LwtXmitPacket,
    Program,
    Struct,
    Verdict,
    XmitIpv6,
    backend,
    func,
    helpers,
    image,
    lwt_xmit,
)

from pybpfnf import octets, u32  # isort: skip
from pybpfnf.dsl import compile_module
from pybpfnf.runner import Environment, Outcome, Redirected, Runner
from pybpfnf.testing.evaluate import Evaluator
from pybpfnf.testing.packets import ipv4, ipv6, srv6, udp

TUNNEL: Final = 7
WIRE: Final = 8
ROUTER: Final = Environment(mark=3, devices={TUNNEL: "ip", WIRE: "ethernet"})
SIX, FOUR = ipv6("fc00:a::1", payload=udp()), ipv4("198.51.100.1", payload=udp())
SRV6 = srv6(["fc00:c::2", "fc00:c::1"], tag=77)
DESTINATION, SOURCE = b"\x02\0\0\0\0\x11", b"\x02\0\0\0\0\x22"


class Hop(Struct):
    port: u32
    mac: bytes = octets(6)


OUT = Config(u32, default=7)
hops = Array(Hop, 2)


def run(runner: Runner, program: Program, packet: bytes) -> Outcome:
    """By the runner; by the evaluator the same frames are handed to the devices."""
    module = compile_module([program])
    built = image.read(backend.build(module))
    with runner.open(built, built.program(), ROUTER) as session:
        outcome = session.run(packet)
    if not any(node.name == "hops" for node in module.maps):
        expected = Evaluator(module, module.functions[0], ROUTER).run(as_forwarded(packet))
        assert expected.verdict == outcome.verdict
    return outcome


def as_forwarded(packet: bytes) -> bytes:
    if packet[0] >> 4 == 6:
        return packet[:7] + bytes((packet[7] - 1,)) + packet[8:]
    checksum = struct.unpack_from(">H", packet, 10)[0] + 0x100
    return packet[:8] + bytes((packet[8] - 1,)) + packet[9:10] + struct.pack(">H", (checksum & 0xFFFF) + (checksum >> 16)) + packet[12:]


def ethernet(packet: bytes) -> bytes:
    return DESTINATION + SOURCE + (b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd") + packet


@lwt_xmit(on_fault=DROP)
def to_tunnel(pkt: LwtXmitPacket) -> Verdict:
    return pkt.redirect(OUT)


@lwt_xmit(on_fault=DROP)
def to_wire(pkt: LwtXmitPacket) -> Verdict:
    pkt.mark = 9
    return pkt.redirect(8, destination=b"\x02\0\0\0\0\x11", source=b"\x02\0\0\0\0\x22")


@lwt_xmit(on_fault=DROP)
def framed_to_tunnel(pkt: LwtXmitPacket) -> Verdict:
    return pkt.redirect(7, destination=b"\x02\0\0\0\0\x11", source=b"\x02\0\0\0\0\x22")


PACKETS = pytest.mark.parametrize("packet", [SIX, FOUR, SRV6], ids=["IPv6", "IPv4", "SRv6"])


@PACKETS
@pytest.mark.parametrize("program", [to_tunnel, framed_to_tunnel], ids=["bare", "framed"])
def test_a_device_of_ip_packets_gets_the_packet(runner: Runner, program: Program, packet: bytes) -> None:
    outcome = run(runner, program, packet)
    assert (outcome.verdict, outcome.fault, outcome.forwarded, outcome.packet) == (REDIRECT, None, False, None)
    assert outcome.redirected == (Redirected(TUNNEL, as_forwarded(packet)),)
    assert outcome.reason == "the packet left by another device"


@PACKETS
def test_an_ethernet_device_gets_the_packet_with_the_header(runner: Runner, packet: bytes) -> None:
    outcome = run(runner, to_wire, packet)
    assert (outcome.verdict, outcome.fault, outcome.packet, outcome.mark) == (REDIRECT, None, None, 9)
    assert outcome.redirected == (Redirected(WIRE, ethernet(as_forwarded(packet))),)


@lwt_xmit(on_fault=DROP)
def bare_to_wire(pkt: LwtXmitPacket) -> Verdict:
    return pkt.redirect(8)


@lwt_xmit(on_fault=DROP)
def nowhere(pkt: LwtXmitPacket) -> Verdict:
    return pkt.redirect(99)


@pytest.mark.parametrize("program", [bare_to_wire, nowhere])
def test_the_kernel_drops_what_a_device_does_not_take(runner: Runner, program: Program) -> None:
    outcome = run(runner, program, SIX)
    assert (outcome.verdict, outcome.fault, outcome.forwarded, outcome.redirected) == (REDIRECT, None, False, ())


@lwt_xmit(on_fault=DROP)
def by_name(pkt: LwtXmitPacket) -> Verdict:
    """The helpers by their names: the header is the function's own business."""
    helpers.redirect(7, 0)
    return REDIRECT


def test_the_helper_by_its_name_and_the_verdict(runner: Runner) -> None:
    assert run_alone(runner, by_name, SIX).redirected == (Redirected(TUNNEL, as_forwarded(SIX)),)


@lwt_xmit(on_fault=DROP)
def by_map(pkt: LwtXmitPacket) -> Verdict:
    """To what the control plane says, by a function of one's own."""
    hop = hops[pkt.mark & 1]
    if hop.port == 0:
        return OK
    return send(pkt, hop.port, hop.mac == b"\0\0\0\0\0\0")


@func(inline=False)
def send(pkt: LwtXmitPacket, port: u32, bare: bool) -> Verdict:
    if bare:
        return pkt.redirect(port)
    return pkt.redirect(port, destination=hops[1].mac, source=hops[0].mac)


@pytest.mark.parametrize(
    ("port", "mac", "frame"), [(WIRE, DESTINATION, ethernet(as_forwarded(SIX))), (TUNNEL, bytes(6), as_forwarded(SIX))]
)
def test_addresses_come_from_a_map(runner: Runner, port: int, mac: bytes, frame: bytes) -> None:
    built = image.read(backend.build(compile_module([by_map])))
    with runner.open(built, built.program(), ROUTER) as session:
        left = session.run(SIX)
        assert left.packet == as_forwarded(SIX)
        session.maps["hops"].update(bytes(4), struct.pack("<I6s2x", 0, SOURCE))
        session.maps["hops"].update(struct.pack("<I", 1), struct.pack("<I6s2x", port, mac))
        outcome = session.run(SIX)
        assert outcome.fault is None
        assert outcome.redirected == (Redirected(port, frame),)


@lwt_xmit(on_fault=DROP)
def copies(pkt: LwtXmitPacket) -> Verdict:
    """A copy before and one after a write, and the packet itself goes on."""
    ip = pkt.ipv6
    if ip is None:
        return DROP
    pkt.clone_redirect(OUT)
    ip.hop_limit = 9
    for i in range(2):
        label(ip, i + 5)
        pkt.clone_redirect(7)
    return OK


@func
def label(header: XmitIpv6, value: u32) -> None:
    header.flow_label = value


def test_copies_are_as_the_packet_was_and_the_packet_goes_on(runner: Runner) -> None:
    outcome = run(runner, copies, SIX)
    before = as_forwarded(SIX)
    expected = [before, *(b"\x60\0\0" + bytes((number,)) + before[4:7] + b"\x09" + before[8:] for number in (5, 6))]
    assert outcome.fault is None
    assert outcome.redirected == tuple(Redirected(TUNNEL, frame) for frame in expected)
    assert outcome.packet == expected[-1]


@lwt_xmit(on_fault=OK)
def copy_nowhere(pkt: LwtXmitPacket) -> Verdict:
    pkt.clone_redirect(99)
    return DROP


def test_a_copy_for_no_device_is_a_fault(runner: Runner) -> None:
    outcome = run_alone(runner, copy_nowhere, SIX)
    assert outcome.fault is not None
    assert (outcome.fault.message, outcome.packet, outcome.redirected) == ("the copy was not sent", as_forwarded(SIX), ())


def run_alone(runner: Runner, program: Program, packet: bytes) -> Outcome:
    built = image.read(backend.build(compile_module([program])))
    with runner.open(built, built.program(), ROUTER) as session:
        return session.run(packet)


@pytest.mark.parametrize("packet", [SIX, FOUR])
def test_the_evaluator_hands_over_the_same_frame(packet: bytes) -> None:
    module = compile_module([to_wire])
    done = Evaluator(module, module.functions[0], ROUTER).run(packet)
    assert (done.verdict, done.redirected) == (REDIRECT, (Redirected(WIRE, ethernet(packet)),))
