"""Packets as an author sees them: one class a hook, its headers, and the verdicts.

Fields are rows of `abi.headers` and `abi.contexts`; a test proves that the classes here have the same. Nothing of this is ever
made: a function that uses it is compiled, and ordinary Python is told so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from ipaddress import IPv6Address
from typing import TypeVar, final

from pybpfnf.dsl.surface.context import ContextPacket
from pybpfnf.dsl.surface.definitions import only_compiled
from pybpfnf.dsl.surface.scalars import u8, u16, u32
from pybpfnf.dsl.surface.wire import Tlv


class Verdict(IntEnum):
    """What becomes of the packet (the rows of `abi.programs` say which hook has which)."""

    OK = 0
    DROP = 2
    REDIRECT = 7
    REROUTE = 128


T = TypeVar("T", bound=Tlv)


class Ipv6:
    """The IPv6 header (RFC 8200 section 3), read-only but in lwt_xmit."""

    @property
    def version(self) -> u8:
        """Always 6."""
        only_compiled("a packet")

    @property
    def traffic_class(self) -> u8:
        """DSCP and ECN."""
        only_compiled("a packet")

    @property
    def flow_label(self) -> u32:
        """20 bits."""
        only_compiled("a packet")

    @property
    def payload_length(self) -> u16:
        """Bytes after this header."""
        only_compiled("a packet")

    @property
    def next_header(self) -> u8:
        """The number of the header that follows."""
        only_compiled("a packet")

    @property
    def hop_limit(self) -> u8:
        """Hops that the packet may still take; forwarding takes one off after the function."""
        only_compiled("a packet")

    @property
    def source(self) -> IPv6Address:
        """Where the packet comes from."""
        only_compiled("a packet")

    @property
    def destination(self) -> IPv6Address:
        """The next segment: the kernel has put it here before the function runs."""
        only_compiled("a packet")


@final
class Srh:
    """The Segment Routing Header (RFC 8754 section 2). `tag` and `flags` may be written, TLVs appended.

    `Srh(path=[A, B], tlvs=[...])` is a new one, for `end_b6` and `end_b6_encaps`; `path` is in travel order.
    """

    flags: u8
    tag: u16

    def __init__(self, *, path: Sequence[IPv6Address], tlvs: Sequence[Tlv] = (), tag: u16 = 0, flags: u8 = 0) -> None:
        only_compiled("an SRH")

    @property
    def next_header(self) -> u8:
        """The number of the header that follows."""
        only_compiled("a packet")

    @property
    def hdr_ext_len(self) -> u8:
        """Length in units of 8 bytes, without the first 8."""
        only_compiled("a packet")

    @property
    def routing_type(self) -> u8:
        """Always 4."""
        only_compiled("a packet")

    @property
    def segments_left(self) -> u8:
        """Segments still to visit; the kernel has taken one off before the function runs."""
        only_compiled("a packet")

    @property
    def last_entry(self) -> u8:
        """Index of the last element of the segment list."""
        only_compiled("a packet")

    @property
    def segments(self) -> Sequence[IPv6Address]:
        """The segment list in the order of the wire: `segments[segments_left]` is the active one, `segments[0]` the last of the path."""
        only_compiled("a packet")

    @property
    def tlvs(self) -> Iterable[Tlv]:
        """The TLVs as they lie there, padding and HMAC too, to be gone over: `for tlv in pkt.srh.tlvs`, and `isinstance(tlv, T)` asks
        what `find(T)` looks for."""
        only_compiled("a packet")

    def find(self, tlv: type[T]) -> T | None:
        """The first TLV of the class's type and length, None where there is none: a view of the packet, whose fields are read there
        and, in seg6local, written there. Stale after whatever moves the packet."""
        only_compiled("a packet")

    def insert(self, tlv: Tlv, *, at: Tlv) -> None:
        """Put a TLV before one that was found, padded to a multiple of 8 bytes. Views of the packet are stale afterwards."""
        only_compiled("a packet")

    def remove(self, tlv: Tlv) -> None:
        """Take a TLV out that was found; what is left is padded to a multiple of 8 bytes. Views of the packet are stale afterwards."""
        only_compiled("a packet")

    def append(self, tlv: Tlv) -> None:
        """Put a TLV at the end, before an HMAC, padded to a multiple of 8 bytes. Views of the packet are stale afterwards."""
        only_compiled("a packet")


@final
class Seg6Packet(ContextPacket):
    """A packet at a local SID, from its IPv6 header on. `mark` and what follows the headers are fields of `__sk_buff`."""

    @property
    def ipv6(self) -> Ipv6:
        """The outermost IPv6 header."""
        only_compiled("a packet")

    @property
    def srh(self) -> Srh:
        """The SRH, past hop-by-hop and destination options. The kernel has checked it."""
        only_compiled("a packet")

    def end_x(self, *, nexthop: IPv6Address) -> Verdict:
        """End.X: forward to the neighbour `nexthop`. Gives REDIRECT, to be returned; a failure is a fault."""
        only_compiled("a packet")

    def end_t(self, *, table: int) -> Verdict:
        """End.T: look the destination up in a routing table. Gives REDIRECT, to be returned; a failure is a fault."""
        only_compiled("a packet")

    def end_dt6(self, *, table: int) -> Verdict:
        """End.DT6: take the outer headers off, look the inner destination up in a routing table. Gives REDIRECT."""
        only_compiled("a packet")

    def end_b6(self, srh: Srh) -> Verdict:
        """End.B6: insert a new SRH after the IPv6 header. Gives REDIRECT."""
        only_compiled("a packet")

    def end_b6_encaps(self, srh: Srh) -> Verdict:
        """End.B6.Encaps: put an outer IPv6 header with a new SRH around the packet. Gives REDIRECT."""
        only_compiled("a packet")
