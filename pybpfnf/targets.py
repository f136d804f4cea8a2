"""What a user may name as a program, and the object that it stands for.

A path to a `.py` file or to an object, or the name of a catalogue function; from Python also a program, an object's
bytes or an `ObjectImage`. Sources are compiled by `pybpfnf.compile`, imported only then: running an object needs no compiler.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, final

from pybpfnf import catalogue, image
from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.errors import InputError
from pybpfnf.image.model import ObjectImage, ProgramImage
from pybpfnf.lazy import resolve
from pybpfnf.records import dataclass
from pybpfnf.unusable import unreadable

if TYPE_CHECKING:
    from pybpfnf.dsl.surface.programs import Program

Target: TypeAlias = "Program | ObjectImage | bytes | str | os.PathLike[str]"

_SOURCE_SUFFIX = ".py"


@final
@dataclass(frozen=True, slots=True)
class Source:
    """A Python file to compile."""

    path: Path


@final
@dataclass(frozen=True, slots=True)
class ObjectFile:
    path: Path


def locate(name: str | os.PathLike[str], *, source: bool = False) -> Source | ObjectFile:
    """The file that `name` stands for; with `source`, a catalogue function's source also where its object is at hand.

    Raises InputError where there is none.
    """
    path = Path(name)
    if path.suffix in (_SOURCE_SUFFIX, ".o") or os.sep in os.fspath(name):
        return _file(path)
    for entry in catalogue.entries():
        if entry.name == os.fspath(name):
            return Source(entry.source) if source or entry.object is None else ObjectFile(entry.object)
    if path.exists():
        return _file(path)
    raise InputError(f"no file and no catalogue function is called {os.fspath(name)!r}", hint=_nearest(os.fspath(name)))


def object_bytes(target: Target, *, fault_counters: bool = True) -> bytes:
    """The object of a target, compiled where it is source. Without `fault_counters` it must be source."""
    if isinstance(target, ObjectImage):
        raise InputError("an ObjectImage has been read already: its bytes are not kept")
    if isinstance(target, bytes):
        return _as_built(target, fault_counters)
    if not isinstance(target, str | os.PathLike):
        _check_is_program(target)
        built: bytes = resolve("compile_programs")([target], fault_counters=fault_counters)
        return built
    found = locate(target, source=not fault_counters)
    if isinstance(found, ObjectFile):
        return _as_built(read_file(found.path), fault_counters)
    compiled: bytes = resolve("compile_file")(found.path, fault_counters=fault_counters)
    return compiled


def _check_is_program(target: object) -> None:
    """Raises InputError for what is nothing to compile; a program knows its hook."""
    if not hasattr(target, "function") or not hasattr(target, "hook"):
        hint = "give a program, a file's path, an object's bytes, or a catalogue function's name"
        raise InputError(f"{target!r} is no network function", hint=hint)


def object_image(target: Target) -> ObjectImage:
    """The object of a target as data. Raises InputError, ObjectError or CompileError."""
    if isinstance(target, ObjectImage):
        return target
    return image.read(object_bytes(target), name=target_name(target))


@final
@dataclass(frozen=True, slots=True)
class Prepared:
    """A program ready to be run or loaded: its object with every Config set. `data` is the object's bytes, None where the target was none
    any more, and `digest` their SHA-256, or ""."""

    image: ObjectImage
    program: ProgramImage
    data: bytes | None

    @property
    def digest(self) -> str:
        return "" if self.data is None else hashlib.sha256(self.data).hexdigest()


def prepare(target: Target, config: Mapping[str, object], *, program: str | None = None, type_name: str | None = None) -> Prepared:
    """Find, compile and read the target, choose its program, set its Config. Raises InputError for what does not fit."""
    data = None if isinstance(target, ObjectImage) else object_bytes(target)
    found = target if isinstance(target, ObjectImage) else image.read(data or b"", name=target_name(target))
    chosen = choose_program(found, program_name(target) if program is None else program, type_name)
    configured = image.configure(found, config)
    image.require_complete(configured, chosen)
    return Prepared(configured, chosen, data)


def program_name(target: Target) -> str | None:
    """A program's own name: its object has those too that it goes on in."""
    return None if isinstance(target, ObjectImage | bytes | str | os.PathLike) else target.name


def target_name(target: Target) -> str:
    """What to call a target in messages."""
    if isinstance(target, str | os.PathLike):
        return os.fspath(target)
    if isinstance(target, bytes | ObjectImage):
        return "the object"
    return target.name


def choose_program(found: ObjectImage, name: str | None = None, type_name: str | None = None) -> ProgramImage:
    """The program of that name (or the only one), with its type from the section, else `type_name`.

    Raises InputError where the name is unknown or ambiguous, the type unknown, or the two types differ.
    """
    program = found.program(name)
    choices = ", ".join(PROGRAM_TYPES)
    if type_name is not None and type_name not in PROGRAM_TYPES:
        raise InputError(f"no program type {type_name!r}", hint=f"the types are: {choices}")
    if program.type is None:
        if type_name is None:
            raise InputError(
                f"section {program.section!r} of program {program.name} does not say the program's type",
                hint=f"say it with --type, one of: {choices}",
            )
        return replace(program, type=type_name)
    if type_name not in (None, program.type):
        raise InputError(
            f"program {program.name} is {program.type}, as its section {program.section!r} says, not {type_name}",
            hint="leave out --type",
        )
    return program


def read_file(path: Path) -> bytes:
    """The file's bytes; raises InputError with the reason where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None


def _as_built(data: bytes, fault_counters: bool) -> bytes:
    if not fault_counters:
        raise InputError("an object keeps or lacks its fault counters as it was built", hint="give the source")
    return data


def _file(path: Path) -> Source | ObjectFile:
    if path.is_dir():
        raise InputError(f"cannot read {path}: it is a directory", hint="give a .py file, an object file or a name of `pybpfnf list`")
    if not path.exists():
        raise InputError(f"no such file: {path}", hint=_nearest(path.stem) if path.parent == Path() else None)
    return Source(path) if path.suffix == _SOURCE_SUFFIX else ObjectFile(path)


def _nearest(name: str) -> str:
    names = [entry.name for entry in catalogue.entries()]
    near = [name] if name in names else get_close_matches(name, names, n=3)
    return f"did you mean {' or '.join(near)}?" if near else "`pybpfnf list` shows the catalogue"
