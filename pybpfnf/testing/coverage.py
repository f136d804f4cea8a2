"""Coverage of a network function's Python source, by the packets that it has run on, as coverage.py keeps it.

The function is compiled with counters (`dsl.passes.instrument`); here counts become lines and arcs. A statement without code of its own
(a name for the SRH, for instance) was executed where one after it in the same suite was. Statements outside of functions were executed
when the file was imported. coverage.py knows which arcs there can be; a branch's counters say which of them were taken.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, Protocol, final

from pybpfnf.errors import InputError, SystemLacksError
from pybpfnf.unusable import check_writable, reason


class Point(Protocol):
    """What a counter counts (`dsl.passes.instrument.Point`)."""

    @property
    def file(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def way(self) -> bool | None: ...


@final
@dataclass(frozen=True, slots=True)
class FileCoverage:
    """What was executed of one file: first lines of statements, and arcs from one to the next (a negative end is a function's, as in
    coverage.py)."""

    lines: frozenset[int]
    arcs: frozenset[tuple[int, int]]

    def __or__(self, other: FileCoverage) -> FileCoverage:
        """What was executed in one run or the other."""
        return FileCoverage(self.lines | other.lines, self.arcs | other.arcs)


@final
@dataclass(slots=True)
class _Counts:
    """Of one file: the lines that were executed, of branches the ways that were taken, and the lines that have a counter."""

    executed: set[int] = field(default_factory=set)
    ways: dict[int, set[bool]] = field(default_factory=dict)
    known: set[int] = field(default_factory=set)


def covered(points: Mapping[str, Point], counts: Mapping[str, int]) -> dict[str, FileCoverage]:
    """By file; `counts` by the names of `points`. Raises SystemLacksError without coverage.py."""
    by_file: dict[str, _Counts] = {point.file: _Counts() for point in points.values()}
    for name, point in points.items():
        by_file[point.file].known.add(point.line)
        if point.way is not None:
            by_file[point.file].ways.setdefault(point.line, set())
        if not counts[name]:
            continue
        if point.way is None:
            by_file[point.file].executed.add(point.line)
        else:
            by_file[point.file].ways[point.line].add(point.way)
    return {file: _of_file(Path(file), counted) for file, counted in by_file.items()}


def _of_file(path: Path, counted: _Counts) -> FileCoverage:
    source = path.read_text(encoding="utf-8")
    lines = frozenset(_executed(ast.parse(source).body, counted, entered=True))
    bodies = dict(_branches(ast.parse(source)))
    possible = _possible_arcs(source)
    after = {start: {end for begin, end in possible if begin == start} for start, _ in possible}
    arcs = {
        (start, end)
        for start, end in possible
        if (start in lines or start < 0)
        and (end in lines or end < 0)
        and (len(after[start]) == 1 or start not in bodies or (end == bodies[start]) in counted.ways.get(start, ()))
    }
    return FileCoverage(lines, frozenset(arcs))


def _executed(suite: Sequence[ast.stmt], counted: _Counts, *, entered: bool) -> Iterator[int]:
    """The first lines of the statements of a suite, and of those inside them, that were executed. `entered`: the suite was."""
    later = [any(_is_counted(each, counted) for each in suite[at:]) for at in range(len(suite))]
    for statement, reached_later in zip(suite, later, strict=True):
        if not (entered or reached_later):
            return
        # A decorated definition has two first lines or more, in coverage.py's eyes.
        yield from (statement.lineno, *(each.lineno for each in getattr(statement, "decorator_list", ())))
        for line, inner, runs in _suites(statement, counted, entered=entered):
            if line is not None and runs:
                yield line
            yield from _executed(inner, counted, entered=runs)
        entered = entered and not isinstance(statement, _LEAVING) and (not isinstance(statement, _BRANCHING) or reached_later)


_LEAVING = (ast.Return, ast.Break, ast.Continue, ast.Raise)
_BRANCHING = (ast.If, ast.For, ast.While, ast.Match, ast.With)


def _is_counted(statement: ast.stmt, counted: _Counts) -> bool:
    return any(line in counted.executed for line in range(statement.lineno, (statement.end_lineno or statement.lineno) + 1))


def _suites(statement: ast.stmt, counted: _Counts, *, entered: bool) -> Iterator[tuple[int | None, Sequence[ast.stmt], bool]]:
    """The suites of a compound statement, each with a line of its own where it has one, and whether it was entered. What is defined at
    module level is so by the import."""
    match statement:
        case ast.If() | ast.For():
            ways = counted.ways.get(statement.lineno, set())
            at_import = entered and statement.lineno not in counted.known
            yield None, statement.body, True in ways or at_import
            yield None, statement.orelse, False in ways or at_import
        case ast.Match():
            reached = True
            for case in statement.cases:
                asked = counted.ways.get(case.pattern.lineno)
                taken = reached if asked is None else True in asked
                yield case.pattern.lineno, case.body, taken
                if not taken and reached:
                    yield case.pattern.lineno, (), True  # asked, and not taken
                reached = asked is not None and False in asked
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield None, statement.body, False
        case _:
            for name in ("body", "orelse", "finalbody"):
                yield None, getattr(statement, name, ()), entered


def _branches(tree: ast.AST) -> Iterator[tuple[int, int]]:
    """The line of each branch, with the first line of what is entered when it is taken."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If | ast.For):
            yield node.lineno, node.body[0].lineno
        elif isinstance(node, ast.match_case):
            yield node.pattern.lineno, node.body[0].lineno


