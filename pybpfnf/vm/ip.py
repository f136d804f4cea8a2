"""Packets of either IP version: which one it is, and where it goes. What is IPv6's own is in `ipv6`, IPv4's in `ipv4`."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from pybpfnf.abi.headers import ETHER_TYPES

Address: TypeAlias = IPv4Address | IPv6Address

ETH_P_IP, ETH_P_IPV6 = ETHER_TYPES["ipv4"], ETHER_TYPES["ipv6"]


def protocol(packet: bytes | bytearray) -> int:
    """The EtherType that a link would have said: by the version alone, IPv6 where it says neither."""
    return ETH_P_IP if packet and packet[0] >> 4 == 4 else ETH_P_IPV6


def destination(packet: bytes | bytearray, ether_type: int) -> Address:
    """The destination address where a header of this EtherType has it."""
    if ether_type == ETH_P_IP:
        return IPv4Address(bytes(packet[16:20]))
    return IPv6Address(bytes(packet[24:40]))
