"""What is found once for a whole module: its maps and variables by the names that their modules gave them, its functions' sources."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import chain, count
from types import FunctionType
from typing import Any, final

from pybpfnf.diagnostics import Diagnostic, Span
from pybpfnf.dsl import ir
from pybpfnf.dsl.building.flow import Flow
from pybpfnf.dsl.building.locals import Inferred
from pybpfnf.dsl.building.rules import symbol_problem
from pybpfnf.dsl.reading.source import FunctionSource, SourceFile, read_function
from pybpfnf.dsl.surface.events import PerfEventArray, RingBuf
from pybpfnf.dsl.surface.programs import Program
from pybpfnf.dsl.surface.queues import QueueDefinition
from pybpfnf.dsl.surface.stores import ConfigVariable, MapDefinition, StateVariable
from pybpfnf.dsl.surface.structs import Struct
from pybpfnf.dsl.surface.tails import ProgArray
from pybpfnf.dsl.types import Type
from pybpfnf.records import dataclass


class ScopeError(Exception):
    """A name that cannot be a symbol of the object, or is taken; the text is the message."""


@final
@dataclass(frozen=True, slots=True)
class BuiltSubprogram:
    """A subprogram, what was said of it, and what is known when it comes back; None where it never does."""

    subprogram: ir.Subprogram
    diagnostics: tuple[Diagnostic, ...]
    after: Flow | None


@final
class ModuleScope:
    """Symbols of one object."""

    def __init__(self) -> None:
        self._owners: dict[str, object] = {}
        self._sources: dict[FunctionType, FunctionSource] = {}
        self._instances = 0
        self.reached: dict[Program, None] = {}  # by tail calls, in the order in which they are met
        self.settled: dict[Hashable, tuple[Inferred, Type | None]] = {}  # of a call of a function: its types, as it was built before
        self.subprograms: dict[Hashable, BuiltSubprogram] = {}  # by function, hook and the types of its arguments

    @property
    def sources(self) -> tuple[FunctionSource, ...]:
        """Of each function that was built or called."""
        return tuple(self._sources.values())

    def was_read(self, function: FunctionType) -> bool:
        """Whether it was built or called."""
        return function in self._sources

    def source(self, function: FunctionType) -> FunctionSource:
        """A function's text and names. Raises InputError where Python does not know them."""
        if function not in self._sources:
            self._sources[function] = read_function(function)
        return self._sources[function]

    def file(self, span: Span) -> SourceFile:
        """The file of a place in one of the functions."""
        return next(source.file for source in self._sources.values() if source.file.recorded == span.file)

    def next_instance(self) -> int:
        """A number for a call, which no other has."""
        self._instances += 1
        return self._instances

    def claim(self, name: str, owner: object) -> None:
        """Give a symbol to a program, map or variable. Raises ScopeError."""
        problem = symbol_problem(name)
        if problem is not None:
            raise ScopeError(problem)
        taken = self._owners.setdefault(name, owner)
        if taken is not owner:
            raise ScopeError(f"two things are called `{name}`: {taken!r} and {owner!r}")

    def subprogram_name(self, function: str, owner: object) -> str:
        """A symbol that is free, as near to the function's name as can be: two hooks, or views of two maps, make two of one function."""
        base = function if symbol_problem(function) is None else "function"
        names = chain((base,), (f"{base}_{number}" for number in count(2)))
        return next(name for name in names if self._owners.setdefault(name, owner) is owner)

    def map(self, store: MapDefinition[Any, Any], captured_as: str) -> ir.Map:
        name = store.name or captured_as
        self.claim(name, store)
        return ir.Map(name, store.kind, store.key, store.value, store.size, store.default)

    def queue(self, queue: QueueDefinition[Any], captured_as: str) -> ir.Queue:
        name = queue.name or captured_as
        self.claim(name, queue)
        return ir.Queue(name, queue.kind, queue.value, queue.size)

    def events(self, buffer: RingBuf[Struct] | PerfEventArray[Struct], captured_as: str) -> ir.EventBuffer:
        name = buffer.name or captured_as
        self.claim(name, buffer)
        return ir.EventBuffer(name, buffer.kind, buffer.record, buffer.size)

    def programs(self, array: ProgArray[Any], captured_as: str) -> ir.ProgArray:
        """The array; its programs are `reached`."""
        name = array.name or captured_as
        self.claim(name, array)
        self.reached |= dict.fromkeys(array.programs.values())
        return ir.ProgArray(name, array.size, tuple((index, program.name) for index, program in sorted(array.programs.items())))

    def variable(self, variable: ConfigVariable | StateVariable, captured_as: str) -> ir.Variable:
        name = variable.name or captured_as
        self.claim(name, variable)
        if isinstance(variable, ConfigVariable):
            return ir.Config(name, variable.type, variable.initial)
        assert variable.initial is not None
        return ir.State(name, variable.type, variable.initial)
