"""Packet headers: field layouts in network byte order, from the RFCs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Field:
    """`width` bits, `shift` bits above the low end of the `storage`-byte big-endian integer at byte `offset`.

    A 128-bit field with storage 16 is an IPv6 address.
    """

    name: str
    offset: int
    storage: int
    width: int
    shift: int = 0
    doc: str = ""


@final
@dataclass(frozen=True, slots=True)
class Header:
    """A header's fixed part of `size` bytes; `number` is its Next Header value (or EtherType), where it has one."""

    name: str
    size: int
    fields: Mapping[str, Field]
    source: str  # "RFC 8754 section 2"
    number: int | None = None


HEADERS: Mapping[str, Header] = {}
