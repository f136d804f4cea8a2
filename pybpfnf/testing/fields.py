"""A packet as named fields, to be read and compared by people. Nothing here judges: what cannot be parsed stays bytes."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv6Address

from pybpfnf.abi.headers import ETHER_TYPES, HEADERS, NEXT_HEADERS, SEGMENT_SIZE

_EXTENSIONS = {NEXT_HEADERS[name]: name for name in ("hop_by_hop", "destination_options", "routing")}
_UPPER = {NEXT_HEADERS[name]: name for name in ("tcp", "udp", "icmpv6")}


def fields(packet: bytes, *, frame: bool = False) -> dict[str, str]:
    """Names and values in packet order: `ipv6.hop_limit`, `srh.tag`, `srh.segments[1]`, `srh.tlv[0]`, `payload`; of a frame first its
    Ethernet header's.

    A second header of a kind is numbered, `srh#2.tag`. Bytes that are no whole header are `rest`.
    """
    named: dict[str, str] = {}
    for name, value in _walk_frame(packet) if frame else _walk(packet):
        head, _, tail = name.partition(".")
        number = 1
        while name in named:
            number += 1
            name = f"{head}#{number}.{tail}" if tail else f"{head}#{number}"
        named[name] = value
    return named


def diff(expected: bytes | None, found: bytes | None, *, frame: bool = False) -> str:
    """The fields that differ, a line each, expected before found; empty when the bytes are equal."""
    if expected == found:
        return ""
    if expected is None or found is None:
        return f"packet: expected {'none' if expected is None else expected.hex()}, found {'none' if found is None else found.hex()}"
    before, after = fields(expected, frame=frame), fields(found, frame=frame)
    lines = [
        f"{name}: expected {before.get(name, 'nothing')}, found {after.get(name, 'nothing')}"
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]
    return "\n".join(lines)


def _walk_frame(frame: bytes) -> Iterator[tuple[str, str]]:
    size = HEADERS["ethernet"].size
    if len(frame) < size:
        yield "rest", frame.hex()
        return
    yield from _fixed("ethernet", frame)
    if int.from_bytes(frame[size - 2 : size], "big") == ETHER_TYPES["ipv6"]:
        yield from _walk(frame[size:])
    else:
        yield "payload", frame[size:].hex()


def _walk(packet: bytes) -> Iterator[tuple[str, str]]:
    size = HEADERS["ipv6"].size
    if len(packet) < size:
        yield "rest", packet.hex()
        return
    yield from _fixed("ipv6", packet)
    next_header, offset = packet[6], size
    while next_header in _EXTENSIONS:
        end = offset + 8 * (packet[offset + 1] + 1) if offset + 2 <= len(packet) else len(packet) + 1
        if end > len(packet):
            yield "rest", packet[offset:].hex()
            return
        header = packet[offset:end]
        name = _EXTENSIONS[next_header]
        yield from _srh(header) if name == "routing" else [(name, header.hex())]
        next_header, offset = header[0], end
    if next_header == NEXT_HEADERS["ipv6"]:
        yield from _walk(packet[offset:])
    else:
        yield from _upper(next_header, packet[offset:])


def _srh(header: bytes) -> Iterator[tuple[str, str]]:
    size = HEADERS["srh"].size
    yield from _fixed("srh", header)
    count = min(header[4] + 1, (len(header) - size) // SEGMENT_SIZE)
    for index in range(count):
        yield f"srh.segments[{index}]", str(IPv6Address(header[size + SEGMENT_SIZE * index : size + SEGMENT_SIZE * (index + 1)]))
    yield from _tlvs(header[size + SEGMENT_SIZE * count :])


def _tlvs(area: bytes) -> Iterator[tuple[str, str]]:
    offset = index = 0
    while offset < len(area):
        end = offset + 2 + area[offset + 1] if offset + 2 <= len(area) else len(area) + 1
        if end > len(area):
            yield "srh.rest", area[offset:].hex()
            return
        yield f"srh.tlv[{index}]", f"type {area[offset]}, length {area[offset + 1]}: {area[offset + 2 : end].hex()}"
        offset, index = end, index + 1


def _upper(number: int, data: bytes) -> Iterator[tuple[str, str]]:
    name = _UPPER.get(number)
    size = HEADERS[name].size if name is not None else 0
    if name is not None and len(data) >= size:
        yield from _fixed(name, data)
        yield "payload", data[size:].hex()
    else:
        yield "payload", data.hex()


def _fixed(name: str, data: bytes) -> Iterator[tuple[str, str]]:
    for field in HEADERS[name].fields.values():
        storage = int.from_bytes(data[field.offset : field.offset + field.storage], "big")
        value = storage >> field.shift & ((1 << field.width) - 1)
        yield f"{name}.{field.name}", str(IPv6Address(value)) if field.width == 128 else f"{value:#x}"
