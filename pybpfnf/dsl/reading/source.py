"""Where a function's text is: its file, its syntax tree with positions in characters, and the names that it captures."""

from __future__ import annotations

import ast
import builtins
import linecache
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import FunctionType
from typing import final

from pybpfnf.diagnostics import Diagnostic, Span
from pybpfnf.errors import InputError
from pybpfnf.records import dataclass

_PROJECT_MARKS = ("pyproject.toml", ".git")
_PACKAGE = Path(__file__).resolve().parents[2]
_CATALOGUE = _PACKAGE / "functions"  # where an installation has it


@final
@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file's text. `display` is the path as it was given, `recorded` the same on every machine."""

    display: str
    recorded: str
    text: str
    lines: tuple[str, ...]

    @classmethod
    def of(cls, filename: str, text: str) -> SourceFile:
        return cls(filename, recorded_name(filename), text, tuple(text.split("\n")))

    def span(self, node: ast.expr | ast.stmt | ast.arg | ast.keyword | ast.pattern) -> Span:
        """`ast` counts columns in UTF-8 bytes from 0; a span counts characters from 1."""
        end = node.end_col_offset if node.end_col_offset is not None else node.col_offset
        return self.between(node.lineno, node.col_offset, node.end_lineno or node.lineno, end)

    def between(self, line: int, offset: int, end_line: int, end_offset: int) -> Span:
        """The span of positions as Python counts them: lines from 1, UTF-8 bytes from 0."""
        return Span(self.recorded, line, self._column(line, offset), end_line, self._column(end_line, end_offset))

    def segment(self, span: Span) -> str:
        """The text of a span on one line; of a longer one its first line, with dots."""
        line = self.lines[span.line - 1]
        if span.end_line > span.line:
            return f"{line[span.column - 1 :].rstrip()} ..."
        return line[span.column - 1 : span.end_column - 1]

    def diagnostic(self, code: str, message: str, span: Span, hint: str | None = None) -> Diagnostic:
        line = self.lines[span.line - 1] if 0 < span.line <= len(self.lines) else ""
        return Diagnostic(code, message, span, line, hint, None if self.display == self.recorded else self.display)

    def _column(self, line: int, offset: int) -> int:
        return len(self.lines[line - 1].encode()[:offset].decode(errors="replace")) + 1


def recorded_name(filename: str) -> str:
    """The name that spans and objects have for a file, so that objects are the same bytes on every machine.

    A catalogue function of an installation is `functions/x.py`, a module of ours `pybpfnf/x.py`; another file is relative to the nearest
    directory above it that has pyproject.toml or .git, else to the one that its package is in, else its base name. What is no file
    (`<stdin>`) keeps its name.
    """
    if filename.startswith("<"):
        return filename
    path = Path(os.path.abspath(filename))
    for directory in (_CATALOGUE, _PACKAGE):
        if directory in path.parents:
            return f"{directory.name}/{path.relative_to(directory).as_posix()}"
    project = project_of(path.parent)
    if project is None:
        top = topmost_package(path.parent)
        project = path.parent if top is None else top.parent
    return path.relative_to(project).as_posix()


def project_of(directory: Path) -> Path | None:
    """The nearest directory, this or one above it, that is a project's; None where there is none."""
    return next((each for each in (directory, *directory.parents) if any((each / mark).exists() for mark in _PROJECT_MARKS)), None)


def topmost_package(directory: Path) -> Path | None:
    """The outermost of the packages with `__init__.py` that a directory stands in; None where it is no such package itself."""
    found = None
    for each in (directory, *directory.parents):
        if not (each / "__init__.py").exists():
            break
        found = each
    return found


def keep_text(name: str, text: str) -> None:
    """Remember the text of a file that has been read, for `read_function`.

    That of a relative path is kept, because the working directory may change before it is compiled."""
    linecache.checkcache(name)
    if not os.path.isabs(name):
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)


@final
@dataclass(frozen=True, slots=True)
class FunctionSource:
    """One function: its file, its definition in that file's tree, and the objects that its free names stand for."""

    file: SourceFile
    definition: ast.FunctionDef
    captured: Mapping[str, object]


def read_function(function: FunctionType) -> FunctionSource:
    """The source of a function. Raises InputError where Python does not know its text, or the text has changed since."""
    code = function.__code__
    # A file may have changed on the disk since another text of it was cached; what exec'd code put there stays.
    linecache.checkcache(code.co_filename)
    text = "".join(linecache.getlines(code.co_filename, function.__globals__))
    if not text:
        raise InputError(
            f"the source of {function.__name__} in {code.co_filename} is not known to Python",
            hint="define it in a file, or in a prompt that keeps its text (IPython does)",
        )
    return FunctionSource(SourceFile.of(code.co_filename, text), _definition(function, text), _captured(function))


def _definition(function: FunctionType, text: str) -> ast.FunctionDef:
    code = function.__code__
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python has warned already, when it compiled the file
            tree = ast.parse(text, code.co_filename)
    except SyntaxError:
        raise _changed(function) from None
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and node.name == code.co_name
            and _first_line(node) == code.co_firstlineno
        ):
            if isinstance(node, ast.AsyncFunctionDef):
                break
            return node
    raise _changed(function)


def _changed(function: FunctionType) -> InputError:
    code = function.__code__
    return InputError(
        f"{code.co_filename}:{code.co_firstlineno}: there is no `def {function.__name__}` in the text that Python has",
        hint="a network function is written with `def`; where its file has changed since, import it again",
    )


def _first_line(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """As the code object counts: the first decorator's line."""
    return min((decorator.lineno for decorator in node.decorator_list), default=node.lineno)


def _captured(function: FunctionType) -> Mapping[str, object]:
    """Names as Python would find them now: of the enclosing functions, else of the module, else built in."""
    cells = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            cells[name] = cell.cell_contents
        except ValueError:  # not bound yet: as unknown as a global that is not there
            continue
    return {**vars(builtins), **function.__globals__, **cells}
