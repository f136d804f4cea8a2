"""UDP over IPv6, as programs beside a lab send and receive it (RFC 768, RFC 8200 section 8.1)."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import final

from pybpfnf.abi.headers import HEADERS, NEXT_HEADERS
from pybpfnf.records import dataclass
from pybpfnf.testing.packets import ipv6, udp
from pybpfnf.vm.icmpv6 import skip_extension_headers

_UDP = NEXT_HEADERS["udp"]
_SIZE = HEADERS["udp"].size


@final
@dataclass(frozen=True, slots=True)
class Datagram:
    """`packet` is all of it from the IPv6 header on."""

    source: IPv6Address
    source_port: int
    destination: IPv6Address
    destination_port: int
    data: bytes
    packet: bytes


def read_datagram(packet: bytes) -> Datagram | None:
    """None for a packet without a whole UDP header. Checksums are not looked at."""
    number, at = skip_extension_headers(packet)
    if number != _UDP or at < 0 or len(packet) - at < _SIZE:
        return None
    ports = int.from_bytes(packet[at : at + 2], "big"), int.from_bytes(packet[at + 2 : at + 4], "big")
    end = at + int.from_bytes(packet[at + 4 : at + 6], "big")
    return Datagram(
        IPv6Address(packet[8:24]), ports[0], IPv6Address(packet[24:40]), ports[1], packet[at + _SIZE : end], packet
    )  # fmt: skip


def make_datagram(source: IPv6Address, source_port: int, destination: IPv6Address, port: int, data: bytes, hop_limit: int) -> bytes:
    """A packet with a datagram, its checksum right."""
    payload = udp(data, source_port=source_port, destination_port=port)
    return ipv6(destination, source=source, payload=payload, hop_limit=hop_limit)
