"""Captures with what a capture may have: several formats and link types, VLAN tags, padding, IPv4, parts of packets, odd time stamps."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from random import Random

from pybpfnf.testing.hostile import any_ipv6, mutated_packets, well_formed

COUNT = 500
MACS = bytes.fromhex("020000000002 020000000001")
VLAN = bytes.fromhex("8100 0007")
LINKS = {1: MACS + b"\x86\xdd", 101: b"", 113: bytes(14) + b"\x86\xdd", 276: b"\x86\xdd" + bytes(18)}


def frames(random: Random, link: int) -> Iterator[tuple[bytes, int]]:
    """Frames, and how long they were on the wire: most have an SRv6 packet, some a VLAN tag, padding, a part of a packet, or IPv4."""
    for packet in mutated_packets(random.randrange(99), COUNT, make=random.choice((well_formed, any_ipv6))):
        header = LINKS[link]
        if link == 1 and random.random() < 0.05:
            header = MACS + VLAN + b"\x86\xdd"
        elif header and random.random() < 0.05:
            header = header.replace(b"\x86\xdd", b"\x08\x00")
        frame = header + packet + bytes(random.choice((0, 0, 0, 6)))
        yield frame, len(frame) + (random.random() < 0.03)


def pcap(random: Random, order: str, link: int, nanoseconds: bool) -> bytes:
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    file = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    for at, (frame, original) in enumerate(frames(random, link)):
        fraction = random.randrange(10**9 if nanoseconds else 10**6)
        if random.random() < 0.02:
            fraction = 0xFFFFFFFF  # more than a second
        file += struct.pack(f"{order}IIII", at, fraction, len(frame), original) + frame
    return file


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack(f"{order}II", kind, len(body) + 12) + body + struct.pack(f"{order}I", len(body) + 12)


def pcapng(random: Random, order: str, link: int, resolution: bytes) -> bytes:
    """Two interfaces of one link type, of which the second comes later, with time stamps of its own; names and options between packets."""
    file = block(order, 0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))
    file += block(order, 1, struct.pack(f"{order}HHI", link, 0, 0))
    for at, (frame, original) in enumerate(frames(random, link)):
        if at == COUNT // 3:
            options = struct.pack(f"{order}HH", 9, 1) + resolution + bytes(3) + struct.pack(f"{order}HHq", 14, 8, 1_600_000_000)
            file += block(order, 1, struct.pack(f"{order}HHI", link, 0, 0) + options)
        interface = random.randrange(1 + (at >= COUNT // 3))
        ticks = random.randrange(1 << 50) if interface == 0 else random.randrange(1 << 34)
        head = struct.pack(f"{order}IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), original)
        options = struct.pack(f"{order}HHIHH", 2, 4, 1, 0, 0) if random.random() < 0.1 else b""
        file += block(order, 6, head + frame + bytes(-len(frame) % 4) + options)
        if random.random() < 0.02:
            file += block(order, 4, bytes(8)) if at % 2 else block(order, 3, struct.pack(f"{order}I", len(frame)) + frame)
    return file


CAPTURES: Mapping[str, Callable[[Random], bytes]] = {
    "pcap": lambda random: pcap(random, "<", 1, True),
    "pcap, big-endian, microseconds": lambda random: pcap(random, ">", 1, False),
    "pcap, raw IP": lambda random: pcap(random, "<", 101, True),
    "pcap, cooked": lambda random: pcap(random, "<", 113, False),
    "pcap, cooked v2": lambda random: pcap(random, ">", 276, True),
    "pcapng": lambda random: pcapng(random, "<", 1, b"\x09"),
    "pcapng, big-endian, in parts of 1024": lambda random: pcapng(random, ">", 1, b"\x8a"),
    "pcapng, in so small parts that Python counts them": lambda random: pcapng(random, "<", 101, b"\xbf"),
}
