"""The section `.pybpfnf`: what the language knows about an object beyond what ELF and BTF say.

JSON in UTF-8, sorted keys, so that it is the same bytes each time and a human can read it with `readelf -p .pybpfnf`.
Other loaders ignore it. Where things are is not in it: symbols say that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import final

from pybpfnf.errors import ObjectError

SECTION = ".pybpfnf"
FAULTS_SYMBOL = "__pybpfnf_faults"  # u64 counters in .bss, one a site
_VERSION = 1


@final
@dataclass(frozen=True, slots=True)
class MetaProgram:
    type: str
    on_fault: int
    doc: str


@final
@dataclass(frozen=True, slots=True)
class MetaVariable:
    """The variable's symbol has its name; `role` is "config" or "state"."""

    role: str
    type: str
    required: bool


@final
@dataclass(frozen=True, slots=True)
class MetaMap:
    """Types in the language's spelling; `default` is what a missing key reads as."""

    key: str
    value: str
    default: int | str | None = None  # an address as text


@final
@dataclass(frozen=True, slots=True)
class MetaSite:
    file: str
    line: int
    column: int
    message: str
    function: str


@final
@dataclass(frozen=True, slots=True)
class Meta:
    programs: Mapping[str, MetaProgram]
    variables: Mapping[str, MetaVariable] = field(default_factory=dict)
    maps: Mapping[str, MetaMap] = field(default_factory=dict)
    sites: tuple[MetaSite, ...] = ()
    counted: bool = True  # whether the object counts its fault exits, at FAULTS_SYMBOL


def encode_meta(meta: Meta) -> bytes:
    document = {"version": _VERSION, **asdict(meta)}
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def decode_meta(data: bytes) -> Meta:
    """Raises ObjectError for anything that `encode_meta` could not have written."""
    try:
        document = json.loads(data.rstrip(b"\0"))
    except ValueError as error:
        raise ObjectError(f"section {SECTION} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise ObjectError(f"section {SECTION} is not a JSON object")
    version = document.pop("version", None)
    if version != _VERSION:
        raise ObjectError(f"section {SECTION} has version {version!r}; this release reads version {_VERSION}")
    try:
        return Meta(
            programs={name: MetaProgram(**row) for name, row in document["programs"].items()},
            variables={name: MetaVariable(**row) for name, row in document["variables"].items()},
            maps={name: MetaMap(**row) for name, row in document["maps"].items()},
            sites=tuple(MetaSite(**row) for row in document["sites"]),
            counted=bool(document["counted"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ObjectError(f"section {SECTION} is malformed: {error}") from None
