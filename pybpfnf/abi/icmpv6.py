"""ICMPv6 messages: their types and codes (RFC 4443; include/uapi/linux/icmpv6.h)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class IcmpError:
    """`parameter` says what the 32 bits after the checksum are; None: unused, zero."""

    type: int
    code: int
    source: str
    parameter: str | None = None


ICMP_ERRORS: Mapping[str, IcmpError] = {
    "no_route": IcmpError(1, 0, "RFC 4443 section 3.1"),
    "prohibited": IcmpError(1, 1, "RFC 4443 section 3.1"),
    "beyond_scope": IcmpError(1, 2, "RFC 4443 section 3.1"),
    "address_unreachable": IcmpError(1, 3, "RFC 4443 section 3.1"),
    "port_unreachable": IcmpError(1, 4, "RFC 4443 section 3.1"),
    "too_big": IcmpError(2, 0, "RFC 4443 section 3.2", "the MTU of the next link"),
    "hop_limit": IcmpError(3, 0, "RFC 4443 section 3.3"),
    "header_field": IcmpError(4, 0, "RFC 4443 section 3.4", "the offset of the field in the packet"),
    "unknown_next_header": IcmpError(4, 1, "RFC 4443 section 3.4", "the offset of the field in the packet"),
    "unknown_option": IcmpError(4, 2, "RFC 4443 section 3.4", "the offset of the option in the packet"),
}
"""Errors by what a router has met."""

ECHO_REQUEST, ECHO_REPLY = 128, 129
FIRST_INFORMATIONAL = 128
"""Types below are errors (RFC 4443 section 2.1)."""
HEADER_SIZE = 8
IPV6_MIN_MTU = 1280
"""An error is no longer than this, with its IPv6 header (RFC 4443 section 2.4)."""
