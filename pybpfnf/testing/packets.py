"""SRv6 packets from values, as bytes: right by default, and every field can be told to lie.

    srv6(segments=["fc00:3::3", "fc00:2::2"], tag=7, tlvs=[Tlv(6, b"abcdef")])

Packets begin at the IPv6 header. Addresses are text or `IPv6Address`; segments stand in wire order, the last hop first
(RFC 8754 section 2). Field layouts are the rows of `abi.headers`; there is no parser here (see `fields`).
"""

from __future__ import annotations

import hashlib
import hmac as keyed_hash
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import final

from pybpfnf.abi.headers import HEADERS, NEXT_HEADERS, ROUTING_TYPES, SRH_FLAGS, SRH_TLVS
from pybpfnf.runner import HmacKey

SOURCE = "fd00::1"  # of every packet that names no other
_DIGEST_SIZE = 32  # of the field; a shorter digest is followed by zeros (net/ipv6/seg6_hmac.c)
_HMAC_SIZE = HEADERS["hmac_tlv"].size + _DIGEST_SIZE
_CHECKSUM = struct.Struct(">H")
_PSEUDO_HEADER = struct.Struct(">16s16sI3xB")

Address = str | IPv6Address


@final
@dataclass(frozen=True, slots=True)
class Tlv:
    """A TLV of the SRH; `length` is its length byte where that shall not be the value's length."""

    type: int
    value: bytes = b""
    length: int | None = None

    def encode(self) -> bytes:
        return bytes((self.type, len(self.value) if self.length is None else self.length)) + self.value


@final
@dataclass(frozen=True, slots=True)
class Hmac:
    """An HMAC TLV as the SRH's last; `digest` None is the right one for `key`."""

    key_id: int
    key: HmacKey
    digest: bytes | None = None


@final
@dataclass(frozen=True, slots=True)
class Extension:
    """An extension header: `body` is all of it after its Next Header byte. `number` is what the header before calls it."""

    number: int
    body: bytes


@final
@dataclass(frozen=True, slots=True)
class Payload:
    """What follows the last extension header. `checksum_at`: where a checksum over the pseudo-header belongs (RFC 8200 section 8.1)."""

    number: int
    data: bytes
    checksum_at: int | None = None

    def encode(self, source: IPv6Address, destination: IPv6Address) -> bytes:
        """`destination` is the final one, the SRH's segment 0."""
        if self.checksum_at is None:
            return self.data
        pseudo = _PSEUDO_HEADER.pack(source.packed, destination.packed, len(self.data), self.number)
        # A checksum of 0 means "none" to UDP and is sent as ffff (RFC 8200 section 8.1); to the others both are zero.
        checksum = internet_checksum(pseudo + self.data) or 0xFFFF
        return self.data[: self.checksum_at] + _CHECKSUM.pack(checksum) + self.data[self.checksum_at + 2 :]


def pack(header: str, **values: int | Address) -> bytes:
    """The fixed part of a header, a row of `abi.headers`; fields that are not given are zero. Raises KeyError for a field it lacks."""
    row = HEADERS[header]
    out = bytearray(row.size)
    for name, value in values.items():
        field = row.fields[name]
        number = value if isinstance(value, int) else int(IPv6Address(value))
        mask = (1 << field.width) - 1
        if number & ~mask:
            raise ValueError(f"{header}.{name} has {field.width} bits: {number:#x} does not fit")
        place = slice(field.offset, field.offset + field.storage)
        kept = int.from_bytes(out[place], "big") & ~(mask << field.shift)
        out[place] = (kept | number << field.shift).to_bytes(field.storage, "big")
    return bytes(out)


def pad(size: int) -> Tlv:
    """A PadN of `size` bytes in all, 2 to 257. (RFC 8754's one-byte Pad1 is no TLV to Linux.)"""
    return Tlv(SRH_TLVS["padn"], bytes(size - 2))


def padding(size: int) -> bytes:
    """The PadN that brings a TLV area of `size` bytes to a multiple of 8; empty where none is needed.

    One byte cannot be padded by one, because a TLV has two: it takes 9.
    """
    missing = -size % 8
    if missing == 0:
        return b""
    return pad(9 if missing == 1 else missing).encode()


