"""Packets of a file as bytes, and bytes as such packets. Checksums and lengths are right; nothing else is invented.

After the last header that a file names comes No Next Header (59), with the payload, if there is one, behind it.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

from pybpfnf.abi.headers import ETHER_TYPES, HEADERS, NEXT_HEADERS, ROUTING_TYPES, SEGMENT_SIZE
from pybpfnf.testing import packets as make
from pybpfnf.testing.seg.model import Ethernet, Ip, Other, Packet, Payload, Segments, Tlv, Transport

_IPV6_SIZE, _IPV4_SIZE, _SRH_SIZE, _ETHERNET_SIZE = (HEADERS[name].size for name in ("ipv6", "ipv4", "srh", "ethernet"))
_NOTHING, _ROUTING, _FRAME = NEXT_HEADERS["no_next_header"], NEXT_HEADERS["routing"], NEXT_HEADERS["ethernet"]
_INSIDE = {4: NEXT_HEADERS["ipv4"], 6: NEXT_HEADERS["ipv6"]}
_ETHER_TYPES = {4: ETHER_TYPES["ipv4"], 6: ETHER_TYPES["ipv6"]}
_IPV4_BEGINS = 0x45  # without options
_TRANSPORTS = {"UDP": NEXT_HEADERS["udp"], "TCP": NEXT_HEADERS["tcp"]}
_MAKE = {
    "UDP": lambda data, source, destination: make.udp(data, source_port=source, destination_port=destination),
    "TCP": lambda data, source, destination: make.tcp(data, source_port=source, destination_port=destination),
}


def encode(packet: Packet) -> bytes:
    """A packet without wildcards, from its IP header on."""
    head = packet[0]
    assert isinstance(head, Ip)
    assert head.source is not None
    assert head.destination is not None
    if head.version == 4:
        return make.ipv4(str(head.destination), payload=_upper(packet[1:]), source=str(head.source))
    assert isinstance(head.source, IPv6Address)
    assert isinstance(head.destination, IPv6Address)
    chain, rest = _split(packet[1:])
    final = next((srh.segments[0] for srh in reversed(chain)), None) or head.destination
    return make.ipv6(
        head.destination,
        payload=_upper(rest),
        extensions=[make.Extension(_ROUTING, _srh(srh)[1:]) for srh in chain],
        final_destination=final,
        source=head.source,
    )


def _split(layers: Packet) -> tuple[list[Segments], Packet]:
    """The SRHs of a header chain, and what follows them."""
    chain: list[Segments] = []
    for index, layer in enumerate(layers):
        if not isinstance(layer, Segments):
            return chain, layers[index:]
        chain.append(layer)
    return chain, ()


def _upper(layers: Packet) -> make.Payload:
    first = layers[0] if layers else None
    if isinstance(first, Ip):
        return make.Payload(_INSIDE[first.version], encode(layers))
    if isinstance(first, Ethernet):
        inner = layers[1]
        assert isinstance(inner, Ip)
        return make.Payload(_FRAME, bytes(12) + _ETHER_TYPES[inner.version].to_bytes(2, "big") + encode(layers[1:]))
    data = layers[-1].data if layers and isinstance(layers[-1], Payload) else b""
    assert data is not None
    if isinstance(first, Transport):
        return _MAKE[first.protocol](data, first.source_port, first.destination_port)
    return make.Payload(_NOTHING, data)


def _srh(layer: Segments) -> bytes:
    area = b"".join(make.Tlv(tlv.type, tlv.value or b"").encode() for tlv in layer.tlvs)
    size = _SRH_SIZE + SEGMENT_SIZE * len(layer.segments) + len(area)
    fixed = make.pack(
        "srh",
        hdr_ext_len=(size // 8 - 1) & 0xFF,
        routing_type=ROUTING_TYPES["srh"],
        segments_left=layer.left or 0,
        last_entry=layer.last_entry or 0,
        flags=layer.flags or 0,
        tag=layer.tag or 0,
    )
    return fixed + b"".join((segment or IPv6Address(0)).packed for segment in layer.segments) + area


# ------------------------------------------------------------------------------------------------------- decode


def decode(packet: bytes) -> Packet:
    """Any bytes as layers; what has no words, or is cut off, is `Other` to the end."""
    if _is_whole_ipv4(packet):
        head = Ip(IPv4Address(packet[12:16]), IPv4Address(packet[16:20]), 4)
        return (head, *_chain(packet[9], packet[_IPV4_SIZE:], 4))
    if len(packet) < _IPV6_SIZE or packet[0] >> 4 != 6:
        return (Other(_INSIDE[4 if packet and packet[0] >> 4 == 4 else 6], packet),)
    return (Ip(IPv6Address(packet[8:24]), IPv6Address(packet[24:40])), *_chain(packet[6], packet[_IPV6_SIZE:], 6))


def _is_whole_ipv4(packet: bytes) -> bool:
    """Without options, no fragment, and of the length that it says."""
    return (
        len(packet) >= _IPV4_SIZE
        and packet[0] == _IPV4_BEGINS
        and int.from_bytes(packet[2:4], "big") == len(packet)
        and not int.from_bytes(packet[6:8], "big") & 0x3FFF
    )


def _chain(number: int, data: bytes, version: int) -> Packet:
    if number == _NOTHING:
        return (Payload(data),) if data else ()
    if number == _INSIDE[6] and len(data) >= _IPV6_SIZE and data[0] >> 4 == 6:
        return decode(data)
    if number == _INSIDE[4] and _is_whole_ipv4(data):
        return decode(data)
    if number == _FRAME and _has_packet(data):
        return (Ethernet(), *decode(data[_ETHERNET_SIZE:]))
    if version == 6 and number == _ROUTING and (size := _srh_size(data)):
        return (_decoded_srh(data[:size]), *_chain(data[0], data[size:], 6))
    for protocol, known in _TRANSPORTS.items():
        if number == known and (size := _transport_size(protocol, data)):
            ports = Transport(protocol, int.from_bytes(data[:2], "big"), int.from_bytes(data[2:4], "big"))
            return (ports, Payload(data[size:])) if data[size:] else (ports,)
    return (Other(number, data),)


def _has_packet(frame: bytes) -> bool:
    """Whether an Ethernet frame has an IP packet of the version that it says."""
    return len(frame) > _ETHERNET_SIZE and int.from_bytes(frame[12:14], "big") == _ETHER_TYPES.get(frame[_ETHERNET_SIZE] >> 4)


def _srh_size(data: bytes) -> int:
    """Bytes of a whole SRH at the start, 0 where there is none."""
    if len(data) < _SRH_SIZE or data[2] != ROUTING_TYPES["srh"]:
        return 0
    size = 8 * (data[1] + 1)
    return size if size <= len(data) else 0


def _transport_size(protocol: str, data: bytes) -> int:
    if protocol == "UDP":
        return 8 if len(data) >= 8 else 0
    size = 4 * (data[12] >> 4) if len(data) >= 20 else 0
    return size if 20 <= size <= len(data) else 0


def _decoded_srh(header: bytes) -> Segments:
    count = min(header[4] + 1, (len(header) - _SRH_SIZE) // SEGMENT_SIZE)
    entries = range(_SRH_SIZE, _SRH_SIZE + SEGMENT_SIZE * count, SEGMENT_SIZE)
    tlvs, rest = _tlvs(header[_SRH_SIZE + SEGMENT_SIZE * count :])
    return Segments(
        segments=tuple(IPv6Address(header[at : at + SEGMENT_SIZE]) for at in entries),
        left=header[3],
        last_entry=header[4],
        tag=int.from_bytes(header[6:8], "big"),
        flags=header[5],
        tlvs=tlvs,
        rest=rest,
    )


def as_met(layer: Segments) -> Segments:
    """An SRH as it is decoded again: where its last entry is not its list's end, what is a segment and what a TLV is not as it
    was listed. Wildcards stay."""
    if layer.last_entry is None or layer.last_entry == len(layer.segments) - 1:
        return layer
    met = _decoded_srh(_srh(layer))
    listed = (*layer.segments, *met.segments[len(layer.segments) :])
    segments = tuple(None if wanted is None else segment for wanted, segment in zip(listed, met.segments, strict=False))
    return replace(met, segments=segments, left=layer.left, tag=layer.tag, flags=layer.flags)


def _tlvs(area: bytes) -> tuple[tuple[Tlv, ...], bytes]:
    found = []
    while len(area) >= 2 and len(area) >= 2 + area[1]:
        found.append(Tlv(area[0], area[2 : 2 + area[1]]))
        area = area[2 + area[1] :]
    return tuple(found), area
