"""Where in a TOML file each key and each value stands: what the standard library's reader does not say, and a caret needs.

Only for text that `tomllib` has accepted: nothing is checked again here.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import TypeAlias, final

from pybpfnf.records import dataclass

Path: TypeAlias = tuple[str | int, ...]
"""Keys, and positions in arrays: `("links", 0, "ends", 1)`."""

_BLANK = re.compile(r"(?:\s|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRINGS = (
    re.compile(r'"""(?:\\.|[^\\])*?"{3,5}', re.DOTALL),
    re.compile(r"'''.*?'{3,5}", re.DOTALL),
    re.compile(r'"(?:\\.|[^"\\])*"'),
    re.compile(r"'[^']*'"),
)
_PLAIN = re.compile(r"[^\s,\]}#]+(?: \d[^\s,\]}#]*)?")  # a date and a time may have a space between


@final
@dataclass(frozen=True, slots=True)
class Place:
    """Offsets of a key and of its value; an element of an array has its value's twice, a table its header's."""

    key: tuple[int, int]
    value: tuple[int, int]


def places(text: str) -> Mapping[Path, Place]:
    """Every key, table and element of the file."""
    scanner = _Scanner(text)
    scanner.scan()
    return scanner.found


@final
class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._lengths: dict[Path, int] = {}  # of arrays of tables, so far
        self.found: dict[Path, Place] = {}

    def scan(self) -> None:
        table: Path = ()
        while self._skip() < len(self._text):
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._pair(table)

    def _skip(self) -> int:
        blank = _BLANK.match(self._text, self._at)
        assert blank is not None  # it matches nothing too
        self._at = blank.end()
        return self._at

    def _take(self, character: str) -> bool:
        self._skip()
        found = self._text.startswith(character, self._at)
        self._at += len(character) * found
        return found

    def _header(self) -> Path:
        start = self._at
        several = self._text.startswith("[[", start)
        self._at += 1 + several
        path: Path = ()
        keys = self._keys()
        for position, (key, _) in enumerate(keys):
            path = (*path, key)
            if several and position == len(keys) - 1:
                self._lengths[path] = self._lengths.get(path, 0) + 1
            if path in self._lengths:
                path = (*path, self._lengths[path] - 1)
        self._take("]]" if several else "]")
        whole = (start, self._at)
        self.found[path] = Place(keys[-1][1], whole)
        for length in range(1, len(path)):
            self.found.setdefault(path[:length], Place(keys[0][1], whole))
        return path

    def _pair(self, table: Path) -> None:
        keys = self._keys()
        self._take("=")
        path = (*table, *(key for key, _ in keys))
        start = self._skip()
        self._value(path)
        whole = (start, self._at)
        self.found[path] = Place(keys[-1][1], whole)
        for length in range(len(table) + 1, len(path)):
            self.found.setdefault(path[:length], Place(keys[0][1], whole))

    def _keys(self) -> list[tuple[str, tuple[int, int]]]:
        keys = []
        while True:
            start = self._skip()
            bare = _BARE_KEY.match(self._text, start)
            if bare is None:
                self._string()
                text = next(iter(tomllib.loads(f"{self._text[start : self._at]} = 0")))  # its escapes are TOML's business
            else:
                self._at = bare.end()
                text = bare[0]
            keys.append((text, (start, self._at)))
            if not self._take("."):
                return keys

    def _string(self) -> bool:
        for pattern in _STRINGS:
            found = pattern.match(self._text, self._at)
            if found is not None:
                self._at = found.end()
                return True
        return False

    def _value(self, path: Path) -> None:
        if self._take("["):
            self._elements(path)
        elif self._take("{"):
            self._inline(path)
        elif not self._string():
            plain = _PLAIN.match(self._text, self._at)
            assert plain is not None
            self._at = plain.end()

    def _elements(self, path: Path) -> None:
        position = 0
        while not self._take("]"):
            start = self._skip()
            self._value((*path, position))
            self.found[*path, position] = Place((start, self._at), (start, self._at))
            position += 1
            self._take(",")

    def _inline(self, path: Path) -> None:
        while not self._take("}"):
            self._pair(path)
            self._take(",")
