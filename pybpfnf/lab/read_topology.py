"""A topology from a TOML file, or everything that is wrong with the file, each mistake with its line and a caret."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path as FilePath

from pybpfnf.diagnostics import Diagnostic, Span
from pybpfnf.errors import CompileError, InputError
from pybpfnf.lab.build_topology import build_topology
from pybpfnf.lab.check import Mistake, mistakes
from pybpfnf.lab.places import Path, Place, places
from pybpfnf.lab.topology import Topology
from pybpfnf.targets import read_file

_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def read_topology(path: str | os.PathLike[str]) -> Topology:
    """Raises InputError for a file that cannot be read, CompileError with a diagnostic for each mistake in it. A path in it is
    one from its own directory."""
    try:
        text = read_file(FilePath(path)).decode("utf-8-sig")  # as editors of other systems write it
    except UnicodeDecodeError as error:
        raise InputError(f"{os.fspath(path)} is not UTF-8: {error.reason} at byte {error.start}") from None
    return topology_of(text, os.fspath(path))


def topology_of(text: str, path: str) -> Topology:
    """As `read_topology`, of a text that was read from `path`."""
    text = text.replace("\r\n", "\n")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CompileError([_syntax(str(error), text, path)]) from None
    built = build_topology(document, FilePath(path))
    found = list(built.mistakes) or mistakes(built.topology)
    if found:
        where = places(text)
        diagnostics = [_diagnostic(each, where, text, path) for each in found]
        raise CompileError(sorted(diagnostics, key=lambda each: (each.span.line, each.span.column)))
    return built.topology


def _syntax(message: str, text: str, path: str) -> Diagnostic:
    """What `tomllib` says, whose message ends with the place."""
    found = _POSITION.search(message)
    words = message[: found.start()] if found else message
    line, column = (int(found[1]), int(found[2])) if found and found[1] else _end_of(text)
    said = f"this is not TOML: {words[0].lower()}{words[1:]}"
    return Diagnostic("lab-syntax", said, Span(path, line, column, line, column + 1), _line(text, line))


def _end_of(text: str) -> tuple[int, int]:
    lines = text.rstrip("\n").split("\n")
    return len(lines), len(lines[-1]) + 1


def _diagnostic(mistake: Mistake, where: Mapping[Path, Place], text: str, path: str) -> Diagnostic:
    start, end = _place(mistake, where)
    line = text.count("\n", 0, start) + 1
    end_line = text.count("\n", 0, max(start, end - 1)) + 1
    span = Span(path, line, start - _start(text, start) + 1, end_line, end - _start(text, max(start, end - 1)) + 1)
    return Diagnostic(mistake.code, mistake.message, span, _line(text, line), mistake.hint)


def _place(mistake: Mistake, where: Mapping[Path, Place]) -> tuple[int, int]:
    """Of the innermost part of the path that stands in the file: what is left out there is missing in the table around it."""
    at = mistake.else_at if mistake.else_at in where and mistake.at not in where else mistake.at
    for length in range(len(at), 0, -1):
        found = where.get(at[:length])
        if found is not None:
            return found.key if mistake.key and length == len(at) else found.value
    return (0, 1)


def _start(text: str, offset: int) -> int:
    return text.rfind("\n", 0, offset) + 1


def _line(text: str, number: int) -> str:
    lines = text.split("\n")
    return lines[number - 1] if number <= len(lines) else ""
