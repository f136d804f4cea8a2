"""Map-type rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class MapType:
    """One map type (enum bpf_map_type, include/uapi/linux/bpf.h)."""

    name: str  # "array", "percpu_hash", as bpftool spells it
    id: int
    since: str
    doc: str
    per_cpu: bool = False
    has_keys: bool = True
    fixed_key_size: int | None = None


MAP_TYPES: Mapping[str, MapType] = {}
