"""The `control(nf)` of a function: in the function's own file, or in FILE_control.py beside it.

The second is for a control that imports what a router which only runs the function need not have. A file's `control` is plain Python:
no decorator makes it a network function, so it is not compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction, signature
from types import ModuleType
from typing import TypeAlias, final

from pybpfnf.apps.served import Served
from pybpfnf.dsl.reading.load import load_file, programs_in
from pybpfnf.errors import InputError
from pybpfnf.records import dataclass
from pybpfnf.targets import ObjectFile, Target, locate

Control: TypeAlias = Callable[[Served], object]

SUFFIX = "_control"  # of the file beside a function's
_NAME = "control"
_PLACE = "SERVE"  # a mapping in the same file: where the function is bound unless the command line says otherwise
_NEVER_RUN: tuple[tuple[Callable[[object], bool], str], ...] = (
    (iscoroutinefunction, "an async function"),
    (isasyncgenfunction, "an async generator"),
    (isgeneratorfunction, "a generator"),
)
PLACE_KEYS = ("sid", "route", "dev", "via", "headroom", "table")


@final
@dataclass(frozen=True, slots=True)
class Controlled:
    """A program to load, what controls it, and where its file says that it is bound."""

    target: Target
    control: Control
    place: Mapping[str, object]


def controlled(path: str, program: str | None = None) -> Controlled:
    """A function's file (or the name of a catalogue function) with its control.

    Raises InputError where there is no control, or two; CompileError where a file cannot be imported.
    """
    found = locate(path)
    beside = found.path.with_name(found.path.stem + SUFFIX + ".py")
    if isinstance(found, ObjectFile):
        target: Target = path
        modules = []
    else:
        module = load_file(found.path)
        target = _program(path, module, program)
        modules = [module]
    if beside.is_file():
        modules.append(load_file(beside))
    having = [module for module in modules if hasattr(module, _NAME)]
    if not having:
        hint = f"define `def control(nf)` in it or in {beside.name} beside it; `pybpfnf attach` binds a function without one"
        raise InputError(f"{path} has no control", hint=hint)
    if len(having) > 1:
        raise InputError(f"{path} has a control, and {beside.name} has another", hint="remove one of them")
    if not callable(having[0].control):
        raise InputError(f"{having[0].__file__}: control is no function", hint="write `def control(nf):`")
    return Controlled(target, having[0].control, _place(path, having[0]))


def check_control(control: Control) -> None:
    """Raises InputError for one that cannot be called with the function alone, or that a call would not run."""
    code = getattr(control, "__code__", None)
    where = "" if code is None else f"{code.co_filename}:{code.co_firstlineno}: "
    for is_one, what in _NEVER_RUN:
        if is_one(control):
            raise InputError(f"{where}control is {what}: to call it would run nothing", hint="write `def control(nf):`, without `yield`")
    try:
        signature(control).bind(object())
    except TypeError as error:
        raise InputError(f"{where}control cannot be called as control(nf): {error}", hint="write `def control(nf):`") from None


def _program(path: str, module: ModuleType, name: str | None) -> Target:
    programs = programs_in(module)
    names = ", ".join(program.name for program in programs)
    if not programs:
        raise InputError(f"{path} has no network function", hint="decorate a function with @seg6local")
    if name is None and len(programs) > 1:
        raise InputError(f"{path} has several network functions", hint=f"say which with --program: {names}")
    for program in programs:
        if name in (None, program.name):
            return program
    raise InputError(f"{path} has no network function {name!r}", hint=f"it has {names}")


def _place(path: str, module: ModuleType) -> Mapping[str, object]:
    place = getattr(module, _PLACE, {})
    if not isinstance(place, Mapping) or not set(place) <= set(PLACE_KEYS):
        raise InputError(f"{path}: {_PLACE} is no place: {place!r}", hint=f"write a dict with any of {', '.join(PLACE_KEYS)}")
    return place
