"""Packets as a hostile network brings them: well-formed ones, and what is left of them after a few random changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import TypeAlias

from pybpfnf.abi.headers import ETHER_TYPES
from pybpfnf.testing import packets
from pybpfnf.testing.packets import Tlv

SID = "fc00:a::1"
_HOPS = [f"fc00:c::{number:x}" for number in range(1, 9)]


def well_formed(random: Random) -> bytes:
    """An SRv6 packet to `SID`, with segments left."""
    segments = random.sample(_HOPS, random.randint(1, 5))
    left = random.randint(1, len(segments))
    tlvs = [Tlv(random.randint(1, 255), random.randbytes(random.randint(0, 24))) for _ in range(random.randint(0, 3))]
    return packets.srv6(
        segments=segments,
        segments_left=left,
        destination=SID,
        tlvs=tlvs,
        tag=random.randint(0, 0xFFFF),
        flags=random.choice((0, 0, 0, 0x08, 0x20)),
        payload=packets.udp(random.randbytes(random.randint(0, 64))),
        options=[packets.destination_options()] if random.random() < 0.05 else [],
    )


def any_ipv6(random: Random) -> bytes:
    """A packet to `SID`: with an SRH, or UDP, TCP or ICMPv6 at once."""
    if random.random() < 0.5:
        return well_formed(random)
    data = random.randbytes(random.randint(0, 64))
    payload = random.choice((packets.udp, packets.tcp, packets.icmpv6_echo))(data)
    return packets.ipv6(SID, payload=payload)


Make: TypeAlias = Callable[[Random], bytes]


def mutated_packets(seed: int, count: int, make: Make = well_formed) -> Iterator[bytes]:
    """A quarter of them as they were made, the others with bytes changed, cut off or added. The same seed, the same packets."""
    random = Random(seed)
    for _ in range(count):
        packet = bytearray(make(random))
        for _ in range(random.choice((0, 1, 1, 2))):
            _MUTATIONS[random.randrange(len(_MUTATIONS))](random, packet)
        yield bytes(packet)


_MACS = bytes.fromhex("02000000000b020000000001")
_SHORTEST = 60  # what Ethernet pads to; the kernel's test run takes no IP packet shorter than its header


def generated_frames(seed: int, count: int) -> Iterator[bytes]:
    """The same in Ethernet frames, some of them with VLAN tags, or for a group; and IPv4."""
    random = Random(seed)
    for packet in mutated_packets(seed, count, any_frame_content):
        kind = ETHER_TYPES["ipv4" if packet[:1] and packet[0] >> 4 == 4 else "ipv6"].to_bytes(2, "big")
        tag = random.choice((b"", b"", b"", b"\x81\x00" + random.randbytes(2), b"\x88\xa8\x00\x01\x81\x00\x00\x02"))
        group = random.choice((0, 0, 0, 1))
        yield (bytes([_MACS[0] | group]) + _MACS[1:] + tag + kind + packet).ljust(_SHORTEST, b"\0")


def any_frame_content(random: Random) -> bytes:
    """An IP packet of either version."""
    data = random.randbytes(random.randint(0, 64))
    return (
        packets.ipv4("198.51.100.1", payload=random.choice((packets.udp, packets.tcp))(data)) if random.random() < 0.3 else any_ipv6(random)
    )


def _change_header(random: Random, packet: bytearray) -> None:
    """A byte of the IPv6 header or of the SRH's fixed part, where the checks are."""
    if packet:
        packet[random.randrange(min(len(packet), 48))] = random.randrange(256)


def _change_count(random: Random, packet: bytearray) -> None:
    """HdrLen, Segments Left or Last Entry, by a little."""
    if len(packet) > 44:
        at = random.choice((41, 43, 44))
        packet[at] = packet[at] + random.choice((-2, -1, 1, 2)) & 0xFF


def _change_any(random: Random, packet: bytearray) -> None:
    if packet:
        packet[random.randrange(len(packet))] = random.randrange(256)


def _cut(random: Random, packet: bytearray) -> None:
    del packet[random.randrange(len(packet) + 1) :]


def _lengthen(random: Random, packet: bytearray) -> None:
    packet += random.randbytes(random.randint(1, 40))


def _special_address(random: Random, packet: bytearray) -> None:
    """Source, destination or a segment becomes one that the kernel treats in a way of its own."""
    at = random.choice((8, 24, 48, 64))
    if len(packet) >= at + 16:
        packet[at : at + 16] = bytes.fromhex(random.choice(_SPECIAL))


_SPECIAL = (
    "ff020000000000000000000000000001",
    "fe800000000000000000000000000001",
    "00000000000000000000000000000001",
    "00000000000000000000000000000000",
    "fc00000b00000000000000000000000b",
    "fc00000a000000000000000000000001",
    "00000000000000000000ffffe0000001",
)
_MUTATIONS = (_change_header, _change_count, _change_any, _cut, _lengthen, _special_address)
