"""The section `.pybpfnf`: what the language knows about an object beyond what ELF and BTF say.

JSON in UTF-8, sorted keys, so that it is the same bytes each time and a human can read it with `readelf -p .pybpfnf`.
Other loaders ignore it. Where things are is not in it: symbols say that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, field, fields
from typing import Any, TypeAlias, TypeVar, final, get_origin, get_type_hints

from pybpfnf.errors import ObjectError
from pybpfnf.records import dataclass

SECTION = ".pybpfnf"
PREFIX = "__pybpfnf"  # of symbols that the compiler makes
FAULTS_SYMBOL = "__pybpfnf_faults"  # u64 counters in .bss, one a site
# Each a u64 in .rodata that whoever loads the program sets: the nanoseconds that CLOCK_TAI is ahead of CLOCK_REALTIME, and where in
# struct sk_buff its time stamp is.
TAI_OFFSET_SYMBOL, TSTAMP_OFFSET_SYMBOL = "__pybpfnf_tai_offset", "__pybpfnf_tstamp_offset"
LOADERS_SYMBOLS = (TAI_OFFSET_SYMBOL, TSTAMP_OFFSET_SYMBOL)
_VERSION = 1

Chain: TypeAlias = tuple[str, ...]  # calls as FILE:LINE:COLUMN, the innermost first


@final
@dataclass(frozen=True, slots=True)
class MetaProgram:
    """`drops`: where the source returns DROP, in words; "" where that is not known."""

    type: str
    on_fault: int
    doc: str
    drops: str = ""


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
    callers: tuple[str, ...] = ()  # of a line in a function that was inlined: FILE:LINE:COLUMN of the calls, the innermost first


@final
@dataclass(frozen=True, slots=True)
class MetaCalls:
    """Which calls instructions were inlined through. `places`, by section: from that byte on, the number of the chain in `chains`, from
    1; 0: none, as before the first."""

    chains: tuple[Chain, ...] = ()
    places: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)


@final
@dataclass(frozen=True, slots=True)
class Meta:
    programs: Mapping[str, MetaProgram]
    variables: Mapping[str, MetaVariable] = field(default_factory=dict)
    maps: Mapping[str, MetaMap] = field(default_factory=dict)
    sites: tuple[MetaSite, ...] = ()
    counted: bool = True  # whether the object counts its fault exits, at FAULTS_SYMBOL
    calls: MetaCalls = field(default_factory=MetaCalls)


Row = TypeVar("Row", MetaProgram, MetaVariable, MetaMap, MetaSite)


def encode_meta(meta: Meta) -> bytes:
    document = {"version": _VERSION, **asdict(meta)}
    if not meta.calls.chains:
        del document["calls"]
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
    if {"calls", *document} != {part.name for part in fields(Meta)}:
        raise ObjectError(f"section {SECTION} is malformed: it has {', '.join(sorted(document)) or 'nothing'}")
    return Meta(
        programs={name: _program(row) for name, row in _checked(document["programs"], dict, "programs").items()},
        variables=_rows(MetaVariable, document["variables"]),
        maps=_rows(MetaMap, document["maps"]),
        sites=tuple(_site(row) for row in _checked(document["sites"], list, "sites")),
        counted=_checked(document["counted"], bool, "counted"),
        calls=_calls(document["calls"]) if "calls" in document else MetaCalls(),
    )


def _calls(row: object) -> MetaCalls:
    if not isinstance(row, dict) or set(row) != {"chains", "places"}:
        raise ObjectError(f"section {SECTION} is malformed: {row!r} is no MetaCalls")
    chains = tuple(_chain(chain) for chain in _checked(row["chains"], list, "chains"))
    places = _checked(row["places"], dict, "places")
    return MetaCalls(
        chains, {name: tuple(_place(place, len(chains)) for place in _checked(rows, list, name)) for name, rows in places.items()}
    )


def _place(row: object, chains: int) -> tuple[int, int]:
    offset, number = (_checked(each, int, "places") for each in _pair(row))
    if not 0 <= number <= chains:
        raise ObjectError(f"section {SECTION} is malformed: there is no chain of calls {number}")
    return offset, number


def _pair(row: object) -> list[Any]:
    if not isinstance(row, list) or len(row) != 2:
        raise ObjectError(f"section {SECTION} is malformed: {row!r} is no place")
    return row


def _chain(row: object) -> Chain:
    return tuple(_checked(caller, str, "callers") for caller in _checked(row, list, "callers"))


def _rows(kind: type[Row], rows: object) -> dict[str, Row]:
    return {name: _row(kind, row) for name, row in _checked(rows, dict, kind.__name__).items()}


def _program(row: object) -> MetaProgram:
    """One without `drops` does not say it."""
    if not isinstance(row, dict):
        raise ObjectError(f"section {SECTION} is malformed: {row!r} is no MetaProgram")
    return _row(MetaProgram, {"drops": "", **row})


def _site(row: object) -> MetaSite:
    """A site that no call was inlined for may be without `callers`."""
    if not isinstance(row, dict):
        raise ObjectError(f"section {SECTION} is malformed: {row!r} is no MetaSite")
    return _row(MetaSite, {**row, "callers": _chain(row.get("callers", []))})


def _row(kind: type[Row], row: object) -> Row:
    hints = get_type_hints(kind)
    if not isinstance(row, dict) or set(row) != set(hints):
        raise ObjectError(f"section {SECTION} is malformed: {row!r} is no {kind.__name__}")
    return kind(**{name: _checked(value, hints[name], name) for name, value in row.items()})


def _checked(value: Any, hint: Any, name: str) -> Any:
    # True is an int to Python, and not to the format.
    if not isinstance(value, tuple if get_origin(hint) is tuple else hint) or (isinstance(value, bool) and hint is not bool):
        raise ObjectError(f"section {SECTION} is malformed: {value!r} as {name}")
    return value
