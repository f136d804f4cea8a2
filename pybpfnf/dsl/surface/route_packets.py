"""Packets as an author of lwt_in, lwt_out and lwt_xmit sees them: one class a hook. What they share is in a class of its own.

Fields are rows of `abi.contexts`; a test proves that the classes here have the same.
"""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import final

from pybpfnf.dsl.surface.definitions import only_compiled
from pybpfnf.dsl.surface.packets import Ipv6, Srh
from pybpfnf.dsl.surface.scalars import u8, u32
from pybpfnf.dsl.surface.views import ViewedPacket


class RoutePacket(ViewedPacket):
    """A packet on a route, from its IP header on: IPv6, or IPv4 on a route of IPv4."""

    mark: u32
    priority: u32

    @property
    def ipv6(self) -> Ipv6 | None:
        """The outermost IPv6 header; None for an IPv4 packet."""
        only_compiled("a packet")

    @property
    def srh(self) -> Srh | None:
        """The SRH, past hop-by-hop and destination options; None for a packet without one. Nobody has checked it."""
        only_compiled("a packet")

    @property
    def len(self) -> u32:
        """Bytes of the packet, from its IP header on."""
        only_compiled("a packet")

    @property
    def pkt_type(self) -> u32:
        """Whom the frame is for: 0 this host, 1 all, 2 a group, 3 another host."""
        only_compiled("a packet")

    @property
    def queue_mapping(self) -> u32:
        """The queue."""
        only_compiled("a packet")

    @property
    def vlan_present(self) -> u32:
        """1 where a VLAN tag was taken off, else 0."""
        only_compiled("a packet")

    @property
    def vlan_tci(self) -> u32:
        """The VLAN tag that was taken off."""
        only_compiled("a packet")

    @property
    def ingress_ifindex(self) -> u32:
        """The device that the packet came in on."""
        only_compiled("a packet")

    @property
    def ifindex(self) -> u32:
        """The device that the packet is on."""
        only_compiled("a packet")

    @property
    def tc_index(self) -> u32:
        """Traffic control's class index."""
        only_compiled("a packet")

    @property
    def hash(self) -> u32:
        """The flow hash, 0 where the kernel has computed none."""
        only_compiled("a packet")

    @property
    def napi_id(self) -> u32:
        """The NAPI instance that received the packet."""
        only_compiled("a packet")

    @property
    def gso_segs(self) -> u32:
        """Segments that the packet stands for."""
        only_compiled("a packet")

    @property
    def gso_size(self) -> u32:
        """Payload bytes in each segment."""
        only_compiled("a packet")


@final
class LwtInPacket(RoutePacket):
    """A packet that was received, on its way into a route, before it is forwarded."""

    def push_encap(self, srh: Srh) -> None:
        """Put an outer IPv6 header with a new SRH around an IPv6 packet; it is routed anew. A failure is a fault."""
        only_compiled("a packet")

    def push_encap_inline(self, srh: Srh) -> None:
        """Insert a new SRH after the IPv6 header, the destination as its last segment; the packet is routed anew. A failure is a fault."""
        only_compiled("a packet")

    def push_ip(self, srh: Srh, *, source: IPv6Address, hop_limit: u8 = 64) -> None:
        """Put an IPv6 header from `source` with a new SRH around any packet. Return REROUTE after it. A failure is a fault."""
        only_compiled("a packet")


@final
class LwtOutPacket(RoutePacket):
    """A packet that leaves by a route, forwarded or made here: to be read, counted and dropped."""


@final
class LwtXmitPacket(RoutePacket):
    """A packet just before the link layer, forwarded or made here."""

    def push_ip(self, srh: Srh, *, source: IPv6Address, hop_limit: u8 = 64) -> None:
        """Put an IPv6 header from `source` with a new SRH around any packet. Return REROUTE after it. A failure is a fault."""
        only_compiled("a packet")
