"""The IP headers that a packet on a route has, as an author sees them; in lwt_xmit they can be written.

Fields are rows of `abi.headers`, what can be written rows of `dsl.building.hooks`; a test proves that the classes here have the same.
"""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import final

from pybpfnf.dsl.surface.definitions import only_compiled
from pybpfnf.dsl.surface.packets import Ipv6
from pybpfnf.dsl.surface.scalars import u8, u16, u32


class Ipv4:
    """The IPv4 header (RFC 791 section 3.1) without its options. Addresses are numbers: 10.0.0.1 is 0x0A000001."""

    @property
    def version(self) -> u8:
        """Always 4."""
        only_compiled("a packet")

    @property
    def ihl(self) -> u8:
        """The header's length in units of 4 bytes: 5 without options."""
        only_compiled("a packet")

    @property
    def dscp(self) -> u8:
        """6 bits: how the packet wants to be treated."""
        only_compiled("a packet")

    @property
    def ecn(self) -> u8:
        """2 bits: congestion (RFC 3168)."""
        only_compiled("a packet")

    @property
    def total_length(self) -> u16:
        """Bytes of the packet, this header included."""
        only_compiled("a packet")

    @property
    def identification(self) -> u16:
        """The same in all fragments of a packet."""
        only_compiled("a packet")

    @property
    def flags(self) -> u8:
        """3 bits: 2 says that it may not be fragmented, 1 that more fragments follow."""
        only_compiled("a packet")

    @property
    def fragment_offset(self) -> u16:
        """Where a fragment belongs, in units of 8 bytes."""
        only_compiled("a packet")

    @property
    def ttl(self) -> u8:
        """Hops that the packet may still take."""
        only_compiled("a packet")

    @property
    def protocol(self) -> u8:
        """The number of the header that follows."""
        only_compiled("a packet")

    @property
    def checksum(self) -> u16:
        """Of this header."""
        only_compiled("a packet")

    @property
    def source(self) -> u32:
        """Where the packet comes from."""
        only_compiled("a packet")

    @property
    def destination(self) -> u32:
        """Where it goes."""
        only_compiled("a packet")


@final
class XmitIpv4(Ipv4):
    """The IPv4 header in lwt_xmit. What is written there keeps its checksum right, and an address that of TCP or UDP behind it."""

    dscp: u8
    ecn: u8
    total_length: u16
    identification: u16
    flags: u8
    fragment_offset: u16
    ttl: u8
    protocol: u8
    source: u32
    destination: u32


@final
class XmitIpv6(Ipv6):
    """The IPv6 header in lwt_xmit. An address that is written there keeps the checksum of TCP, UDP or ICMPv6 behind it right."""

    traffic_class: u8
    flow_label: u32
    payload_length: u16
    next_header: u8
    hop_limit: u8
    source: IPv6Address
    destination: IPv6Address