# ------------------------------------------------------------------------------------------------------- coverage.py


def _coverage() -> Any:
    try:
        import coverage  # here: it is no dependency of the package
        import coverage.parser
    except ImportError:
        raise SystemLacksError("coverage needs the Python package coverage, which is not installed", hint="pip install coverage") from None
    return coverage


def _possible_arcs(source: str) -> set[tuple[int, int]]:
    parser = _coverage().parser.PythonParser(text=source)
    parser.parse_source()
    found: set[tuple[int, int]] = parser.arcs()
    return found


_SQLITE = b"SQLite format 3\0"
_NO_DATA_FILE = "name a data file of coverage.py, or a new one"


def write_data(path: Path, files: Mapping[str, FileCoverage], *, arcs: bool | None = None) -> None:
    """Add to coverage.py's data file: lines where it has lines, arcs where it has those. A new one has what coverage.py's configuration
    in the current directory says, and arcs without one, unless `arcs` says which. Raises InputError for another file."""
    coverage = _coverage()
    check_data(path)
    data = coverage.CoverageData(basename=str(path))
    try:
        data.read()
        names = {str(Path(file).resolve()): found for file, found in files.items()}
        if data.measured_files():
            arcs = data.has_arcs()
        if _wants_arcs() if arcs is None else arcs:
            data.add_arcs({name: found.arcs for name, found in names.items()})
        else:
            data.add_lines({name: found.lines for name, found in names.items()})
        data.write()
    except coverage.CoverageException as error:
        raise InputError(f"cannot add to {path}: {error}", hint=_NO_DATA_FILE) from None
    finally:
        data.close()


def _wants_arcs() -> bool:
    """Whether data measured here will have arcs, as far as it is said: the usual tools refuse to combine them with lines."""
    here = _coverage().Coverage()
    return here.config.config_file is None or bool(here.get_option("run:branch"))


def check_data(path: Path) -> None:
    """Raises InputError where `write_data` could not add to this file: to find out before a long run."""
    check_writable(path)
    try:
        with path.open("rb") as stream:
            begins = stream.read(len(_SQLITE))
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"cannot add to {path}: {reason(error)}") from None
    if begins not in (b"", _SQLITE):
        raise InputError(f"cannot add to {path}: it is no data file", hint=_NO_DATA_FILE)


def report(path: Path, files: Sequence[str], html: Path | None = None) -> str:
    """coverage.py's table of these files, from a data file, with what is missing; and its pages to the directory `html`."""
    coverage = _coverage()
    reporting = coverage.Coverage(data_file=str(path), config_file=False)
    reporting.load()
    include = [str(Path(file).resolve()) for file in files]
    text = StringIO()
    try:
        reporting.report(include=include, show_missing=True, file=text)
        if html is not None:
            reporting.html_report(include=include, directory=str(html))
    finally:
        reporting.get_data().close()
    return text.getvalue()
