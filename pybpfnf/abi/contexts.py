"""Context layouts: `struct __sk_buff` as each program type may read and write it (kernel: net/core/filter.c)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class ContextField:
    """One field: `offset` and `size` in bytes, host byte order. `readable`/`writable` name program types (rows of `programs`)."""

    name: str
    offset: int
    size: int
    readable: frozenset[str]
    writable: frozenset[str]
    doc: str = ""


@final
@dataclass(frozen=True, slots=True)
class Context:
    name: str  # "__sk_buff"
    size: int
    fields: Mapping[str, ContextField]
