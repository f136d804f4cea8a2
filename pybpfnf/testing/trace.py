"""A run line by line, as the source has it: which statements were executed, and what they gave to local variables.

Watches a function that was built for it (`dsl.passes.instrument` with values): its counters say which statement begins, and variables of
its own keep what locals are assigned. So the lines are the source's, in its order, whatever the optimiser made of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, final

from pybpfnf.image.model import ObjectImage
from pybpfnf.records import dataclass
from pybpfnf.testing.coverage import Point
from pybpfnf.vm import VmSession

if TYPE_CHECKING:  # the language, which a run of an object does without
    from pybpfnf.dsl.passes.instrument import Kept
    from pybpfnf.dsl.types import IntType

_NOTHING = bytes.fromhex("efbeaddedeadf00d")  # a value that no local is likely to have


@final
@dataclass(frozen=True, slots=True)
class TraceLine:
    """A statement that was executed, and the locals that it changed."""

    file: str
    line: int
    changes: tuple[tuple[str, int], ...]


@final
class Statements:
    """Sees the statements of a function that was built for it: `watch` its session before the first packet, and `look` often."""

    def __init__(self, image: ObjectImage, points: Mapping[str, Point], kept: Mapping[str, Kept]) -> None:
        starts = {name: point for name, point in points.items() if point.way is None}
        places = {name: image.variables[name] for name in (*starts, *kept)}
        (self._map,) = {place.map for place in places.values()}
        self._points = {places[name].offset: point for name, point in starts.items()}
        self._kept = {places[name].offset: local for name, local in kept.items()}
        self._first = min(place.offset for place in places.values())
        self._end = max(place.offset for place in places.values()) + 8
        self._data = bytearray()
        self._before = b""

    @property
    def points(self) -> Iterable[Point]:
        """Those at which a statement begins."""
        return self._points.values()

    def watch(self, session: VmSession) -> None:
        self._data = session.live_value(self._map)
        self.begin_packet()

    def begin_packet(self) -> None:
        """The locals of the next packet have no value before they are assigned, though variables keep the last one's."""
        for offset in self._kept:
            self._data[offset : offset + 8] = _NOTHING
        self._before = bytes(self._data[self._first : self._end])

    def look(self) -> Sequence[Point | tuple[str, int]]:
        """What has happened since it was last asked: statements that have begun, and locals with what they were given."""
        now = self._data[self._first : self._end]
        if now == self._before:
            return ()
        before, self._before = self._before, bytes(now)
        seen: list[Point | tuple[str, int]] = []
        for at in range(0, len(now), 8):
            value = self._before[at : at + 8]
            if value == before[at : at + 8]:
                continue
            offset = self._first + at
            if offset in self._points:
                seen.append(self._points[offset])
            elif offset in self._kept:
                local = self._kept[offset]
                seen.append((local.name, _read(value, local.type)))
        return seen


@final
class Trace:
    """A tracer (`vm.Tracer`) of one session: `watch` it before the first packet, and `take` the lines after each."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self._lines: list[tuple[Point, list[tuple[str, int]]]] = []

    def watch(self, session: VmSession) -> None:
        self._statements.watch(session)

    def step(self, slot: int, registers: Sequence[int]) -> None:
        for each in self._statements.look():
            if not isinstance(each, tuple):
                self._begin(each)
            elif self._lines:
                self._lines[-1][1].append(each)

    def take(self) -> tuple[TraceLine, ...]:
        """The lines since it was last asked."""
        self.step(0, ())  # what the last instruction did
        lines = tuple(TraceLine(point.file, point.line, tuple(changes)) for point, changes in self._lines)
        self._lines.clear()
        self._statements.begin_packet()
        return lines

    def _begin(self, point: Point) -> None:
        """Parts of one statement, for instance the arguments of a call, are one line."""
        if not self._lines or self._lines[-1] != (point, []):
            self._lines.append((point, []))


def _read(value: bytes, type_: IntType) -> int:
    number = int.from_bytes(value, "little") & (1 << type_.width) - 1
    return number - (1 << type_.width) if type_.signed and number >> type_.width - 1 else number
