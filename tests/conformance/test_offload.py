"""Packets as cards and local senders hand them over: one for many, in pieces, with a checksum to be completed. On both runners."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

import pybpfnf
from pybpfnf.runner import Environment, Outcome, Runner
from pybpfnf.testing.packets import hop_by_hop, ipv4, ipv6, srv6, tcp, udp
from tests.dsl.cases import HEADER

PLAIN: Final = Environment(mark=3)
TEXT: Final = bytes(range(256)) * 20  # more than a page: the kernel keeps less in one piece
Run = Callable[..., Outcome]
PACKETS: Final = {"lwt_seg6local": "Seg6Packet", "lwt_in": "LwtInPacket", "lwt_out": "LwtOutPacket", "lwt_xmit": "LwtXmitPacket"}
ROUTES: Final = pytest.mark.parametrize("hook", ["lwt_in", "lwt_out", "lwt_xmit"])


@pytest.fixture
def run(runner: Runner, tmp_path: Path) -> Run:
    def run_(hook: str, body: str, packet: bytes, environment: Environment) -> Outcome:
        lines = "".join(f"    {line}\n" for line in body.strip("\n").split("\n"))
        head = f"{HEADER}from pybpfnf.headers import Tcp, Udp\n\n\nclass Hop(Tlv, type=124):\n    node: u32\n    rest: u16\n"
        decorator = "@seg6local" if hook == "lwt_seg6local" else f"@{hook}(on_fault=DROP)"
        path = tmp_path / "case.py"
        path.write_text(f"{head}\n{decorator}\ndef f(pkt: {PACKETS[hook]}) -> Verdict:\n{lines}", encoding="utf-8")
        image = pybpfnf.read(pybpfnf.build(path))
        with runner.open(image, image.program(), environment) as session:
            return session.run(packet)

    return run_


# --------------------------------------------------------------------------------------------------- one for many


NO_UDP = pytest.mark.linux("6.2", "a packet socket sends no UDP for several")


@ROUTES
@pytest.mark.parametrize(
    ("packet", "segments"),
    [
        (ipv6("fc00:a::1", payload=tcp(bytes(2900))), 3),
        (ipv6("fc00:a::1", payload=tcp(bytes(2000))), 2),
        (ipv4("198.51.100.1", payload=tcp(TEXT)), 6),
        pytest.param(ipv6("fc00:a::1", payload=udp(TEXT)), 6, marks=NO_UDP),
    ],
    ids=["TCP", "whole segments", "IPv4", "UDP"],
)
def test_a_packet_says_how_many_it_stands_for(run: Run, hook: str, packet: bytes, segments: int) -> None:
    body = "pkt.mark = pkt.gso_segs * 65536 + pkt.gso_size\nassert pkt.len > 2000\nreturn OK"
    outcome = run(hook, body, packet, replace(PLAIN, gso_size=1000, offloaded=packet[6] == 17))
    assert outcome.fault is None
    assert outcome.mark == segments << 16 | 1000


@ROUTES
def test_a_packet_that_stands_for_itself_has_no_segments(run: Run, hook: str) -> None:
    outcome = run(hook, "pkt.mark = pkt.gso_segs * 65536 + pkt.gso_size\nreturn OK", ipv6("fc00:a::1", payload=tcp(TEXT)), PLAIN)
    assert outcome.mark == 0


def test_a_port_of_a_packet_that_stands_for_several_is_written_once(run: Run) -> None:
    """Its header is every segment's."""
    body = "tcp = pkt.find(Tcp)\nif tcp is not None:\n    tcp.destination_port = 8080\nreturn OK"
    packet = ipv6("fc00:a::1", payload=tcp(TEXT))
    outcome = run("lwt_xmit", body, packet, replace(PLAIN, gso_size=1000))
    assert outcome.packet is not None
    assert len(outcome.packet) == len(packet)
    assert outcome.packet[42:44] == (8080).to_bytes(2, "big")


# ------------------------------------------------------------------------------------------ a checksum to be completed


def summed(data: bytes) -> int:
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def pseudo_sum(packet: bytes) -> int:
    """What a sender leaves in the checksum for its device: the sum over the pseudo-header, not complemented."""
    if packet[0] >> 4 == 4:
        return summed(packet[12:20] + struct.pack(">xBH", packet[9], len(packet) - 20))
    return summed(packet[8:40] + struct.pack(">I3xB", len(packet) - 40, packet[6]))


def offloaded(packet: bytes, offset: int) -> bytes:
    at = offset + (20 if packet[0] >> 4 == 4 else 40)
    return packet[:at] + pseudo_sum(packet).to_bytes(2, "big") + packet[at + 2 :]


