"""Tables of a TOML document, read key by key: what is missing, unknown, of a wrong type or a wrong value becomes a mistake in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import TypeVar, final

from pybpfnf.errors import InputError
from pybpfnf.lab.check import Mistake
from pybpfnf.lab.places import Path

T = TypeVar("T")
D = TypeVar("D")
_TYPES: Mapping[type, str] = {
    bool: "true or false", int: "a number", float: "a number", str: "text", list: "an array", dict: "a table"
}  # fmt: skip


@final
class Abandoned(Exception):  # noqa: N818 it says that a mistake was noted
    """What is being read cannot be built: a mistake has been noted."""


@final
class Table:
    """One table; `mistakes` is shared by all of a document."""

    def __init__(self, values: Mapping[str, object], at: Path, mistakes: list[Mistake]) -> None:
        self._values = values
        self.at = at
        self._mistakes = mistakes
        self._asked: list[str] = []

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def get(self, name: str, read: Callable[[object], T], default: D) -> T | D:
        """The value, or the default where it is not there, or wrong."""
        self._asked.append(name)
        if name not in self._values:
            return default
        try:
            return read(self._values[name])
        except InputError as error:
            self.wrong(error.message, name, hint=error.hint)
            return default

    def need(self, name: str, read: Callable[[object], T], hint: str | None = None) -> T:
        """The value; raises Abandoned where it is not there, or wrong."""
        self._asked.append(name)
        if name not in self._values:
            self._mistakes.append(Mistake(self.at, "lab-syntax", f"`{name}` is missing here", hint))
            raise Abandoned
        try:
            return read(self._values[name])
        except InputError as error:
            self.wrong(error.message, name, hint=error.hint)
            raise Abandoned from None

    def each(self, name: str, read: Callable[[object], T]) -> tuple[T, ...]:
        """The elements of an array; those that are wrong are left out."""
        found = []
        for position, value in enumerate(self.get(name, array, ())):
            try:
                found.append(read(value))
            except InputError as error:
                self.wrong(error.message, name, position, hint=error.hint)
        return tuple(found)

    def tables(self, name: str) -> Iterator[Table]:
        """The tables of an array of them."""
        for position, value in enumerate(self.get(name, array, ())):
            if isinstance(value, dict):
                yield Table(value, (*self.at, name, position), self._mistakes)
            else:
                self.wrong(f"expected a table, found {_written(value)}", name, position, code="lab-syntax")

    def table(self, name: str) -> Table:
        """The table of that name, an empty one where there is none."""
        return Table(self.get(name, mapping, {}), (*self.at, name), self._mistakes)

    def named(self) -> Iterator[tuple[str, Table]]:
        """All values of this table, each a table."""
        for name in self._values:
            yield name, self.table(name)

    def values(self) -> Mapping[str, object]:
        self._asked += self._values
        return self._values

    def ended(self) -> None:
        """Note the keys that nobody asked for."""
        for name in self._values:
            if name not in self._asked:
                close = get_close_matches(name, self._asked, 1)
                hint = f"did you mean `{close[0]}`?" if close else f"there are: {', '.join(dict.fromkeys(self._asked))}"
                self._mistakes.append(Mistake((*self.at, name), "lab-syntax", f"`{name}` is not understood here", hint, key=True))

    def wrong(self, message: str, *below: str | int, hint: str | None = None, code: str = "lab-value") -> None:
        """Note a mistake at a place below this table."""
        self._mistakes.append(Mistake((*self.at, *below), code, message, hint))


# ------------------------------------------------------------------------------------------------------------- values


def text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise _not("text", value)


def unit_text(value: object) -> str:
    """Text with a number and a unit."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise InputError(f"`{value}` has no unit", hint='write the number and its unit as text: "5ms", "100Mbit", "64kB", "0.1%"')
    return text(value)


def integer(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise _not("a whole number", value)


def truth(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise _not("true or false", value)


def array(value: object) -> list[object]:
    if isinstance(value, list):
        return value
    raise _not("an array", value)


def mapping(value: object) -> dict[str, object]:
    if isinstance(value, dict):
        return value
    raise _not("a table", value)


def _not(wanted: str, value: object) -> InputError:
    return InputError(f"expected {wanted}, found {_written(value)}")


def _written(value: object) -> str:
    return f"{_TYPES.get(type(value), 'a date or a time')}{f' (`{value}`)' if isinstance(value, str | int | float) else ''}"
