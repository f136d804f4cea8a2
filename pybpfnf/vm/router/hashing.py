"""Which of several next hops a flow takes: a hash of its own, which is the same for a flow and another for each router.

The kernel's key is random at each boot; here it is the seed of the router's Environment. What is hashed is the kernel's choice
(net/ipv6/route.c, rt6_multipath_hash), by `net.ipv6.fib_multipath_hash_policy`:

    0  source, destination, flow label and next header of the packet, or of the packet that an ICMPv6 error is about
    1  source, destination, next header, and the ports of TCP, UDP and others that begin with ports
    2  as 0, of the innermost IPv6 packet

The hash is BLAKE2b, 32 bits of it; they choose among the next hops by thresholds in proportion to their weights (RFC 2992).
"""

from __future__ import annotations

from hashlib import blake2b

from pybpfnf.abi.headers import NEXT_HEADERS
from pybpfnf.abi.icmpv6 import FIRST_INFORMATIONAL, HEADER_SIZE
from pybpfnf.vm import ipv6
from pybpfnf.vm.icmpv6 import ICMPV6, skip_extension_headers

HASH_SIZE = 4
POLICIES = (0, 1, 2)
_WITH_PORTS = frozenset(NEXT_HEADERS[name] for name in ("tcp", "udp", "sctp")) | {33, 136}  # DCCP, UDP-Lite
_ADDRESSES, _ADDRESSES_V4 = slice(8, 40), slice(12, 20)


def flow_hash(packet: bytes | bytearray, policy: int, seed: int) -> int:
    """32 bits."""
    return _hash(_ports(packet) if policy == 1 else _innermost(packet) if policy == 2 else _addresses(packet), seed)


def flow_hash_v4(packet: bytes | bytearray, seed: int) -> int:
    """32 bits, of the addresses of an IPv4 packet (net/ipv4/route.c, fib_multipath_hash, policy 0)."""
    return _hash(bytes(packet[_ADDRESSES_V4]), seed)


def _hash(text: bytes, seed: int) -> int:
    key = (seed & (1 << 64) - 1).to_bytes(8, "big")
    return int.from_bytes(blake2b(text, digest_size=HASH_SIZE, key=key).digest(), "big")


def _addresses(packet: bytes | bytearray) -> bytes:
    """The next header is the first that is no extension header, as the flow dissector has it."""
    number, at = (packet[6], ipv6.IPV6_SIZE) if packet[6] not in ipv6.EXTENSION_HEADERS else skip_extension_headers(packet)
    if number == ICMPV6 and 0 <= at < len(packet) and packet[at] < FIRST_INFORMATIONAL:
        quoted = packet[at + HEADER_SIZE :]
        if len(quoted) >= ipv6.IPV6_SIZE:
            packet, number = quoted, quoted[6]
    return bytes(packet[_ADDRESSES]) + bytes((packet[1] & 0xF, packet[2], packet[3], number))


def _ports(packet: bytes | bytearray) -> bytes:
    number, at = skip_extension_headers(packet)
    ports = bytes(packet[at : at + 4]) if at >= 0 and number in _WITH_PORTS else b""
    return bytes(packet[_ADDRESSES]) + bytes((number,)) + ports


def _innermost(packet: bytes | bytearray) -> bytes:
    while True:
        number, at = skip_extension_headers(packet)
        if number != ipv6.IPV6 or at < 0 or len(packet) - at < ipv6.IPV6_SIZE:
            return _addresses(packet)
        packet = packet[at:]
