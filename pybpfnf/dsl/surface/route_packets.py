"""Packets as an author of lwt_in, lwt_out and lwt_xmit sees them: one class a hook. What they share is in a class of its own.

Fields are rows of `abi.contexts`; a test proves that the classes here have the same.
"""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import final, overload

from pybpfnf.dsl.surface.context import ContextPacket
from pybpfnf.dsl.surface.definitions import only_compiled
from pybpfnf.dsl.surface.packets import Ipv6, Srh, Verdict
from pybpfnf.dsl.surface.route_headers import Ipv4, XmitIpv4, XmitIpv6
from pybpfnf.dsl.surface.scalars import u8, u32


class RoutePacket(ContextPacket):
    """A packet on a route, from its IP header on: IPv6, or IPv4 on a route of IPv4."""

    @property
    def ipv6(self) -> Ipv6 | None:
        """The outermost IPv6 header; None for an IPv4 packet."""
        only_compiled("a packet")

    @property
    def ipv4(self) -> Ipv4 | None:
        """The outermost IPv4 header; None for an IPv6 packet."""
        only_compiled("a packet")

    @property
    def srh(self) -> Srh | None:
        """The SRH, past hop-by-hop and destination options; None for a packet without one. Nobody has checked it."""
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
    """A packet just before the link layer, forwarded or made here. Its bytes can be written."""

    @property
    def ipv6(self) -> XmitIpv6 | None:
        """The outermost IPv6 header; None for an IPv4 packet."""
        only_compiled("a packet")

    @property
    def ipv4(self) -> XmitIpv4 | None:
        """The outermost IPv4 header; None for an IPv6 packet."""
        only_compiled("a packet")

    def push_ip(self, srh: Srh, *, source: IPv6Address, hop_limit: u8 = 64) -> None:
        """Put an IPv6 header from `source` with a new SRH around any packet. Return REROUTE after it. A failure is a fault."""
        only_compiled("a packet")

    @overload
    def redirect(self, ifindex: u32) -> Verdict: ...
    @overload
    def redirect(self, ifindex: u32, *, destination: bytes, source: bytes) -> Verdict: ...
    def redirect(self, ifindex: u32, *, destination: bytes = b"", source: bytes = b"") -> Verdict:
        """Send the packet by another device: `return pkt.redirect(7)`. An Ethernet device needs the addresses, six bytes each, of the
        header that is put in front; a device of IP packets, as a tunnel, takes none. The kernel drops what goes to no device."""
        only_compiled("a packet")

    def clone_redirect(self, ifindex: u32) -> None:
        """Send a copy of the packet, as it is now, by another device of IP packets, as a tunnel. A failure is a fault."""
        only_compiled("a packet")
