"""What a running program holds, for people and for programs: its variables, and the entries of its maps.

JSON: an object for each (`name`, `key`, `value`); `key` is null for a variable. Integers and booleans are themselves, an
address is its text, raw bytes are hexadecimal digits, a struct is an object of its fields.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address, IPv6Network
from typing import Any, final

import click

from pybpfnf.cli.tables import Column, print_table
from pybpfnf.errors import InputError
from pybpfnf.live import Live, LiveArray, LiveEvents, LiveMapping, LivePrograms, LiveQueue
from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Content:
    """A variable's value, or that of one entry of a map; `key` is None for a variable."""

    name: str
    key: object
    value: object

    @property
    def label(self) -> str:
        return self.name if self.key is None else f"{self.name}[{shown(self.key)}]"

    def document(self) -> dict[str, object]:
        return {"name": self.name, "key": plain(self.key), "value": plain(self.value)}


def contents(live: Live, names: Iterable[str]) -> Iterator[Content]:
    """These variables, and all entries of these maps. Raises InputError for a name that the program does not have."""
    for name in names:
        found: Any = live[name]
        if isinstance(found, LiveArray):
            yield from (Content(name, index, value) for index, value in enumerate(found))
        elif isinstance(found, LiveMapping | LivePrograms):
            yield from (Content(name, key, value) for key, value in found.items())
        elif isinstance(found, LiveQueue | LiveEvents):
            raise InputError(f"map {name} is a {found.spec.type}: looking would take away what it holds", hint="read it from Python")
        else:
            yield Content(name, None, found)


def shown_names(live: Live) -> list[str]:
    """What `contents` can show of a program: all but queues and what carries records."""
    return [name for name in live.names() if not isinstance(live[name], LiveQueue | LiveEvents)]


def print_contents(rows: Iterable[Content], *, as_json: bool) -> None:
    """A table, or a JSON object a line."""
    if not as_json:
        print_table((Column("NAME"), Column("VALUE")), [(row.label, shown(row.value)) for row in rows])
        return
    for row in rows:
        click.echo(json.dumps(row.document()))


def shown(value: object) -> str:
    """A value as a user would write it; raw bytes as hexadecimal digits, a struct as its fields."""
    if isinstance(value, bytes):
        return value.hex() or "(no bytes)"
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, IPv6Address | IPv6Network):
        return str(value)
    fields = _fields(value)
    return repr(value) if fields is None else " ".join(f"{name}={shown(each)}" for name, each in fields.items())


def plain(value: object) -> object:
    """What JSON has for a value."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [plain(each) for each in value]
    fields = _fields(value)
    return str(value) if fields is None else {name: plain(each) for name, each in fields.items()}


def _fields(value: object) -> dict[str, object] | None:
    """A struct's fields by name; None for what is no struct."""
    return {name: each for name, each in vars(value).items() if not name.startswith("_")} if hasattr(value, "__dict__") else None