@pytest.mark.parametrize("gso_size", [0, 1000])
@pytest.mark.parametrize(
    ("packet", "at"),
    [
        (offloaded(ipv6("fc00:a::1", payload=tcp(TEXT)), 16), 56),
        pytest.param(offloaded(ipv6("fc00:a::1", payload=udp(TEXT)), 6), 46, marks=NO_UDP),
        (offloaded(ipv4("198.51.100.1", payload=tcp(TEXT)), 16), 36),
    ],
    ids=["TCP", "UDP", "IPv4"],
)
def test_of_a_checksum_to_be_completed_the_part_with_the_addresses_follows(run: Run, packet: bytes, at: int, gso_size: int) -> None:
    body = (
        "if pkt.ipv6 is not None:\n    pkt.ipv6.source = IPv6Address('fc00:7777::7')\n"
        "    pkt.ipv6.destination = IPv6Address('fc00:8888::')\n"
        "elif pkt.ipv4 is not None:\n    pkt.ipv4.destination = 0xC6336407\n"
        "tcp, udp = pkt.find(Tcp), pkt.find(Udp)\nif tcp is not None:\n    tcp.destination_port = 8080\n"
        "elif udp is not None:\n    udp.destination_port = 8080\nreturn OK"
    )
    outcome = run("lwt_xmit", body, packet, replace(PLAIN, offloaded=True, gso_size=gso_size))
    assert outcome.fault is None
    assert outcome.packet is not None
    assert int.from_bytes(outcome.packet[at : at + 2], "big") == pseudo_sum(outcome.packet)


# ------------------------------------------------------------------------------------------------------- in pieces

PIECES: Final = [40, 44, 60, 100, 4000]
LAST: Final = len(TEXT) + 46  # of the second last byte of UDP's payload


@ROUTES
@pytest.mark.parametrize("linear", PIECES)
def test_what_lies_in_another_piece_is_found_and_read(run: Run, hook: str, linear: int) -> None:
    """A header, and bytes at an offset that is known and at one that is not."""
    body = (
        "udp = pkt.find(Udp)\nassert udp is not None\nassert udp.destination_port == 4096\n"
        f"assert pkt.load(u16, at={LAST}) == 0xFEFF\n"
        "assert pkt.load(u8, at=pkt.len - 1) == 0xFF\nmaybe = pkt.get(Udp, at=pkt.len - 8)\n"
        "assert maybe is not None\npkt.mark = maybe.checksum\n"
        "assert udp.length > 5000\nreturn OK"
    )
    packet = ipv6("fc00:a::1", payload=udp(TEXT))
    outcome = run(hook, body, packet, replace(PLAIN, linear=linear))
    assert (outcome.fault, outcome.mark) == (None, 0xFEFF)
    assert outcome.packet is not None
    assert outcome.packet[40:] == packet[40:]


@ROUTES
def test_past_the_end_of_all_pieces_is_past_the_end(run: Run, hook: str) -> None:
    packet = ipv6("fc00:a::1", payload=udp(TEXT))
    body = "pkt.mark = u32(pkt.get(Udp, at=pkt.len - 7) is None)\nseen = pkt.load(u16, at=pkt.len - 1)\nreturn OK"
    outcome = run(hook, body, packet, replace(PLAIN, linear=60))
    assert outcome.fault is not None
    assert (outcome.fault.message, outcome.mark) == ("past the end of the packet", 1)


@ROUTES
@pytest.mark.parametrize("linear", PIECES)
def test_an_srh_in_another_piece_is_there_with_its_segments_and_tlvs(run: Run, hook: str, linear: int) -> None:
    body = (
        "srh = pkt.srh\nassert srh is not None\nassert srh.segments[srh.last_entry] == IPv6Address('fc00:c::1')\n"
        "tlv = srh.find(Hop)\nassert tlv is not None\npkt.mark = tlv.node\nreturn OK"
    )
    packet = srv6(["fc00:c::9"] * 5 + ["fc00:c::1"], tlvs=bytes((124, 6, 0, 0, 0, 7, 0, 0)), payload=udp(TEXT), options=[hop_by_hop()])
    outcome = run(hook, body, packet, replace(PLAIN, linear=linear))
    assert (outcome.fault, outcome.mark) == (None, 7)


@pytest.mark.parametrize("linear", PIECES)
def test_what_lies_in_another_piece_is_written(run: Run, linear: int) -> None:
    body = (
        "assert pkt.ipv6 is not None\nfor i in range(3):\n    pkt.view(Udp, at=u32(1000 + i * 8)).length = u16(i)\n"
        "udp = pkt.find(Udp)\nassert udp is not None\nudp.destination_port = 8080\n"
        "pkt.ipv6.source = IPv6Address('fc00:7777::7')\nreturn OK"
    )
    packet = ipv6("fc00:a::1", payload=udp(TEXT))
    pieces, whole = (run("lwt_xmit", body, packet, replace(PLAIN, linear=each)) for each in (linear, None))
    assert (pieces.fault, whole.fault) == (None, None)
    assert pieces.packet == whole.packet
    assert whole.packet is not None
    assert whole.packet[1004:1006] == bytes(2)


def test_at_a_sid_the_first_piece_is_all_that_a_view_sees(run: Run) -> None:
    """The SRH is always in it; nothing is pulled there, where the kernel would free the packet."""
    packet = srv6(["fc00:c::2", "fc00:c::1"], payload=udp(TEXT))
    body = "pkt.srh.tag = 9\nif pkt.get(Udp, at=80) is None:\n    return DROP\nreturn OK"
    assert run("lwt_seg6local", body, packet, replace(PLAIN, linear=88)).forwarded
    assert not run("lwt_seg6local", body, packet, replace(PLAIN, linear=84)).forwarded
    outcome = run("lwt_seg6local", "pkt.mark = pkt.srh.last_entry\nreturn OK", packet, replace(PLAIN, linear=40))
    assert (outcome.fault, outcome.mark) == (None, 1)
