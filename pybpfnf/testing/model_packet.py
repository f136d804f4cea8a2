"""A packet as a function sees it: header fields to read and write, and an SRH to which TLVs are appended. Made to be read.

The SRH is kept apart in its parts (before it, fixed fields with segments, TLVs, after it), so that appending is a list's append.
"""

from __future__ import annotations

from typing import final

from pybpfnf.abi.headers import HEADERS, NEXT_HEADERS, ROUTING_TYPES, SEGMENT_SIZE, SRH_TLVS, Field, Header

_IPV6, _IPV4, _SRH = HEADERS["ipv6"], HEADERS["ipv4"], HEADERS["srh"]
_OPTIONS = (NEXT_HEADERS["hop_by_hop"], NEXT_HEADERS["destination_options"])
_NO_SRH = "no SRH in the packet"
_UNIT = 8
_CALLED = {"ipv6": "IPv6 header", "ipv4": "IPv4 header", "srh": "SRH"}
_LONGEST_SRH = 256 * _UNIT  # its length field counts the units after the first in 8 bits


class PacketError(Exception):
    """The packet has not what was asked for; the text is the fault's message."""


@final
class ModelPacket:
    """From the IP header on. Raises PacketError where a header is not there."""

    def __init__(self, data: bytes) -> None:
        self._data = bytearray(data)

    def encode(self) -> bytes:
        return bytes(self._data)

    def read(self, header: Header, field: Field) -> int | bytes:
        """A field as a host integer, an address as 16 bytes."""
        raw = self._data[self._place(header, field)]
        if field.width == SEGMENT_SIZE * 8:
            return bytes(raw)
        return int.from_bytes(raw, "big") >> field.shift & _mask(field)

    def has(self, header: Header) -> bool:
        """Whether the packet has its fixed part: of the IP version that it says, the SRH behind an IPv6 header."""
        version = self._data[0] >> 4 if self._data else 0
        if version != (4 if header.name == _IPV4.name else 6):
            return False
        try:
            return len(self._data) >= _IPV6.size and self._find_srh() > 0 if header.name == _SRH.name else len(self._data) >= header.size
        except PacketError:
            return False

    def write(self, header: Header, field: Field, value: int | bytes) -> None:
        place = self._place(header, field)
        if isinstance(value, bytes):
            self._data[place] = value
            return
        others = int.from_bytes(self._data[place], "big") & ~(_mask(field) << field.shift)
        self._data[place] = (others | (value & _mask(field)) << field.shift).to_bytes(field.storage, "big")

    def _place(self, header: Header, field: Field) -> slice:
        start = self._find_srh() if header.name == _SRH.name else 0
        if start + header.size > len(self._data):
            raise PacketError(f"no {_CALLED[header.name]} in the packet")
        return slice(start + field.offset, start + field.offset + field.storage)

    def _find_srh(self) -> int:
        """The offset of the first routing header, past options, which must be an SRH."""
        data, at = self._data, _IPV6.size
        number = data[_IPV6.fields["next_header"].offset]
        while number in _OPTIONS and at + _UNIT <= len(data):
            number, at = data[at], at + (data[at + 1] + 1) * _UNIT
        if number != NEXT_HEADERS["routing"] or at + _SRH.size > len(data) or data[at + 2] != ROUTING_TYPES["srh"]:
            raise PacketError(_NO_SRH)
        return at

    def segments(self) -> list[bytes]:
        """The segment list, in the order of the wire."""
        at = self._find_srh()
        count = self._data[at + _SRH.fields["last_entry"].offset] + 1
        if count * SEGMENT_SIZE > self._data[at + 1] * _UNIT:
            raise PacketError("the segments run past the SRH's end")
        first = at + _SRH.size
        return [bytes(self._data[first + SEGMENT_SIZE * index :][:SEGMENT_SIZE]) for index in range(count)]

    def find_tlv(self, number: int, lengths: range) -> int | None:
        """The offset of the first TLV of this type and of one of these lengths of value; None where there is none."""
        at = self._find_srh()
        place = at + _SRH.size + (self._data[at + _SRH.fields["last_entry"].offset] + 1) * SEGMENT_SIZE
        end = at + (self._data[at + 1] + 1) * _UNIT
        for tlv in _split(bytes(self._data[place:end])):
            if tlv[0] == number and tlv[1] in lengths:
                return place
            place += len(tlv)
        return None

    def next_tlv(self, after: int) -> int | None:
        """The offset of the TLV after the one at that offset, of the first where it is 0; None where there are no more."""
        at = self._find_srh()
        first = at + _SRH.size + (self._data[at + _SRH.fields["last_entry"].offset] + 1) * SEGMENT_SIZE
        end = at + (self._data[at + 1] + 1) * _UNIT
        place = after + 2 + self._data[after + 1] if after else first
        if place >= end:
            return None
        if place + 2 > end or place + 2 + self._data[place + 1] > end:
            raise PacketError("the SRH's TLVs run past its end")
        return place

    def read_at(self, offset: int, size: int) -> bytes:
        return bytes(self._data[offset : offset + size])

    def write_at(self, offset: int, data: bytes) -> None:
        self._data[offset : offset + len(data)] = data

    def append_tlv(self, number: int, value: bytes) -> None:
        """Put a TLV last, but before padding and an HMAC."""
        first, area = self._area()
        self._edit(first, area, _split(area), bytes((number, len(value))) + value, len(area))

    def insert_tlv(self, number: int, value: bytes, at: int) -> None:
        """Put a TLV before the one at the offset `at`, but before padding and an HMAC at the end."""
        first, area = self._area()
        tlvs = _split(area)
        before = next(index for index in range(len(tlvs)) if first + sum(map(len, tlvs[:index])) == at)
        self._edit(first, area, tlvs, bytes((number, len(value))) + value, before)

    def remove_tlv(self, at: int) -> None:
        """Take out the TLV at the offset `at`."""
        if self._data[at] == SRH_TLVS["hmac"]:
            raise PacketError("the HMAC TLV is not removed")
        first, area = self._area()
        rest = area[: at - first] + area[at - first + 2 + self._data[at + 1] :]
        self._edit(first, area, _split(rest), b"", 0)

    def _area(self) -> tuple[int, bytes]:
        """Where the TLVs begin, and their bytes."""
        at = self._find_srh()
        first = at + _SRH.size + (self._data[at + _SRH.fields["last_entry"].offset] + 1) * SEGMENT_SIZE
        return first, bytes(self._data[first : at + (self._data[at + 1] + 1) * _UNIT])

    def _edit(self, first: int, old: bytes, tlvs: list[bytes], new: bytes, before: int) -> None:
        """These TLVs in place of the old area, with a new one before the so manieth; padded with PadN to a multiple of 8 before an HMAC
        (RFC 8754 section 2.1). The lengths of the SRH and the packet follow."""
        end = next((index for index, tlv in enumerate(tlvs) if tlv[0] == SRH_TLVS["hmac"]), len(tlvs))
        signed, tlvs = tlvs[end:], tlvs[:end]
        while tlvs and tlvs[-1][0] == SRH_TLVS["padn"]:
            tlvs.pop()
        tlvs.insert(min(before, len(tlvs)), new)
        area, behind = b"".join(tlvs), b"".join(signed)
        area += _padding(len(area) + len(behind)) + behind
        at = self._find_srh()
        if first - at + len(area) > _LONGEST_SRH:
            raise PacketError("the kernel refused to change the SRH")
        self._data[at + 1] = (first - at + len(area)) // _UNIT - 1
        self._data[first : first + len(old)] = area
        length = _IPV6.fields["payload_length"]
        self.write(_IPV6, length, int(self.read(_IPV6, length)) + len(area) - len(old))


def _mask(field: Field) -> int:
    return (1 << field.width) - 1


def _split(area: bytes) -> list[bytes]:
    """The TLVs of an area; each has a type, a length and as many bytes of value."""
    tlvs: list[bytes] = []
    while area:
        size = 2 + area[1] if len(area) > 1 else 2
        if size > len(area):
            raise PacketError("the SRH's TLVs run past its end")
        tlvs.append(area[:size])
        area = area[size:]
    return tlvs


def _padding(size: int) -> bytes:
    """PadN up to a multiple of 8. It has at least two bytes, so one byte is padded by nine."""
    missing = -size % _UNIT
    if missing == 0:
        return b""
    missing = _UNIT + 1 if missing == 1 else missing
    return bytes((SRH_TLVS["padn"], missing - 2)) + bytes(missing - 2)
