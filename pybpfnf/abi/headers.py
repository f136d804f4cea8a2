"""Packet headers: field layouts in network byte order, from the RFCs, and the numbers that say which header follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Field:
    """`width` bits, `shift` bits above the low end of the `storage`-byte big-endian integer at byte `offset`.

    A 128-bit field with storage 16 is an IPv6 address.
    """

    name: str
    offset: int
    storage: int
    width: int
    shift: int = 0
    doc: str = ""


@final
@dataclass(frozen=True, slots=True)
class Header:
    """A header's fixed part of `size` bytes; `number` is its Next Header value (or EtherType), where it has one."""

    name: str
    size: int
    fields: Mapping[str, Field]
    source: str  # "RFC 8754 section 2"
    number: int | None = None


NEXT_HEADERS: Mapping[str, int] = {
    "hop_by_hop": 0,
    "icmp": 1,
    "ipv4": 4,
    "tcp": 6,
    "udp": 17,
    "ipv6": 41,
    "routing": 43,
    "fragment": 44,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "icmpv6": 58,
    "no_next_header": 59,
    "destination_options": 60,
    "sctp": 132,
    "mobility": 135,
    "ethernet": 143,
}
"""Next Header values (IANA protocol numbers)."""

ETHER_TYPES: Mapping[str, int] = {"ipv4": 0x0800, "arp": 0x0806, "vlan": 0x8100, "ipv6": 0x86DD}

ROUTING_TYPES: Mapping[str, int] = {"srh": 4}
"""Routing Type values of routing headers (RFC 8754 section 2)."""

SRH_FLAGS: Mapping[str, int] = {"hmac": 0x08, "alert": 0x10, "oam": 0x20, "protected": 0x40}
"""Bits of the SRH's flags: SR6_FLAG1_* of include/uapi/linux/seg6.h; RFC 9259 section 2.1 has the O-flag alone."""

SRH_TLVS: Mapping[str, int] = {"pad1": 0, "ingress": 1, "egress": 2, "opaque": 3, "padn": 4, "hmac": 5, "nsh": 6}
"""SRH TLV types: Pad1, PadN and HMAC of RFC 8754 section 2.1; the others of the drafts before it, reserved since.

Linux gives Pad1 no special treatment: each TLV, type 0 included, has a length byte (net/ipv6/seg6.c, seg6_validate_srh).
"""

SEGMENT_SIZE = 16
"""Bytes of an entry of the SRH's segment list."""
MOST_TLVS = 32  # that a function looks at in one SRH: more are a fault
MOST_SEGMENTS = 255 // 2  # the length field counts 8 bytes in 8 bits (RFC 8754 section 2)


def _header(name: str, size: int, source: str, number: int | None, *fields: Field) -> Header:
    return Header(name, size, {field.name: field for field in fields}, source, number)


def _options(name: str, section: str) -> Header:
    return _header(
        name, 2, f"RFC 8200 section {section}", NEXT_HEADERS[name],
        Field("next_header", 0, 1, 8),
        Field("hdr_ext_len", 1, 1, 8, doc="in units of 8 bytes, without the first 8"),
    )  # fmt: skip


