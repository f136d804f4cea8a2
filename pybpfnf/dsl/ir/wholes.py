"""Functions, and the module that becomes one object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from pybpfnf.abi.programs import ProgramType
from pybpfnf.diagnostics import Span
from pybpfnf.dsl.ir.calls import Subprogram
from pybpfnf.dsl.ir.names import EventBuffer, Local, Map, Queue, Variable
from pybpfnf.dsl.ir.statements import Stmt
from pybpfnf.dsl.ir.tails import ProgArray
from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Function:
    """A program's function: every path ends in a Return (`dsl` checked it)."""

    name: str
    hook: ProgramType
    packet_name: str  # the parameter's name
    on_fault: int
    body: tuple[Stmt, ...]
    locals: tuple[Local, ...]
    doc: str
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Module:
    """What becomes one object. `sources` has the whole text of each file that a span names."""

    functions: tuple[Function, ...]
    maps: tuple[Map, ...]
    variables: tuple[Variable, ...]
    license: str
    sources: Mapping[str, str]
    events: tuple[EventBuffer, ...] = ()
    queues: tuple[Queue, ...] = ()
    programs: tuple[ProgArray, ...] = ()
    subprograms: tuple[Subprogram, ...] = ()  # each after those that it calls
