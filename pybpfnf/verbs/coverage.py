"""Which lines and branches of a network function packets have reached."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, final

from pybpfnf.errors import InputError
from pybpfnf.lazy import resolve
from pybpfnf.records import dataclass
from pybpfnf.targets import Source, Target, locate, object_image
from pybpfnf.testing.coverage import FileCoverage, Point, covered
from pybpfnf.testing.trace import Statements, Trace
from pybpfnf.verbs.run import Simulation

if TYPE_CHECKING:  # the language, which a run of an object does without
    from pybpfnf.dsl.passes.instrument import Kept


@final
@dataclass(frozen=True, slots=True)
class Counting:
    """A program built with counters: an object that runs as the usual one does, and what its counters count."""

    data: bytes
    points: Mapping[str, Point]
    kept: Mapping[str, Kept]

    def trace(self) -> Trace:
        """A tracer of the program's lines."""
        return Trace(self.statements())

    def statements(self) -> Statements:
        """What sees the program's statements begin, to be asked between its instructions."""
        return Statements(object_image(self.data), self.points, self.kept)

    def covered(self, simulation: Simulation) -> dict[str, FileCoverage]:
        """What the packets of a simulation of `data` have reached so far, by file. Raises SystemLacksError without coverage.py."""
        return covered(self.points, {name: int(simulation[name]) for name in self.points})


def counting(target: Target, *, values: bool = False) -> Counting:
    """Build a Python file, or a catalogue function, with counters; with `values`, to be traced.

    Raises InputError for what has no source, CompileError for what is wrong in it."""
    if not isinstance(target, str | os.PathLike):
        raise InputError("coverage is of a file of Python", hint="give the path of the function's file")
    found = locate(target, source=True)
    if not isinstance(found, Source):
        raise InputError(
            f"coverage needs the source, and {os.fspath(target)} is an object", hint="give the .py file that it was built from"
        )
    return Counting(*resolve("compile_counting")(found.path, values=values))
