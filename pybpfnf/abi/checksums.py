"""Checksums of the Internet (RFC 1071) in headers: where they lie, and what they are taken over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from pybpfnf.abi.headers import HEADERS, NEXT_HEADERS
from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Checksum:
    """The 16 bits at `offset` of a header with this Next Header `number`.

    `covers`: bytes from the header's first that it is taken over; None: all that follows in the packet too. `addresses`: and over
    a pseudo-header with the packet's addresses. `optional`: zero stands for none, and a sum of zero is written as all ones.
    """

    header: str
    number: int
    offset: int
    source: str
    covers: int | None = None
    addresses: bool = True
    optional: bool = False


_ROWS = (
    Checksum("ipv4", NEXT_HEADERS["ipv4"], 10, "RFC 791 section 3.1", covers=HEADERS["ipv4"].size, addresses=False),
    Checksum("icmp", NEXT_HEADERS["icmp"], 2, "RFC 792", addresses=False),
    Checksum("tcp", NEXT_HEADERS["tcp"], 16, "RFC 9293 section 3.1"),
    Checksum("udp", NEXT_HEADERS["udp"], 6, "RFC 768", optional=True),
    Checksum("icmpv6", NEXT_HEADERS["icmpv6"], 2, "RFC 4443 section 2.3"),
)

CHECKSUMS: Mapping[int, Checksum] = {row.number: row for row in _ROWS}
"""By the header's Next Header value."""

CHECKSUM_SIZE = 2
