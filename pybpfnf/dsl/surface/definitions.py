"""What the things that an author defines have in common: the mistake of a definition, and the name that a module gave a thing."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn, final, get_args, get_origin

from pybpfnf.errors import InputError


@final
class DefinitionError(InputError):
    """A definition at module level (a map, a TLV, a decorator's argument) is wrong; `code` is the diagnostic's, and `field` that of the
    class which is defined that is wrong in it, if it is one."""

    def __init__(self, message: str, *, hint: str, code: str = "type") -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.field: str | None = None


@contextmanager
def of_field(name: str) -> Iterator[None]:
    """What is wrong with a definition in this block is so with its field `name`."""
    try:
        yield
    except DefinitionError as error:
        error.field = name
        raise


def no_field_type(where: str, annotation: object, known: str) -> DefinitionError:
    """`known`: what a field may be, in words."""
    hint = f"write {known}"
    if get_origin(annotation) is list:
        item = _shown(get_args(annotation)[0])
        hint = f"write `list[{item}] = array({item}, 4)`, with the number of its items"
    return DefinitionError(f"{where}: {_shown(annotation)} is no field type", hint=hint)


def _shown(annotation: object) -> str:
    return annotation.__name__ if isinstance(annotation, type) else repr(annotation)


@final
class NotCompiledError(InputError):
    """Something that has a meaning only inside a compiled function was used in ordinary Python."""


def only_compiled(what: str) -> NoReturn:
    """Refuse to do in ordinary Python what only a compiled function can."""
    raise NotCompiledError(
        f"{what} has a meaning only inside a network function",
        hint="run the function with pybpfnf.run(function, packet), or `pybpfnf run FILE.py IN.pcap`",
    )


@final
class Birthplace:
    """The scope in which a thing was made: it is known by the name that this scope gives it."""

    def __init__(self, frame: FrameType) -> None:
        self._scope: Mapping[str, object] = frame.f_globals

    def name_of(self, thing: object) -> str | None:
        """The first name in the scope that is bound to `thing`; None where it has none (yet)."""
        return next((name for name, value in self._scope.items() if value is thing), None)


def birthplace(depth: int = 2) -> Birthplace:
    """The scope `depth` calls up: 2 is the caller of the function that asks."""
    return Birthplace(sys._getframe(depth))
