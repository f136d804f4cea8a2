"""Packets that every function of the catalogue must do right on, and what the hook itself does to them.

What is expected is worked out here on bytes, from RFC 8754 and RFC 8986, by neither of the engines.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

from pybpfnf.runner import HmacKey
from pybpfnf.testing import packets
from pybpfnf.testing.packets import Hmac, Payload, Tlv

SID: Final = "fc00:a::1"
KEYS: Final = {1: HmacKey("sha1", b"the first key"), 2: HmacKey("sha256", b"the second key")}
UNREACHABLE: Final = "fc00:dead::/32"
LOST: Final = "fc00:dead::1"  # a next segment that no route leads to

_HOPS = ("fc00:c::1", "fc00:c::2", "fc00:c::3", "fc00:c::4")
_WRONG = b"\x55" * 32


@final
@dataclass(frozen=True, slots=True)
class Case:
    """A packet whose SRH is at `srh`."""

    packet: bytes
    srh: int = 40


def to_sid(count: int = 3, left: int | None = None, **fields: object) -> bytes:
    """A packet for the SID with `count` segments, this one the active one; `left` says how many are left."""
    active = count - 1 if left is None else left
    segments: list[str] = list(_HOPS[: count - 1])
    segments.insert(active, SID)
    return packets.srv6(segments, segments_left=active, **fields)  # type: ignore[arg-type]  # fields of several types


def reduced(count: int, **fields: object) -> bytes:
    """The SID is in the destination alone (RFC 8986 section 5.2)."""
    return packets.srv6(_HOPS[:count], segments_left=count, destination=SID, **fields)  # type: ignore[arg-type]


_TLV = Tlv(9, b"abcd")
_INNER = packets.inner(packets.srv6(_HOPS[:2], source="fd00::7", tlvs=[_TLV]))

GOOD: Final[Mapping[str, Case]] = {
    "two segments": Case(to_sid(2)),
    "three segments": Case(to_sid(3)),
    "four segments, two left": Case(to_sid(4, 2)),
    "five segments, one left": Case(to_sid(5, 1)),
    "one segment, reduced": Case(reduced(1)),
    "four segments, reduced": Case(reduced(4, tlvs=[_TLV])),
    "a TLV and padding": Case(to_sid(tlvs=[_TLV])),
    "a TLV without padding": Case(to_sid(tlvs=[Tlv(9, b"abcdef")])),
    "two TLVs": Case(to_sid(tlvs=[_TLV, Tlv(200, b"")])),
    "padding alone": Case(to_sid(tlvs=[packets.pad(8)])),
    "padding of nine bytes": Case(to_sid(tlvs=[Tlv(9, b"abcde")])),
    "padding in two TLVs": Case(to_sid(tlvs=[_TLV, packets.pad(4), packets.pad(6)])),
    "padding between TLVs": Case(to_sid(tlvs=[packets.pad(4), _TLV])),
    "zeros, four TLVs of type 0": Case(to_sid(tlvs=bytes(8))),
    "an HMAC, SHA-1": Case(to_sid(hmac=Hmac(1, KEYS[1]))),
    "an HMAC, SHA-256, after a TLV": Case(to_sid(hmac=Hmac(2, KEYS[2]), tlvs=[_TLV])),
    "an HMAC, reduced": Case(reduced(3, hmac=Hmac(2, KEYS[2]))),
    "an HMAC that no flag announces": Case(to_sid(hmac=Hmac(1, KEYS[1], _WRONG), flags=0)),
    "hop-by-hop options": Case(to_sid(options=[packets.hop_by_hop()]), srh=48),
    "destination options": Case(to_sid(options=[packets.destination_options(bytes((0x1E, 10)) + bytes(10))], tlvs=[_TLV]), srh=56),
    "both, and an HMAC": Case(
        to_sid(options=[packets.hop_by_hop(), packets.destination_options()], hmac=Hmac(1, KEYS[1])),
        srh=56,
    ),
    "TCP": Case(to_sid(payload=packets.tcp(b"data"))),
    "ICMPv6": Case(to_sid(payload=packets.icmpv6_echo(b"data"))),
    "IPv6 inside": Case(to_sid(payload=_INNER)),
    "nothing inside": Case(to_sid(payload=Payload(59, b""))),
    "all fields set": Case(to_sid(tag=0xBEEF, flags=0x20, hop_limit=255, traffic_class=0xB9, flow_label=0xFEDCB)),
}

BAD: Final[Mapping[str, bytes]] = {
    "no SRH": packets.ipv6(SID, payload=packets.udp()),
    "no SRH, IPv6 inside": packets.ipv6(SID, payload=_INNER),
    "no segments left": to_sid(3, 0),
    "no segments left, IPv6 inside": to_sid(1, payload=_INNER),
    "too many segments left": packets.srv6([*_HOPS[:2], SID], segments_left=4, destination=SID),
    "another routing type": to_sid(routing_type=3),
    "HdrLen too small for the segments": to_sid(header_length=5),
    "HdrLen past the packet": to_sid(header_length=200),
    "Last Entry too large": to_sid(last_entry=7),
    "a TLV that runs over": to_sid(tlvs=b"\x09\x07" + bytes(6), fill=False),
    "a last TLV that runs over": to_sid(tlvs=b"\x09\x00\x09\x09" + bytes(4), fill=False),
    "padding of one byte": to_sid(tlvs=b"\x09\x05" + bytes(6), fill=False),
    "a payload length past the packet": to_sid(payload_length=500),
    "cut off in the SRH": to_sid()[:80],
    "cut off in the IPv6 header": to_sid()[:39],
    "a wrong HMAC": to_sid(hmac=Hmac(1, KEYS[1], _WRONG)),
    "an HMAC with another key": to_sid(hmac=Hmac(1, KEYS[2])),
    "an HMAC with a key that nobody has": to_sid(hmac=Hmac(7, KEYS[1])),
    "IPv4": b"\x45" + to_sid()[1:],
}


def advanced(case: Case) -> bytearray:
    """The packet as the function finds it: one segment on (RFC 8754 section 4.3.1.1, S13 to S15)."""
    packet = bytearray(case.packet)
    packet[case.srh + 3] -= 1
    segment = case.srh + 8 + 16 * packet[case.srh + 3]
    packet[24:40] = packet[segment : segment + 16]
    return packet


def with_tag(packet: bytearray, srh: int, tag: int) -> bytes:
    struct.pack_into(">H", packet, srh + 6, tag)
    return bytes(packet)


def tag(packet: bytes | bytearray, srh: int) -> int:
    value: int = struct.unpack_from(">H", packet, srh + 6)[0]
    return value


def with_tlv(packet: bytearray, srh: int, tlv: bytes) -> bytes:
    """The packet with a TLV before the padding and the HMAC at the end of its SRH, padded anew to a multiple of 8 bytes."""
    start, end = srh + 8 + 16 * (packet[srh + 4] + 1), srh + 8 * (packet[srh + 1] + 1)
    tlvs = _tlvs(bytes(packet[start:end]))
    at = next((index for index, each in enumerate(tlvs) if each[0] == 5), len(tlvs))
    kept, last = tlvs[:at], tlvs[at:]
    while kept and kept[-1][0] == 4:
        kept.pop()
    area = b"".join(kept) + tlv
    missing = -len(area) % 8
    padding = 9 if missing == 1 else missing
    area += (bytes((4, padding - 2)) + bytes(padding - 2) if padding else b"") + b"".join(last)
    packet[start:end] = area
    packet[srh + 1] = (start - srh + len(area)) // 8 - 1
    struct.pack_into(">H", packet, 4, len(packet) - 40)
    return bytes(packet)


def _tlvs(area: bytes) -> list[bytes]:
    found = []
    while area:
        found.append(area[: 2 + area[1]])
        area = area[2 + area[1] :]
    return found
