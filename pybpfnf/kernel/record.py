"""What a later process must know about an attachment, kept with its pins: JSON in a frozen map, which lives and dies with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from ipaddress import ip_network
from typing import Any, final

from pybpfnf.errors import InputError
from pybpfnf.image.model import FaultCounters, FaultSite, MapSpec, ObjectImage, Role, Variable
from pybpfnf.kernel.bpf import Fd
from pybpfnf.kernel.links import Network
from pybpfnf.kernel.maps import Map, create_map, map_spec, open_map
from pybpfnf.records import dataclass
from pybpfnf.types.document import type_document, type_from
from pybpfnf.types.layout import SCALAR_TYPES

_VERSION = 2
_NAME = "pybpfnf_record"


@final
@dataclass(frozen=True, slots=True)
class Record:
    """`pins` gives the file name of each map; `digest` is that of the object, as whoever attached it gave it."""

    program: str
    type: str
    sid: Network
    table: int
    device: str  # "" where there is none by name
    attached_at: float  # seconds since the Unix epoch
    digest: str
    pins: Mapping[str, str]
    image: ObjectImage  # without programs and without the maps' initial contents: names, types, variables, fault sites
    original: bytes | None = None  # the route that ours took the place of, as rtnetlink's message
    headroom: int | None = None  # of lwt_xmit, as it was asked for: the kernel does not tell it


def keep(record: Record) -> Map:
    """The record as a map, to be pinned."""
    data = _encode(record)
    return create_map(MapSpec(_NAME, "array", key_size=4, value_size=len(data), max_entries=1, initial=data, frozen=True))


def recall(fd: Fd, path: str) -> Record:
    """The record in a pinned map. Raises InputError where it is not one that this release can read."""
    with open_map(fd, map_spec(fd)) as found:
        data = found.lookup(bytes(found.spec.key_size))
    try:
        return _decode(data or b"")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not a record that this release can read: {error}") from None


def _encode(record: Record) -> bytes:
    image = record.image
    document = {
        "version": _VERSION,
        "program": record.program,
        "type": record.type,
        "sid": str(record.sid),
        "original": None if record.original is None else record.original.hex(),
        "headroom": record.headroom,
        "table": record.table,
        "device": record.device,
        "attached_at": record.attached_at,
        "digest": record.digest,
        "pins": dict(record.pins),
        "maps": [_map_row(spec) for spec in image.maps.values()],
        "variables": [_variable_row(variable) for variable in image.variables.values()],
        "faults": None if image.faults is None else asdict(image.faults),
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _map_row(spec: MapSpec) -> dict[str, Any]:
    types = {"key_type": type_document(spec.key_type), "value_type": type_document(spec.value_type)}
    return {**asdict(spec), **types, "initial": None if spec.initial is None else ""}


def _variable_row(variable: Variable) -> dict[str, Any]:
    return {**asdict(variable), "type": str(variable.type), "role": variable.role.value, "default": variable.default.hex()}


def _decode(data: bytes) -> Record:
    document = json.loads(data)
    if document["version"] != _VERSION:
        raise ValueError(f"it has version {document['version']!r}, and this release reads version {_VERSION}")
    maps = [_map(row) for row in document["maps"]]
    variables = [_variable(row) for row in document["variables"]]
    return Record(
        program=document["program"],
        type=document["type"],
        sid=ip_network(document["sid"]),
        table=document["table"],
        device=document["device"],
        attached_at=document["attached_at"],
        digest=document["digest"],
        pins=document["pins"],
        image=ObjectImage(
            programs=(),
            maps={spec.name: spec for spec in maps},
            variables={variable.name: variable for variable in variables},
            faults=_faults(document["faults"]),
        ),
        original=bytes.fromhex(document["original"]) if document.get("original") is not None else None,
        headroom=document.get("headroom"),
    )


def _map(row: dict[str, Any]) -> MapSpec:
    types = {"key_type": type_from(row["key_type"]), "value_type": type_from(row["value_type"])}
    programs = tuple((slot, name) for slot, name in row["programs"])
    return MapSpec(**{**row, **types, "programs": programs, "initial": None if row["initial"] is None else b""})


def _variable(row: dict[str, Any]) -> Variable:
    changed = {"type": SCALAR_TYPES[row["type"]], "role": Role(row["role"]), "default": bytes.fromhex(row["default"])}
    return Variable(**{**row, **changed})


def _faults(row: dict[str, Any] | None) -> FaultCounters | None:
    if row is None:
        return None
    return FaultCounters(
        row["map"], row["offset"], tuple(FaultSite(**{**site, "callers": tuple(site["callers"])}) for site in row["sites"])
    )
