"""The protocol of delay monitoring as bytes: the DM and the URO TLV, and the datagram that answers a one-way probe.

After section 4.1 of "Leveraging eBPF for programmable network functions with IPv6 Segment Routing" (CoNEXT 2018) and RFC 6374 section 3.2.
Functions have the same TLVs in `pybpfnf.tlvs`; a test compares the two. Times are nanoseconds since 1970, delays nanoseconds.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from ipaddress import IPv6Address
from typing import Final, final

from pybpfnf.abi.headers import HEADERS, NEXT_HEADERS, ROUTING_TYPES, SEGMENT_SIZE
from pybpfnf.errors import InputError
from pybpfnf.records import dataclass

VERSION: Final = 1
RESPONSE: Final = 0x80  # flag R, in the high half of the byte that has the version in its low one
PTP: Final = 3  # format of a time: 32 bits of seconds, 32 bits of nanoseconds (RFC 6374 section 3.4)
LARGEST_SESSION: Final = (1 << 24) - 1
SECOND: Final = 1_000_000_000

DM_TYPE: Final = 7
URO_TYPE: Final = 131
# type, length, reserved; version and flags, control code, reserved; formats, preferred format, reserved; session and traffic class;
# T1 to T4, each seconds and nanoseconds.
DM: Final = struct.Struct(">BBH BBH BBH I 8I")
URO: Final = struct.Struct(">BBH 16s")

IPV6_SIZE: Final = HEADERS["ipv6"].size
SRH_SIZE: Final = HEADERS["srh"].size


class Query(IntEnum):
    """Control codes of a query: who is told."""

    IN_BAND = 0
    OUT_OF_BAND = 1
    NONE = 2


class Reply(IntEnum):
    """Control codes of a response."""

    SUCCESS = 0x01
    GENERIC_ERROR = 0x10
    BAD_VERSION = 0x11  # another version, or a response that came as a query
    BAD_CONTROL = 0x12


class ProtocolError(InputError):
    """Bytes that are no message of the protocol. `kind` says why in few words, the same for all of a kind; the message has the numbers."""

    def __init__(self, kind: str, detail: str = "", *, hint: str | None = None) -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind, hint=hint)
        self.kind = kind


@final
@dataclass(frozen=True, slots=True)
class DelayMeasurement:
    """A DM TLV. A time of 0 has not been taken. `control` is a `Query` or, with `response`, a `Reply`."""

    control: int
    session: int
    t1: int
    t2: int = 0
    t3: int = 0
    t4: int = 0
    response: bool = False
    traffic_class: int = 0

    def encode(self) -> bytes:
        """The 48 bytes. Raises ProtocolError for a session or a time that does not fit."""
        if not 0 <= self.session <= LARGEST_SESSION:
            raise ProtocolError("a session has 24 bits", str(self.session), hint=f"give 0 to {LARGEST_SESSION}")
        flags = RESPONSE | VERSION if self.response else VERSION
        times = [part for time in (self.t1, self.t2, self.t3, self.t4) for part in _parts(time)]
        word = self.session << 8 | self.traffic_class
        return DM.pack(DM_TYPE, DM.size - 2, 0, flags, self.control, 0, PTP << 4 | PTP, PTP << 4, 0, word, *times)


@final
@dataclass(frozen=True, slots=True)
class ReplyTo:
    """A URO TLV (UDP return object): where the times of a one-way probe are sent."""

    address: IPv6Address
    port: int

    def encode(self) -> bytes:
        return URO.pack(URO_TYPE, URO.size - 2, self.port, self.address.packed)


@final
@dataclass(frozen=True, slots=True)
class Answer:
    """What a responder sends of a one-way probe: its DM TLV, and the outer IPv6 header and SRH that it came with."""

    measurement: DelayMeasurement
    source: IPv6Address
    segments: tuple[IPv6Address, ...]  # as on the wire: the last of the path first
    segments_left: int

    @property
    def path(self) -> tuple[IPv6Address, ...]:
        """The segments in travel order."""
        return self.segments[::-1]

    @property
    def delay(self) -> int:
        """T2 - T1: negative where the two clocks do not agree."""
        return self.measurement.t2 - self.measurement.t1


def two_way_delay(measurement: DelayMeasurement) -> int:
    """(T4 - T1) - (T3 - T2): the way there and back, without the time that the responder took."""
    return (measurement.t4 - measurement.t1) - (measurement.t3 - measurement.t2)


def parse_measurement(data: bytes | bytearray | memoryview) -> DelayMeasurement:
    """The DM TLV at the beginning of `data`. Raises ProtocolError for what is none of this version and these formats."""
    if len(data) < DM.size:
        raise ProtocolError("too short for a DM TLV", f"{len(data)} bytes")
    type_, length, _, version, control, _, formats, _, _, word, *parts = DM.unpack_from(data)
    if (type_, length) != (DM_TYPE, DM.size - 2):
        raise ProtocolError("no DM TLV", f"type {type_}, length {length}")
    if version & ~RESPONSE != VERSION:
        raise ProtocolError("another version or flag", f"{version:#04x}")
    response = version != VERSION
    if control not in (_REPLIES if response else _QUERIES):
        raise ProtocolError(f"no control code of a {'response' if response else 'query'}", f"{control:#04x}")
    if formats != PTP << 4 | PTP:
        raise ProtocolError("another format of times", f"{formats:#04x}")
    t1, t2, t3, t4 = (_nanoseconds(parts[at], parts[at + 1]) for at in range(0, 8, 2))
    return DelayMeasurement(control, word >> 8, t1, t2, t3, t4, response, word & 0xFF)


def parse_reply_to(data: bytes | bytearray | memoryview) -> ReplyTo:
    """The URO TLV at the beginning of `data`. Raises ProtocolError."""
    if len(data) < URO.size:
        raise ProtocolError("too short for a URO TLV", f"{len(data)} bytes")
    type_, length, port, address = URO.unpack_from(data)
    if (type_, length) != (URO_TYPE, URO.size - 2):
        raise ProtocolError("no URO TLV", f"type {type_}, length {length}")
    if port == 0:
        raise ProtocolError("a URO TLV without a port")
    return ReplyTo(IPv6Address(address), port)


def parse_answer(datagram: bytes | bytearray | memoryview) -> Answer:
    """A whole datagram: DM TLV, IPv6 header, SRH, and nothing after it. Raises ProtocolError for anything else."""
    measurement = parse_measurement(datagram)
    if not measurement.response:
        raise ProtocolError("a query, where an answer is due")
    srh = DM.size + IPV6_SIZE
    if len(datagram) < srh + SRH_SIZE:
        raise ProtocolError("too short for an IPv6 header and an SRH", f"{len(datagram)} bytes")
    if datagram[DM.size] >> 4 != 6:
        raise ProtocolError("no IPv6 header after the DM TLV")
    length, kind, left, last = datagram[srh + 1 : srh + 5]
    if kind != ROUTING_TYPES["srh"]:
        raise ProtocolError("another routing header than an SRH", f"type {kind}")
    if len(datagram) != srh + (length + 1) * 8:
        raise ProtocolError("an SRH of another length", f"{(length + 1) * 8} bytes in a datagram of {len(datagram)}")
    if last * 2 + 2 > length or left > last + 1:
        raise ProtocolError("segments that the SRH does not have", f"{left} left of {last + 1} in {(length + 1) * 8} bytes")
    segments = tuple(_address(datagram, srh + SRH_SIZE + SEGMENT_SIZE * index) for index in range(last + 1))
    return Answer(measurement, _address(datagram, DM.size + 8), segments, left)


def measurement_in(packet: bytes, destination: IPv6Address) -> DelayMeasurement:
    """The DM TLV of a packet that has come to its last segment, `destination`, from its IPv6 header on. Raises ProtocolError."""
    srh = IPV6_SIZE
    if len(packet) < srh + SRH_SIZE or packet[0] >> 4 != 6 or packet[6] != NEXT_HEADERS["routing"] or _address(packet, 24) != destination:
        raise ProtocolError("no packet for us with an SRH")
    length, kind, left, last = packet[srh + 1 : srh + 5]
    end = srh + (length + 1) * 8
    if kind != ROUTING_TYPES["srh"] or left or end > len(packet):
        raise ProtocolError("no SRH that has come to its last segment")
    at = srh + SRH_SIZE + SEGMENT_SIZE * (last + 1)
    while at + 2 <= end:
        if packet[at] == DM_TYPE and at + 2 + packet[at + 1] <= end:
            return parse_measurement(packet[at:end])
        at += 2 + packet[at + 1]
    raise ProtocolError("no DM TLV")


def build_answer(answer: Answer, *, hop_limit: int = 64) -> bytes:
    """The datagram. The SRH has no TLVs: that with the times is in front, and the other says only where it goes."""
    count = len(answer.segments)
    srh = (NEXT_HEADERS["ipv6"], 2 * count, ROUTING_TYPES["srh"], answer.segments_left, count - 1, 0, 0, 0)
    body = bytes(srh) + b"".join(segment.packed for segment in answer.segments)
    active = answer.segments[min(answer.segments_left, len(answer.segments) - 1)]
    ipv6 = struct.pack(">IHBB", 6 << 28, len(body), NEXT_HEADERS["routing"], hop_limit) + answer.source.packed + active.packed
    return answer.measurement.encode() + ipv6 + body


_QUERIES = frozenset(Query)
_REPLIES = frozenset(Reply)


def _address(data: bytes | bytearray | memoryview, at: int) -> IPv6Address:
    return IPv6Address(bytes(data[at : at + SEGMENT_SIZE]))


def _parts(nanoseconds: int) -> tuple[int, int]:
    seconds, rest = divmod(nanoseconds, SECOND)
    if not 0 <= seconds < 1 << 32:
        raise ProtocolError("a time has 32 bits of seconds", f"{nanoseconds} ns")
    return seconds, rest


def _nanoseconds(seconds: int, rest: int) -> int:
    if rest >= SECOND:
        raise ProtocolError("a time of a second or more in nanoseconds", str(rest))
    return seconds * SECOND + rest