_ROWS = (
    _header(
        "ethernet", 14, "IEEE 802.3", None,
        Field("destination", 0, 6, 48),
        Field("source", 6, 6, 48),
        Field("ether_type", 12, 2, 16),
    ),
    _header(
        "ipv4", 20, "RFC 791 section 3.1", NEXT_HEADERS["ipv4"],
        Field("version", 0, 1, 4, 4),
        Field("ihl", 0, 1, 4, doc="header length in units of 4 bytes"),
        Field("dscp", 1, 1, 6, 2),
        Field("ecn", 1, 1, 2),
        Field("total_length", 2, 2, 16),
        Field("identification", 4, 2, 16),
        Field("flags", 6, 2, 3, 13),
        Field("fragment_offset", 6, 2, 13, doc="in units of 8 bytes"),
        Field("ttl", 8, 1, 8),
        Field("protocol", 9, 1, 8),
        Field("checksum", 10, 2, 16),
        Field("source", 12, 4, 32),
        Field("destination", 16, 4, 32),
    ),
    _header(
        "ipv6", 40, "RFC 8200 section 3", NEXT_HEADERS["ipv6"],
        Field("version", 0, 1, 4, 4),
        Field("traffic_class", 0, 2, 8, 4),
        Field("flow_label", 0, 4, 20),
        Field("payload_length", 4, 2, 16, doc="bytes after this header"),
        Field("next_header", 6, 1, 8),
        Field("hop_limit", 7, 1, 8),
        Field("source", 8, 16, 128),
        Field("destination", 24, 16, 128),
    ),
    _options("hop_by_hop", "4.3"),
    _options("destination_options", "4.6"),
    _header(
        "srh", 8, "RFC 8754 section 2", NEXT_HEADERS["routing"],
        Field("next_header", 0, 1, 8),
        Field("hdr_ext_len", 1, 1, 8, doc="in units of 8 bytes, without the first 8"),
        Field("routing_type", 2, 1, 8, doc="4"),
        Field("segments_left", 3, 1, 8, doc="index of the active segment; the list is in reverse order of travel"),
        Field("last_entry", 4, 1, 8, doc="index of the last element of the segment list"),
        Field("flags", 5, 1, 8),
        Field("tag", 6, 2, 16, doc="marks packets of one class"),
    ),
    _header(
        "tlv", 2, "RFC 8754 section 2.1", None,
        Field("type", 0, 1, 8),
        Field("length", 1, 1, 8, doc="bytes of the value"),
    ),
    _header(
        "hmac_tlv", 8, "RFC 8754 section 2.1.2", None,
        Field("type", 0, 1, 8, doc="5"),
        Field("length", 1, 1, 8, doc="38 in Linux: 6 bytes and a digest of 32"),
        Field("destination_check", 2, 2, 1, 15, doc="the D bit"),
        Field("key_id", 4, 4, 32),
    ),
    _header(
        "fragment", 8, "RFC 8200 section 4.5", NEXT_HEADERS["fragment"],
        Field("next_header", 0, 1, 8),
        Field("fragment_offset", 2, 2, 13, 3, doc="in units of 8 bytes"),
        Field("more_fragments", 2, 2, 1),
        Field("identification", 4, 4, 32),
    ),
    _header(
        "udp", 8, "RFC 768", NEXT_HEADERS["udp"],
        Field("source_port", 0, 2, 16),
        Field("destination_port", 2, 2, 16),
        Field("length", 4, 2, 16, doc="bytes, this header included"),
        Field("checksum", 6, 2, 16),
    ),
    _header(
        "tcp", 20, "RFC 9293 section 3.1", NEXT_HEADERS["tcp"],
        Field("source_port", 0, 2, 16),
        Field("destination_port", 2, 2, 16),
        Field("sequence_number", 4, 4, 32),
        Field("acknowledgment_number", 8, 4, 32),
        Field("data_offset", 12, 1, 4, 4, doc="header length in units of 4 bytes"),
        Field("flags", 13, 1, 8, doc="CWR, ECE, URG, ACK, PSH, RST, SYN, FIN from the high bit down"),
        Field("window", 14, 2, 16),
        Field("checksum", 16, 2, 16),
        Field("urgent_pointer", 18, 2, 16),
    ),
    _header(
        "icmpv6", 4, "RFC 4443 section 2.1", NEXT_HEADERS["icmpv6"],
        Field("type", 0, 1, 8),
        Field("code", 1, 1, 8),
        Field("checksum", 2, 2, 16),
    ),
)  # fmt: skip

HEADERS: Mapping[str, Header] = {row.name: row for row in _ROWS}
"""Every header by name."""
