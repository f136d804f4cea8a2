"""What a sender says of a packet beside its bytes: `struct virtio_net_hdr` of a packet socket (include/uapi/linux/virtio_net.h).

It makes packets as network cards and local senders do: in pieces, one for many, with a checksum that is yet to be completed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TypeAlias

from pybpfnf.abi.checksums import CHECKSUMS
from pybpfnf.abi.headers import NEXT_HEADERS
from pybpfnf.errors import InputError
from pybpfnf.runner import Environment

_HEADER = struct.Struct("<BBHHHH")  # flags, type, length of the headers, size of a segment, where a checksum begins, and its offset there
_NEEDS_CHECKSUM = 1
_TCP, _UDP = NEXT_HEADERS["tcp"], NEXT_HEADERS["udp"]
_GSO = {(4, _TCP): 1, (6, _TCP): 4, (4, _UDP): 5, (6, _UDP): 5}  # VIRTIO_NET_HDR_GSO_TCPV4, _TCPV6, _UDP_L4
_ETHERNET = 14
PLAIN = bytes(_HEADER.size)
Offload: TypeAlias = Callable[[bytes], bytes]


def offload_of(environment: Environment) -> Offload | None:
    """What goes before each packet of that environment; None where nothing is said of them."""
    if environment.gso_size == 0 and environment.linear is None and not environment.offloaded:
        return None

    def header(packet: bytes) -> bytes:
        number, at = _upper_layer(packet)
        kind, size, flags, start, offset = 0, 0, 0, 0, 0
        if environment.gso_size:
            if (packet[0] >> 4, number) not in _GSO:
                raise InputError("a packet that stands for several is one of TCP or UDP, without extension headers")
            if number == _UDP and not environment.offloaded:
                raise InputError(
                    "UDP for several packets comes with a checksum to be completed alone", hint="give the Environment offloaded=True"
                )
            kind, size = _GSO[packet[0] >> 4, number], environment.gso_size
        if environment.offloaded and number in CHECKSUMS:
            flags, start, offset = _NEEDS_CHECKSUM, _ETHERNET + at, CHECKSUMS[number].offset
        linear = len(packet) if environment.linear is None else min(environment.linear, len(packet))
        return _HEADER.pack(flags, kind, min(_ETHERNET + linear, 0xFFFF), size, start, offset)

    return header


def _upper_layer(packet: bytes) -> tuple[int, int]:
    """The protocol and offset of what follows the IP header."""
    return (packet[9], (packet[0] & 15) * 4) if packet[0] >> 4 == 4 else (packet[6], 40)
