"""A packet as a file would write it, and the parts that two packets are compared by. The inverse of `packets`."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from pybpfnf.abi.headers import NEXT_HEADERS
from pybpfnf.testing.seg.model import FLAG_LETTERS, Ethernet, Ip, Layer, Other, Packet, Payload, Segments, Transport
from pybpfnf.testing.seg.tlvs import tlv_text

_ANYTHING = "*"
_NAMES = {number: name for name, number in NEXT_HEADERS.items()}
_PRINTABLE = range(0x20, 0x7F)


def packet_text(packet: Packet) -> str:
    """One line; what was read from it is the same packet again, but for headers that files have no words for."""
    return " / ".join(_layer_text(layer) for layer in packet)


def parts(layer: Layer) -> Iterator[tuple[str, str | None]]:
    """Names and values of what is compared in a layer; None for a value that may be anything."""
    match layer:
        case Ip():
            yield f"ipv{layer.version}.source", _or_none(layer.source)
            yield f"ipv{layer.version}.destination", _or_none(layer.destination)
        case Ethernet():
            pass
        case Segments():
            yield from _srh_parts(layer)
        case Transport():
            name = layer.protocol.lower()
            yield f"{name}.source_port", _or_none(layer.source_port)
            yield f"{name}.destination_port", _or_none(layer.destination_port)
        case Payload():
            yield "payload", None if layer.data is None else _quoted(layer.data)
        case Other():
            yield kind(layer), layer.data.hex()


def kind(layer: Layer) -> str:
    """What a layer is called in a message."""
    match layer:
        case Ip():
            return f"IPv{layer.version}"
        case Ethernet():
            return "Ethernet"
        case Segments():
            return "SRH"
        case Transport():
            return layer.protocol
        case Payload():
            return "payload"
        case Other():
            return _NAMES.get(layer.number, f"header {layer.number}")


def _srh_parts(layer: Segments) -> Iterator[tuple[str, str | None]]:
    yield "srh.segments_left", _or_none(layer.left)
    yield "srh.last_entry", _or_none(layer.last_entry)
    yield "srh.flags", None if layer.flags is None else _flags_text(layer.flags) or "none"
    yield "srh.tag", _or_none(layer.tag)
    for index, segment in enumerate(layer.segments):
        yield f"srh.segments[{index}]", _or_none(segment)
    for index, tlv in enumerate(layer.tlvs):
        yield f"srh.tlv[{index}]", tlv_text(tlv)
    if layer.rest:
        yield "srh.rest", layer.rest.hex()


def _or_none(value: IPv4Address | IPv6Address | int | None) -> str | None:
    return None if value is None else str(value)


def _layer_text(layer: Layer) -> str:
    match layer:
        case Ip():
            return f"{_said(layer.source)} -> {_said(layer.destination)}"
        case Ethernet():
            return "Ether"
        case Segments():
            return _srh_text(layer)
        case Transport():
            return f"{layer.protocol}({_said(layer.source_port)}, {_said(layer.destination_port)})"
        case Payload():
            return _ANYTHING if layer.data is None else _quoted(layer.data)
        case Other():
            return f"({kind(layer)}: {layer.data.hex()})"


def _srh_text(layer: Segments) -> str:
    marked = (f"{'+' * (index == layer.left)}{_said(segment)}" for index, segment in enumerate(layer.segments))
    words = [f"[{','.join(marked)}]"]
    options = list(_options(layer))
    words += [f"<{', '.join(options)}>"] if options else []
    words += [tlv_text(tlv) for tlv in layer.tlvs]
    words += ["{*}"] * layer.any_tlvs
    words += [f"(rest: {layer.rest.hex()})"] if layer.rest else []
    return " ".join(words)


def _options(layer: Segments) -> Iterator[str]:
    """Those that are not what they are when nothing is said."""
    if layer.left is None or layer.left >= len(layer.segments):
        yield f"sl {_said(layer.left)}"
    if layer.last_entry != len(layer.segments) - 1:
        yield f"le {_said(layer.last_entry)}"
    if layer.tag != 0:
        yield f"tag {_said(layer.tag)}"
    if layer.flags != 0:
        yield f"fl {_ANYTHING if layer.flags is None else _flags_text(layer.flags)}"


def _flags_text(flags: int) -> str:
    letters = "".join(letter for letter, bit in FLAG_LETTERS.items() if flags & bit)
    return f"{flags:#x}" if flags & ~sum(FLAG_LETTERS.values()) else letters


def _said(value: IPv4Address | IPv6Address | int | None) -> str:
    return _ANYTHING if value is None else str(value)


def _quoted(data: bytes) -> str:
    shown = (chr(byte) if byte in _PRINTABLE and chr(byte) not in '"\\' else f"\\x{byte:02x}" for byte in data)
    return f'"{"".join(shown)}"'
