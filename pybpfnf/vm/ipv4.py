"""What the kernel's IPv4 code does to a packet before a route's hook (net/ipv4/ip_input.c, route.c, ip_forward.c), options aside."""

from __future__ import annotations

from ipaddress import IPv4Address

from pybpfnf.abi.headers import HEADERS
from pybpfnf.vm.ipv6 import Drop

IPV4_SIZE = HEADERS["ipv4"].size
_BROADCAST = IPv4Address("255.255.255.255")
_TTL, _CHECKSUM = 8, slice(10, 12)
# ip_tos2prio (net/ipv4/route.c) by the four bits of the old "type of service": best effort, bulk, interactive, both.
_PRIORITIES = (0, 0, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 4, 4, 4, 4)


def receive(packet: bytes) -> tuple[bytes, int]:
    """`ip_rcv_core`: the packet without link-layer padding, and its transport offset; or Drop."""
    if len(packet) < IPV4_SIZE:
        raise Drop("ip_rcv_core: shorter than an IPv4 header")
    header, length = (packet[0] & 15) * 4, int.from_bytes(packet[2:4], "big")
    if packet[0] >> 4 != 4:
        raise Drop("ip_rcv_core: the version is not 4")
    if header < IPV4_SIZE or header > len(packet):
        raise Drop("ip_rcv_core: the header length is wrong")
    if checksum(packet[:header]) != 0:
        raise Drop("ip_rcv_core: the header checksum is wrong")
    if length > len(packet) or length < header:
        raise Drop(f"ip_rcv_core: total_length is {length}, and {len(packet)} bytes came")
    check_addresses(IPv4Address(packet[12:16]), IPv4Address(packet[16:20]))
    return packet[:length], header


def check_addresses(source: IPv4Address, destination: IPv4Address) -> None:
    """`ip_route_input_slow`: martian addresses; a broadcast or multicast destination is not forwarded."""
    if not is_forwardable(source):
        raise Drop(f"ip_route_input: {source} is no source of a packet that is forwarded")
    if not is_forwardable(destination):
        raise Drop(f"ip_route_input: {destination} is no destination to forward to")


def is_forwardable(address: IPv4Address) -> bool:
    """Neither multicast, nor loopback, nor broadcast, nor 0.0.0.0; the rest of 0.0.0.0/8 and of 240.0.0.0/4 is like any other."""
    return not (address.is_multicast or address.is_loopback or address.is_unspecified or address == _BROADCAST)


def checksum(header: bytes | bytearray) -> int:
    """The internet checksum (RFC 1071) of a header: 0 over one with a right checksum, its checksum over one with zeros there."""
    total = sum(int.from_bytes(header[at : at + 2], "big") for at in range(0, len(header), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def decrease_ttl(packet: bytearray) -> None:
    """`ip_decrease_ttl`: one off the byte of the TTL, and 0x0100 onto the two of the checksum, whatever they are."""
    packet[_TTL] = (packet[_TTL] - 1) & 0xFF
    # The kernel adds to the network-order word as it lies in memory, with an end-around carry.
    word = int.from_bytes(packet[_CHECKSUM], "little") + 1
    packet[_CHECKSUM] = (word + (word >= 0xFFFF) & 0xFFFF).to_bytes(2, "little")


def forward(packet: bytearray) -> int:
    """`ip_forward`, as far as a packet shows it: takes a hop off, or Drop; gives the packet's priority."""
    if packet[_TTL] <= 1:
        raise Drop("ip_forward: the TTL is 1 or 0")
    decrease_ttl(packet)
    return _PRIORITIES[packet[1] >> 1 & 15]
