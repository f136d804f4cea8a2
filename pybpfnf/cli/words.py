"""What a program said about one packet: the records that it sent, by their type, and the lines that it logged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, final

from pybpfnf.cli.contents import plain, shown
from pybpfnf.image.model import MapSpec
from pybpfnf.runner import Event, Outcome
from pybpfnf.types.layout import StructType
from pybpfnf.types.values import as_values, decode


@final
class Words:
    """Of a program with these maps."""

    def __init__(self, maps: Mapping[str, MapSpec]) -> None:
        self._maps = maps

    def lines(self, outcome: Outcome) -> Iterator[str]:
        """For people, a line each."""
        for event in outcome.events:
            record, rest = self._parts(event)
            fields = "" if record is None else f" {shown(record)}"
            octets = f" {rest.hex()}" if rest else ""
            yield f"event {event.map}:{fields}{octets}"
        for line in outcome.log:
            yield f"log: {line}"

    def documents(self, outcome: Outcome) -> list[dict[str, object]]:
        """The records, for programs: `map`, `data` (all bytes in hex), `record` (its fields, null where the type is not known) and
        `rest` (the bytes after it in hex)."""
        return [self._document(event) for event in outcome.events]

    def _document(self, event: Event) -> dict[str, object]:
        record, rest = self._parts(event)
        return {"map": event.map, "data": event.data.hex(), "record": plain(record), "rest": rest.hex()}

    def _parts(self, event: Event) -> tuple[Any, bytes]:
        """The record, and what comes after it: a part of the packet, and what perf rounds a sample up by."""
        spec = self._maps.get(event.map)
        type_ = spec.value_type if spec is not None else None
        if not isinstance(type_, StructType) or len(event.data) < type_.size:
            return None, event.data
        return as_values(type_, decode(type_, event.data[: type_.size])), event.data[type_.size :]