def hop_by_hop(options: bytes = b"", *, length: int | None = None) -> Extension:
    """A Hop-by-Hop Options header, filled to a multiple of 8 bytes with a PadN option (RFC 8200 section 4.3)."""
    return Extension(NEXT_HEADERS["hop_by_hop"], _options(options, length))


def destination_options(options: bytes = b"", *, length: int | None = None) -> Extension:
    """A Destination Options header, filled likewise (RFC 8200 section 4.6)."""
    return Extension(NEXT_HEADERS["destination_options"], _options(options, length))


def srh(
    segments: Sequence[Address],
    *,
    segments_left: int | None = None,
    last_entry: int | None = None,
    flags: int | None = None,
    tag: int = 0,
    tlvs: Sequence[Tlv] | bytes = (),
    fill: bool = True,
    hmac: Hmac | None = None,
    source: Address = SOURCE,
    routing_type: int = ROUTING_TYPES["srh"],
    header_length: int | None = None,
) -> Extension:
    """A Segment Routing Header (RFC 8754 section 2).

    Left alone: `segments_left` and `last_entry` name the first hop, `header_length` counts the 8-byte units after the
    first, `flags` has the H bit where there is an HMAC, and the TLVs are filled to a multiple of 8 bytes (`fill`).
    `tlvs` may be the raw bytes of the area instead. `source` is the packet's: the HMAC covers it.
    """
    area = tlvs if isinstance(tlvs, bytes) else b"".join(tlv.encode() for tlv in tlvs)
    area += padding(len(area)) if fill else b""
    size = 8 + 16 * len(segments) + len(area) + (_HMAC_SIZE if hmac else 0)
    fixed = pack(
        "srh",
        hdr_ext_len=size // 8 - 1 if header_length is None else header_length,
        routing_type=routing_type,
        segments_left=max(0, len(segments) - 1) if segments_left is None else segments_left,
        last_entry=max(0, len(segments) - 1) if last_entry is None else last_entry,
        flags=(SRH_FLAGS["hmac"] if hmac else 0) if flags is None else flags,
        tag=tag,
    )
    header = fixed + b"".join(IPv6Address(segment).packed for segment in segments) + area
    if hmac is not None:
        header += _hmac_tlv(hmac, header, IPv6Address(source))
    return Extension(NEXT_HEADERS["routing"], header[1:])


def srv6(
    segments: Sequence[Address],
    *,
    segments_left: int | None = None,
    last_entry: int | None = None,
    flags: int | None = None,
    tag: int = 0,
    tlvs: Sequence[Tlv] | bytes = (),
    fill: bool = True,
    hmac: Hmac | None = None,
    routing_type: int = ROUTING_TYPES["srh"],
    header_length: int | None = None,
    options: Sequence[Extension] = (),
    payload: Payload | None = None,
    source: Address = SOURCE,
    destination: Address | None = None,
    hop_limit: int = 64,
    traffic_class: int = 0,
    flow_label: int = 0,
    payload_length: int | None = None,
    next_header: int | None = None,
) -> bytes:
    """An IPv6 packet with `options` before an SRH (see `srh`); the payload is a small UDP datagram where none is given.

    The destination is the segment that `segments_left` names, or the first hop where it names none.
    """
    header = srh(
        segments,
        segments_left=segments_left,
        last_entry=last_entry,
        flags=flags,
        tag=tag,
        tlvs=tlvs,
        fill=fill,
        hmac=hmac,
        source=source,
        routing_type=routing_type,
        header_length=header_length,
    )
    active = len(segments) - 1 if segments_left is None else min(segments_left, len(segments) - 1)
    return ipv6(
        segments[active] if destination is None else destination,
        extensions=[*options, header],
        payload=udp() if payload is None else payload,
        final_destination=segments[0],
        source=source,
        hop_limit=hop_limit,
        traffic_class=traffic_class,
        flow_label=flow_label,
        payload_length=payload_length,
        next_header=next_header,
    )


