"""The headers of a packet by their place: where the upper layer begins, and fields of the language's Header classes.

RFC 8200 section 4 (extension headers), RFC 4302 section 2.2 (the length of an authentication header), RFC 791 section 3.1. Made to be read.
"""

from __future__ import annotations

from pybpfnf.abi.headers import NEXT_HEADERS
from pybpfnf.dsl.types import AddressType, BoolType, IntType, OctetsType, Type, WireField
from pybpfnf.testing.model_packet import PacketError
from pybpfnf.testing.model_structs import own

_MOST = 8
_OPTIONS = (NEXT_HEADERS["hop_by_hop"], NEXT_HEADERS["destination_options"], NEXT_HEADERS["routing"])
_FRAGMENT, _AUTHENTICATION = NEXT_HEADERS["fragment"], NEXT_HEADERS["ah"]
_PAST = "past the end of the packet"
_NO_IP = "no IP header in the packet"


def upper_layer(packet: bytes) -> tuple[int, int] | None:
    """The upper layer's protocol number and offset; None in a fragment that is not the first."""
    if len(packet) < 20 or packet[0] >> 4 not in (4, 6):
        raise PacketError(_NO_IP)
    return _after_ipv4(packet) if packet[0] >> 4 == 4 else _after_ipv6(packet)


def _after_ipv4(packet: bytes) -> tuple[int, int] | None:
    if int.from_bytes(packet[6:8], "big") & 0x1FFF:
        return None
    length = (packet[0] & 0xF) * 4
    if length < 20:
        raise PacketError(_NO_IP)
    return packet[9], length


def _after_ipv6(packet: bytes) -> tuple[int, int] | None:
    if len(packet) < 40:
        raise PacketError(_NO_IP)
    number, at, headers = packet[6], 40, 0
    while number in (*_OPTIONS, _FRAGMENT, _AUTHENTICATION):
        headers += 1
        if headers > _MOST:
            raise PacketError(f"more than {_MOST} extension headers in the packet")
        header = packet[at : at + 8]
        if len(header) < 8:
            raise PacketError(_PAST)
        if number == _FRAGMENT and int.from_bytes(header[2:4], "big") >> 3:
            return None
        length = {_FRAGMENT: 8, _AUTHENTICATION: (header[1] + 2) * 4}.get(number, (header[1] + 1) * 8)
        number, at = header[0], at + length
    return number, at


def routing_segments_left(packet: bytes) -> int:
    """Of the routing headers before the upper layer of a packet that has one, whatever their type (RFC 8200 section 4.4)."""
    if packet[0] >> 4 == 4:
        return 0
    number, at, left = packet[6], 40, 0
    while number in (*_OPTIONS, _FRAGMENT, _AUTHENTICATION):
        if number == NEXT_HEADERS["routing"]:
            left |= packet[at + 3]
        length = {_FRAGMENT: 8, _AUTHENTICATION: (packet[at + 1] + 2) * 4}.get(number, (packet[at + 1] + 1) * 8)
        number, at = packet[at], at + length
    return left


def require(packet: bytes, offset: int, size: int) -> int:
    """The offset, where so many bytes are there."""
    if offset + size > len(packet):
        raise PacketError(_PAST)
    return offset


def read_wire(data: bytes, field: WireField, type_: Type) -> int | bytes | memoryview:
    """What the bytes of a field are."""
    match type_:
        case IntType():
            whole = int.from_bytes(data, "big")
            return whole >> field.shift & (1 << field.bits) - 1 if field.bits else type_.reduce(whole)
        case BoolType():
            return int(data != b"\0")
        case OctetsType():
            return own(data)
    assert isinstance(type_, AddressType)
    return data


def write_wire(data: bytes, field: WireField, value: int | bytes | memoryview) -> bytes:
    """The bytes of a field with a new value."""
    if not isinstance(value, int):
        return bytes(value)
    mask = (1 << field.bits) - 1 if field.bits else (1 << 8 * field.size) - 1
    others = int.from_bytes(data, "big") & ~(mask << field.shift)
    return (others | (value & mask) << field.shift).to_bytes(field.size, "big")
