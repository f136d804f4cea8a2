"""Functions of a program's file that nothing calls: built as if they were called, for what is wrong in them, and then left out.

A function that suits one hook of the file is right; a function of another hook's packet is built for that hook. Of a caller everything is
assumed that it could have asked before, as that the packet has an SRH.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from types import FunctionType

from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.diagnostics import Diagnostic
from pybpfnf.dsl.building.builder import Builder, Tables
from pybpfnf.dsl.building.formals import PACKETS
from pybpfnf.dsl.building.locals import Inferred, Locals
from pybpfnf.dsl.building.scope import ModuleScope
from pybpfnf.dsl.constructs.func import build_as_called
from pybpfnf.dsl.surface.functions import Func
from pybpfnf.dsl.surface.programs import Program


def check_uncalled(tables: Tables, programs: Iterable[Program], scope: ModuleScope) -> Iterator[Diagnostic]:
    """What is wrong in functions of the programs' files that were not called in the scope."""
    hooks: dict[Func[..., object], dict[tuple[str, str], None]] = {}  # and licenses, of the programs beside each function
    for program in programs:
        for function in _beside(program):
            if not scope.was_read(function.function):
                hooks.setdefault(function, {})[program.type.name, program.license] = None
    for function, given in hooks.items():
        yield from _mistakes(tables, function, tuple(given))


def _beside(program: Program) -> Iterator[Func[..., object]]:
    """The functions of a program's file by the names that they have there; not those that it imports."""
    names = program.function.__globals__
    for thing in names.values():
        if isinstance(thing, Func) and thing.function.__globals__ is names and _file(thing.function) == _file(program.function):
            yield thing


def _file(function: FunctionType) -> str:
    return function.__code__.co_filename


def _mistakes(tables: Tables, function: Func[..., object], hooks: tuple[tuple[str, str], ...]) -> list[Diagnostic]:
    """Those of the hook that the function suits best."""
    _, license = hooks[0]  # noqa: A001 as in the object
    others = ((name, license) for name in PACKETS if name not in dict(hooks))
    built = [found for hook in hooks if (found := _build(tables, function, *hook)) is not None]
    built = built or [found for hook in others if (found := _build(tables, function, *hook)) is not None]
    return min(built, key=len, default=[])


def _build(tables: Tables, function: Func[..., object], hook: str, license: str) -> list[Diagnostic] | None:  # noqa: A002
    """What is said of the function in a hook; None where it takes the packet of another. In a scope of its own: nothing of it stays."""
    scope = ModuleScope()
    source = scope.source(function.function)
    b = Builder(tables, source, PROGRAM_TYPES[hook], license, scope, Locals(source.definition, Inferred()))
    if not build_as_called(b, function):
        return None
    return [replace(each, span=replace(each.span, called_from=None)) for each in b.diagnostics]