def ipv6(
    destination: Address,
    *,
    payload: Payload,
    extensions: Sequence[Extension] = (),
    final_destination: Address | None = None,
    source: Address = SOURCE,
    hop_limit: int = 64,
    traffic_class: int = 0,
    flow_label: int = 0,
    payload_length: int | None = None,
    next_header: int | None = None,
    version: int = 6,
) -> bytes:
    """An IPv6 packet. `final_destination` is the one that checksums cover, where a routing header says another."""
    upper = payload.encode(IPv6Address(source), IPv6Address(destination if final_destination is None else final_destination))
    numbers = [extension.number for extension in extensions] + [payload.number]
    chain = b"".join(bytes((after,)) + extension.body for extension, after in zip(extensions, numbers[1:], strict=True))
    return (
        pack(
            "ipv6",
            version=version,
            traffic_class=traffic_class,
            flow_label=flow_label,
            payload_length=len(chain) + len(upper) if payload_length is None else payload_length,
            next_header=numbers[0] if next_header is None else next_header,
            hop_limit=hop_limit,
            source=source,
            destination=destination,
        )
        + chain
        + upper
    )


def udp(data: bytes = b"payload!", *, source_port: int = 1024, destination_port: int = 4096) -> Payload:
    header = pack("udp", source_port=source_port, destination_port=destination_port, length=8 + len(data))
    return Payload(NEXT_HEADERS["udp"], header + data, checksum_at=6)


def tcp(data: bytes = b"", *, source_port: int = 1024, destination_port: int = 80, sequence: int = 1, flags: int = 0x02) -> Payload:
    """A segment without options; `flags` is the byte with FIN, SYN (the default), RST, PSH, ACK and URG."""
    header = pack(
        "tcp",
        source_port=source_port,
        destination_port=destination_port,
        sequence_number=sequence,
        data_offset=5,
        flags=flags,
        window=0xFFFF,
    )
    return Payload(NEXT_HEADERS["tcp"], header + data, checksum_at=16)


def icmpv6_echo(data: bytes = b"", *, identifier: int = 1, sequence: int = 1) -> Payload:
    """An Echo Request (RFC 4443 section 4.1)."""
    return Payload(NEXT_HEADERS["icmpv6"], pack("icmpv6", type=128) + struct.pack(">HH", identifier, sequence) + data, checksum_at=2)


def inner(packet: bytes) -> Payload:
    """A whole IPv6 packet inside (RFC 2473)."""
    return Payload(NEXT_HEADERS["ipv6"], packet)


def hmac_digest(key: HmacKey, source: IPv6Address, key_id: int, header: bytes) -> bytes:
    """The digest that the kernel computes (net/ipv6/seg6_hmac.c, seg6_hmac_compute) for an SRH that begins with `header`.

    It covers the source address, Last Entry, Flags, the key id and the segments that Last Entry counts.
    """
    last_entry, flags = header[4], header[5]
    text = source.packed + bytes((last_entry, flags)) + struct.pack(">I", key_id) + header[8 : 8 + 16 * (last_entry + 1)]
    return keyed_hash.new(key.secret, text, getattr(hashlib, key.algorithm)).digest().ljust(_DIGEST_SIZE, b"\0")


def _hmac_tlv(hmac: Hmac, header: bytes, source: IPv6Address) -> bytes:
    digest = hmac_digest(hmac.key, source, hmac.key_id, header) if hmac.digest is None else hmac.digest
    return pack("hmac_tlv", type=SRH_TLVS["hmac"], length=_HMAC_SIZE - 2, key_id=hmac.key_id) + digest


def _options(options: bytes, length: int | None) -> bytes:
    missing = -(2 + len(options)) % 8
    filler = b"\0" if missing == 1 else bytes((1, missing - 2)) + bytes(missing - 2) if missing else b""
    area = options + filler
    return bytes(((2 + len(area)) // 8 - 1 if length is None else length,)) + area


def internet_checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def ipv4(
    destination: str,
    *,
    payload: Payload,
    source: str = "192.0.2.1",
    ttl: int = 64,
    dscp: int = 0,
    total_length: int | None = None,
    checksum: int | None = None,
) -> bytes:
    """An IPv4 packet without options (RFC 791). Checksums in the payload stay as they are: 0 is none to UDP."""
    header = pack(
        "ipv4",
        version=4,
        ihl=5,
        dscp=dscp,
        total_length=20 + len(payload.data) if total_length is None else total_length,
        ttl=ttl,
        protocol=payload.number,
        source=int(IPv4Address(source)),
        destination=int(IPv4Address(destination)),
    )
    summed = internet_checksum(header) if checksum is None else checksum
    return header[:10] + _CHECKSUM.pack(summed) + header[12:] + payload.data
