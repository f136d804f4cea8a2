"""The headers that packets have, for `pkt.find`, `pkt.view` and `pkt.get`: from pybpfnf.headers import Udp.

Fields are those of the rows of `abi.headers`, with what is reserved between them; a test compares the two.
"""

from __future__ import annotations

from pybpfnf.dsl.surface import Header, IPv6Address, bits, octets, u8, u16, u32

__all__ = ["Ethernet", "Fragment", "Icmpv6", "Ipv4", "Ipv6", "Options", "Routing", "Tcp", "Udp"]


class Ethernet(Header, number=143):
    """IEEE 802.3; behind an SRH in End.DX2 and its like (RFC 8986 section 4.9). A hook sees none before the IP header."""

    destination: bytes = octets(6)
    source: bytes = octets(6)
    ether_type: u16


class Ipv4(Header, number=4):
    """RFC 791 section 3.1, without options: `ihl` counts 4 bytes, and is 5 where there are none."""

    version: u8 = bits(4)
    ihl: u8 = bits(4)
    dscp: u8 = bits(6)
    ecn: u8 = bits(2)
    total_length: u16
    identification: u16
    flags: u8 = bits(3)
    fragment_offset: u16 = bits(13)
    ttl: u8
    protocol: u8
    checksum: u16
    source: u32
    destination: u32


class Ipv6(Header, number=41):
    """RFC 8200 section 3. `pkt.find(Ipv6)` is an encapsulated packet's; the outermost is `pkt.ipv6`."""

    version: u8 = bits(4)
    traffic_class: u8 = bits(8)
    flow_label: u32 = bits(20)
    payload_length: u16
    next_header: u8
    hop_limit: u8
    source: IPv6Address
    destination: IPv6Address


class Options(Header):
    """Hop-by-hop or destination options (RFC 8200 sections 4.3 and 4.6), without the options themselves."""

    next_header: u8
    hdr_ext_len: u8


class Routing(Header):
    """The fixed part of an SRH (RFC 8754 section 2). The packet's first is `pkt.srh`; this is for one further in."""

    next_header: u8
    hdr_ext_len: u8
    routing_type: u8
    segments_left: u8
    last_entry: u8
    flags: u8
    tag: u16


class Fragment(Header):
    """RFC 8200 section 4.5."""

    next_header: u8
    reserved: u8
    fragment_offset: u16 = bits(13)
    reserved_bits: u8 = bits(2)
    more_fragments: u8 = bits(1)
    identification: u32


class Udp(Header, number=17):
    """RFC 768."""

    source_port: u16
    destination_port: u16
    length: u16
    checksum: u16


class Tcp(Header, number=6):
    """RFC 9293 section 3.1, without options: `data_offset` counts 4 bytes."""

    source_port: u16
    destination_port: u16
    sequence_number: u32
    acknowledgment_number: u32
    data_offset: u8 = bits(4)
    reserved: u8 = bits(4)
    flags: u8
    window: u16
    checksum: u16
    urgent_pointer: u16


class Icmpv6(Header, number=58):
    """RFC 4443 section 2.1."""

    type: u8
    code: u8
    checksum: u16
