"""Writes to a packet whose checksums follow (RFC 1071, RFC 1624 section 3). Made to be read."""

from __future__ import annotations

from pybpfnf.abi.checksums import CHECKSUM_SIZE, CHECKSUMS
from pybpfnf.abi.headers import HEADERS, NEXT_HEADERS, Field, Header
from pybpfnf.testing.model_headers import require, routing_segments_left, upper_layer
from pybpfnf.testing.model_packet import ModelPacket

_IPV4_CHECKSUM = CHECKSUMS[NEXT_HEADERS["ipv4"]].offset
_ADDRESSES = ("source", "destination")


def write_header(packet: ModelPacket, header: Header, field: Field, value: int | bytes) -> None:
    """A field of the IP header or the SRH in lwt_xmit. Raises PacketError where the upper layer is cut off, before it writes."""
    is_address = header.name != HEADERS["srh"].name and field.name in _ADDRESSES
    upper = _upper_checksum(packet, field.name) if is_address else None
    if header.name == HEADERS["srh"].name:
        packet.write(header, field, value)
        return
    before = packet.read_at(field.offset, field.storage)
    packet.write(header, field, value)
    after = packet.read_at(field.offset, field.storage)
    if header.name == HEADERS["ipv4"].name:
        mend(packet, _IPV4_CHECKSUM, field.offset % 2, before, after)
    if upper is not None:
        mend(packet, upper[0], 0, before, after, optional=upper[1])


def _upper_checksum(packet: ModelPacket, address: str) -> tuple[int, bool] | None:
    """Where the checksum is that is taken over this address, and whether it may be left out; None where there is none."""
    data = packet.encode()
    found = upper_layer(data)
    if found is None or (address == "destination" and routing_segments_left(data)):
        return None
    number, at = found
    row = CHECKSUMS.get(number)
    if row is None or not row.addresses:
        return None
    return require(data, at + row.offset, CHECKSUM_SIZE), row.optional


def mend(packet: ModelPacket, place: int, odd: int, before: bytes, after: bytes, *, optional: bool = False) -> None:
    """The checksum at `place`, for bytes that have changed; `odd`: 1 where they begin at the second byte of a word."""
    old = int.from_bytes(packet.read_at(place, CHECKSUM_SIZE), "big")
    if optional and old == 0:
        return
    total = (0xFFFF - old + _sum(after, odd) - _sum(before, odd)) % 0xFFFF
    new = 0xFFFF - total if total else 0
    packet.write_at(place, (new or (0xFFFF if optional else 0)).to_bytes(CHECKSUM_SIZE, "big"))


def _sum(data: bytes, odd: int) -> int:
    """Of 16-bit words in network byte order, what is missing of the first and last being zeros."""
    padded = bytes(odd) + data + bytes((odd + len(data)) % 2)
    return sum(int.from_bytes(padded[at : at + 2], "big") for at in range(0, len(padded), 2))
