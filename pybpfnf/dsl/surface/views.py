"""What an author reads of a packet beyond its IPv6 header and SRH: any header anywhere, by its place or by its number."""

from __future__ import annotations

from typing import TypeVar

from pybpfnf.dsl.surface.definitions import only_compiled
from pybpfnf.dsl.surface.header import Header

H = TypeVar("H", bound=Header)
T = TypeVar("T")


class ViewedPacket:
    """The methods that all packets have. Offsets count bytes from the packet's first one, that of its IP header."""

    def view(self, header: type[H], *, at: int) -> H:
        """The header at an offset; past the end of the packet is a fault. A view: fields are read in the packet, and in lwt_xmit
        written there. Stale after whatever moves the packet."""
        only_compiled("a packet")

    def get(self, header: type[H], *, at: int) -> H | None:
        """As `view`; None past the end of the packet."""
        only_compiled("a packet")

    def find(self, header: type[H]) -> H | None:
        """The upper-layer header, past extension headers and options, where it has the class's number; else None, as in a fragment
        that is not the first. `pkt.find(Udp)`, and `pkt.find(Ipv6)` for an encapsulated packet."""
        only_compiled("a packet")

    def load(self, kind: type[T], *, at: int) -> T:
        """An integer, bool or address in network byte order at an offset: `pkt.load(u16, at=42)`. Past the end is a fault."""
        only_compiled("a packet")
