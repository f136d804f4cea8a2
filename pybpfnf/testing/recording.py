"""Recordings: packets with everything else that their runs depended on, and what became of them, in one file to run them again from.

A file is JSON Lines: an object with the router, the program's object and what its maps and variables held before the first packet; then an
object for each packet, with the time and the random numbers that its run was given. Bytes are hexadecimal digits, of the object base64.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from ipaddress import IPv6Address, ip_address
from typing import Any, TextIO, final

from pybpfnf.errors import InputError
from pybpfnf.records import dataclass
from pybpfnf.runner import Environment, Event, Fault, FaultKind, HmacKey, Outcome, Redirected
from pybpfnf.testing.carried import Contents, contents
from pybpfnf.vm import VmSession

VERSION = 1
_MARK = "pybpfnf_recording"


@final
@dataclass(frozen=True, slots=True)
class Head:
    """What all packets have in common. `kernel`: the one that
    the VM followed; `variables`: Configs and States by name, as they lie in memory. `object` is None where its bytes
    were not at hand; `maps` has data sections too."""

    program: str
    type: str
    kernel: str
    object: bytes | None
    environment: Environment
    variables: Mapping[str, bytes]
    maps: Contents


@final
@dataclass(frozen=True, slots=True)
class Recorded:
    """One packet. `time` in nanoseconds since 1970; `random`: the numbers that the program drew."""

    packet: bytes
    time: int
    random: tuple[int, ...]
    outcome: Outcome


@final
class Recorder:
    """Runs packets and writes them down, with the maps as they are when it begins."""

    def __init__(self, stream: TextIO, session: VmSession, data: bytes | None) -> None:
        self._stream = stream
        self._session = session
        held = contents(session)
        sections = {name: spec.initial for name, spec in session.image.maps.items() if spec.initial is not None}
        sections |= {name: entries[0][1] for name, entries in held.items() if name in sections}
        variables = {
            each.name: sections[each.map][each.offset : each.offset + each.size] for each in session.image.variables.values()
        }  # fmt: skip
        program = session.program
        head = Head(program.name, program.type or "", session.kernel, data, session.environment, variables, held)
        self._write({_MARK: VERSION, **_head_fields(head)})
        session.chance.drawn()

    def run(self, packet: bytes) -> Outcome:
        session = self._session
        time = session.realtime
        outcome = session.run(packet)
        drawn = session.chance.drawn()
        self._write({"packet": packet.hex(), "time": time, "random": list(drawn), "outcome": _outcome_fields(outcome)})
        return outcome

    def _write(self, document: Mapping[str, object]) -> None:
        self._stream.write(json.dumps(document) + "\n")


@final
class Recording:
    """A file that is read: `head`, and then its packets, one after the other. `name` is for errors."""

    def __init__(self, lines: Iterable[str], name: str) -> None:
        """Raises InputError for what is no recording, or one of another version."""
        self._name = name
        self._lines = iter(lines)
        first = self._next_document(1)
        if first is None or _MARK not in first:
            raise InputError(f"{name} is no recording", hint="`pybpfnf run --record FILE` makes one")
        if first[_MARK] != VERSION:
            raise InputError(f"{name} is a recording of version {first[_MARK]}", hint=f"this pybpfnf reads version {VERSION}")
        self.head = self._read(first, 1, _head)

    def __iter__(self) -> Iterator[Recorded]:
        """Raises InputError, with the line, for what is no packet."""
        number = 2
        while (document := self._next_document(number)) is not None:
            yield self._read(document, number, _recorded)
            number += 1

    def _next_document(self, number: int) -> dict[str, Any] | None:
        try:
            line = next(self._lines, None)
        except UnicodeDecodeError:
            raise InputError(f"{self._name} is no recording: it is no text", hint="`pybpfnf run --record FILE` makes one") from None
        if line is None:
            return None
        try:
            document = json.loads(line)
        except ValueError:
            if number == 1:
                return {}
            cut = "" if line.endswith("\n") else ": it is cut off"
            raise InputError(f"{self._name}: line {number} is no JSON{cut}") from None
        if not isinstance(document, dict):
            raise InputError(f"{self._name}: line {number} is no JSON object")
        return document

    def _read(self, document: dict[str, Any], number: int, reader: Callable[[dict[str, Any]], Any]) -> Any:
        """What a document stands for, its mistakes with their line."""
        try:
            return reader(document)
        except KeyError as error:
            raise InputError(f"{self._name}: line {number} has no {error.args[0]!r}") from None
        except (TypeError, ValueError, AttributeError, binascii.Error) as error:
            raise InputError(f"{self._name}: line {number} is damaged: {str(error).lower()}") from None


# ---------------------------------------------------------------------------------------------------- values and JSON


def _head_fields(head: Head) -> dict[str, object]:
    return {
        "program": head.program,
        "type": head.type,
        "kernel": head.kernel,
        "object": None if head.object is None else base64.b64encode(head.object).decode(),
        "environment": {each.name: _plain(getattr(head.environment, each.name)) for each in fields(head.environment)},
        "variables": {name: data.hex() for name, data in head.variables.items()},
        "maps": {name: [[key.hex(), value.hex()] for key, value in entries] for name, entries in head.maps.items()},
    }


def _head(document: dict[str, Any]) -> Head:
    given = document["object"]
    return Head(
        program=str(document["program"]),
        type=str(document["type"]),
        kernel=str(document["kernel"]),
        object=None if given is None else base64.b64decode(given, validate=True),
        environment=_environment(document["environment"]),
        variables={name: bytes.fromhex(data) for name, data in document["variables"].items()},
        maps={name: tuple((bytes.fromhex(key), bytes.fromhex(value)) for key, value in rows) for name, rows in document["maps"].items()},
    )


def _plain(value: Any) -> object:
    """A field of an Environment as JSON has it."""
    match value:
        case None | bool() | int() | str():
            return value
        case HmacKey():
            return [value.algorithm, value.secret.hex()]
        case Mapping():
            return {str(key): _plain(each) for key, each in value.items()}
        case frozenset() | tuple():
            return [_plain(each) for each in (sorted(value) if isinstance(value, frozenset) else value)]
        case _:
            return str(value)


_FIELDS: Mapping[str, Callable[[Any], object]] = {
    "tunnel_source": IPv6Address,
    "device_address": IPv6Address,
    "hmac_keys": lambda given: {int(key): HmacKey(algorithm, bytes.fromhex(secret)) for key, (algorithm, secret) in given.items()},
    "tables": frozenset,
    "unreachable": tuple,
    "sid": lambda given: None if given is None else ip_address(given),
    "devices": lambda given: {int(index): kind for index, kind in given.items()},
}
"""How fields of an Environment are read that are no JSON values themselves."""


def _environment(document: Mapping[str, Any]) -> Environment:
    known = {each.name for each in fields(Environment)}
    unknown = sorted(document.keys() - known)
    if unknown:
        raise ValueError(f"an environment has no {', '.join(unknown)} here")
    given: dict[str, Any] = {name: _FIELDS[name](value) if name in _FIELDS else value for name, value in document.items()}
    return Environment(**given)


def _outcome_fields(outcome: Outcome) -> dict[str, object]:
    fault = outcome.fault
    return {
        "verdict": outcome.verdict,
        "packet": None if outcome.packet is None else outcome.packet.hex(),
        "forwarded": outcome.forwarded,
        "reason": outcome.reason,
        "fault": None if fault is None else {each.name: getattr(fault, each.name) for each in fields(fault)} | {"kind": fault.kind.value},
        "events": [[event.map, event.data.hex()] for event in outcome.events],
        "log": list(outcome.log),
        "instructions": outcome.instructions,
        "runs": outcome.runs,
        "mark": outcome.mark,
        "redirected": [[each.ifindex, each.frame.hex()] for each in outcome.redirected],
    }


def _recorded(document: dict[str, Any]) -> Recorded:
    given = document["outcome"]
    fault = given["fault"]
    packet = given["packet"]
    outcome = Outcome(
        verdict=given["verdict"],
        packet=None if packet is None else bytes.fromhex(packet),
        forwarded=given["forwarded"],
        reason=given["reason"],
        fault=None if fault is None else Fault(**(fault | {"kind": FaultKind(fault["kind"]), "callers": tuple(fault["callers"])})),
        events=tuple(Event(name, bytes.fromhex(data)) for name, data in given["events"]),
        log=tuple(given["log"]),
        instructions=given["instructions"],
        runs=given["runs"],
        mark=given["mark"],
        redirected=tuple(Redirected(ifindex, bytes.fromhex(frame)) for ifindex, frame in given["redirected"]),
    )
    return Recorded(bytes.fromhex(document["packet"]), int(document["time"]), tuple(map(int, document["random"])), outcome)
