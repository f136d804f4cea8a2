"""Import a file as an operator gives it, and find its programs. What goes wrong in it is a diagnostic at its line."""

from __future__ import annotations
import __future__

import ast
import linecache
import os
import re
import sys
import tokenize
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import redirect_stdout
from difflib import get_close_matches
from pathlib import Path
from types import CodeType, FrameType, ModuleType, TracebackType
from typing import Self, TypeAlias, final

from pybpfnf.diagnostics import Diagnostic, Span
from pybpfnf.dsl import surface
from pybpfnf.dsl.reading.own_modules import OwnModules, import_hint, shown_name
from pybpfnf.dsl.reading.source import SourceFile, keep_text
from pybpfnf.dsl.surface.definitions import DefinitionError
from pybpfnf.dsl.surface.functions import Func
from pybpfnf.dsl.surface.programs import Program
from pybpfnf.errors import CompileError, Error, InputError
from pybpfnf.unusable import unreadable

_Statement: TypeAlias = tuple[ast.stmt, CodeType]
_MODULE = "pybpfnf_loaded_"  # and the file's name: one that no import statement takes for something else


def load_programs(path: str | os.PathLike[str]) -> list[Program]:
    """The programs of a Python file, in the order of their names' first binding.

    Raises InputError where the file cannot be read or has none, CompileError where it cannot be imported.
    """
    programs = programs_in(load_file(path))
    if not programs:
        raise InputError(f"{os.fspath(path)} has no network function", hint="decorate a function with @seg6local")
    return programs


def programs_in(module: ModuleType) -> list[Program]:
    """The programs that a module has names for."""
    return list(dict.fromkeys(thing for thing in vars(module).values() if isinstance(thing, Program)))


def load_file(path: str | os.PathLike[str]) -> ModuleType:
    """A Python file as a module. Raises InputError where it cannot be read, CompileError where it cannot be imported."""
    name = os.fspath(path)
    text = _read(name)
    keep_text(name, text)
    own = OwnModules(name)
    module = ModuleType(f"{own.home.package}.{Path(name).stem}" if own.home.package else _MODULE + Path(name).stem)
    module.__file__, module.__package__ = name, own.home.package
    with _Importing(module, name, own) as importing:
        statements = _statements(text, name)
        with redirect_stdout(sys.stderr):  # stdout is for our data: what the file prints shall not get between
            importing.execute(statements)
    hidden = [*_hidden(text, name, module)]
    for imported in own.found.values():
        if (shown := shown_name(imported)) is not None:
            hidden += _hidden("".join(linecache.getlines(shown)), shown, imported)
    if hidden:
        raise CompileError(hidden)
    return module


def _statements(text: str, name: str) -> list[_Statement]:
    """Of a file: one at a time, so that what one does wrong is not the end of the others. Raises SyntaxError, and CompileError where
    it is nested deeper than Python compiles.

    It compiles what is nested deeper than its `ast` reaches: such a file is one statement, and the first error its last.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # `x is 3` and its like are errors of the language, said in its words
        try:
            whole = compile(text, name, "exec", dont_inherit=True)
        except (RecursionError, MemoryError):  # the second is its parser's word for it
            file, span = _whole_line(name, 1)
            hint = "write what is long as a table: a list, or a map"
            raise CompileError([file.diagnostic("size", "something in the file is nested too deeply for Python", span, hint)]) from None
        flags = whole.co_flags & _FUTURES  # of its `from __future__`
        try:
            if (nodes := _nodes(text, name)) is not None:
                return [(node, compile(ast.Module([node], []), name, "exec", flags, dont_inherit=True)) for node in nodes]
        except RecursionError:
            pass
    return [(ast.Pass(), whole)]


def _nodes(text: str, name: str) -> list[ast.stmt] | None:
    """A file's statements; None where it is nested too deeply."""
    try:
        return ast.parse(text, name).body
    except RecursionError:
        return None


def _hidden(text: str, name: str, module: ModuleType) -> Iterator[Diagnostic]:
    """A second `def` of a network function's name, or of a `@func`'s, hides the first, which would be gone without a word."""
    functions = {bound for bound, thing in vars(module).items() if isinstance(thing, Program | Func)}
    if not functions:
        return
    seen: dict[str, int] = {}
    for node in _nodes(text, name) or ():
        if not isinstance(node, ast.FunctionDef) or node.name not in functions:
            continue
        if node.name in seen:
            file, span = _whole_line(name, node.lineno)
            message = f"`{node.name}` is defined a second time, and the first, of line {seen[node.name]}, would be gone"
            yield file.diagnostic("name", message, span, "give one of them another name")
        seen.setdefault(node.name, node.lineno)


def _read(name: str) -> str:
    try:
        with tokenize.open(name) as file:
            return file.read()
    except OSError as error:
        raise unreadable(name, error) from None
    except (SyntaxError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {name}: it is no text that Python takes: {error}") from None


@final
class _Importing:
    """While a file is executed: its own modules can be imported, and whatever is raised becomes a CompileError.

    A wrong definition, or an unknown name, is kept, and the file gone on with, so that all that are wrong are said at once. Names that
    were to be defined by one are lost: who asks for them makes no mistake.
    """

    def __init__(self, module: ModuleType, name: str, own: OwnModules) -> None:
        self._module = module
        self._name = name
        self._own = own
        self._found: list[Diagnostic] = []
        self._lost: set[str] = set()

    def execute(self, statements: Iterable[_Statement]) -> None:
        for node, code in statements:
            try:
                exec(code, vars(self._module))
            except (DefinitionError, NameError, ImportError) as error:
                if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
                    raise  # nobody knows which names are lost
                if not (isinstance(error, NameError) and error.name in self._lost):
                    self._found.append(self._diagnostic(error, error.__traceback__))
                self._lost |= _bound_by(node)

    def __enter__(self) -> Self:
        self._path = list(sys.path)
        self._own.__enter__()
        self._before = sys.modules.get(self._module.__name__)
        sys.modules[self._module.__name__] = self._module
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._own.collect()
        try:
            if isinstance(error, Exception | SystemExit):
                raise CompileError([*self._found, self._diagnostic(error, trace)]) from None
            if self._found:
                raise CompileError(self._found)
        finally:
            sys.path[:] = self._path
            del sys.modules[self._module.__name__]
            if self._before is not None:
                sys.modules[self._module.__name__] = self._before
            self._own.__exit__(kind, error, trace)

    def _diagnostic(self, error: Exception | SystemExit, trace: TracebackType | None) -> Diagnostic:
        if isinstance(error, CompileError):
            return error.diagnostics[0]
        if isinstance(error, SyntaxError) and error.filename is not None and error.lineno is not None:
            return _syntax(error, error.filename, error.lineno)
        file, span, names = self._place(trace)
        if isinstance(error, DefinitionError):
            return file.diagnostic(error.code, error.message, _at_field(file, span, error.field), error.hint)
        if isinstance(error, Error):
            return file.diagnostic("import", error.message, span, error.hint)
        if isinstance(error, NameError) and error.name is not None:
            return file.diagnostic("name", f"`{error.name}` is not known here", span, _nearest(error.name, names))
        if isinstance(error, TypeError) and (call := _WRONG_CALL.fullmatch(str(error))) and (name := _called(file.segment(span))):
            hint = _DECORATOR if name in _HOOKS else f"`help({name})` says what it takes"
            return file.diagnostic("arguments", f"`{name}`: {call[1]}", span, hint)
        if isinstance(error, TypeError) and _WRONG_BRACKETS.search(str(error)) and (name := _called(file.segment(span))):
            hint = _ARRAY if _ITEM.fullmatch(name) else f"`help({name})` says what it takes"
            return file.diagnostic("type", f"`{name}` takes nothing in brackets", span, hint)
        kind, text = type(error).__name__, str(error)
        if isinstance(error, ImportError):
            return file.diagnostic("name", _lower(_UNPLACED.sub("", text)), _at_name(file, span, text), import_hint(error, self._own.home))
        if isinstance(error, NameError):
            return file.diagnostic("name", _lower(text), span, _MEND)
        return file.diagnostic("import", kind if text in ("", "None") else f"{kind}: {text}", span, _MEND)

    def _place(self, trace: TracebackType | None) -> tuple[SourceFile, Span, Mapping[str, object]]:
        """The innermost line of the operator's own files that the error went through, and the names that are known there."""
        found: tuple[FrameType, int, tuple[int | None, int | None, int | None, int | None]] | None = None
        while trace is not None:
            frame = trace.tb_frame
            if frame.f_code.co_filename == self._name or self._own.owns(frame.f_globals.get("__name__")):
                positions = list(frame.f_code.co_positions())
                found = frame, trace.tb_lineno, positions[trace.tb_lasti // 2]
            trace = trace.tb_next
        if found is None:
            return *_whole_line(self._name, 1), vars(self._module)
        frame, line, (start, end, column, end_column) = found
        file, whole = _whole_line(frame.f_code.co_filename, line)
        if start is None or end is None or column is None or end_column is None:
            return file, whole, frame.f_globals
        return file, file.between(start, column, end, end_column), frame.f_globals


def _bound_by(node: ast.stmt) -> set[str]:
    """The names that a statement at module level gives something to."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {each.asname or each.name.partition(".")[0] for each in node.names}
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}


def _at_field(file: SourceFile, span: Span, field: str | None) -> Span:
    """Where the class that is defined at `span` has a field; the class where it is not found."""
    for node in ast.walk(ast.Module(_nodes(file.text, file.display) or [], [])):
        if isinstance(node, ast.ClassDef) and node.lineno == span.line:
            for each in node.body:
                if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name) and each.target.id == field:
                    return file.span(each)
    return span


def _at_name(file: SourceFile, span: Span, text: str) -> Span:
    """Where an import statement has the name that it could not import, or the module; the statement where it is not found."""
    missing = _MISSING.search(text)
    if missing is None:
        return span
    for line in range(span.line, span.end_line + 1):
        found = re.search(rf"(?<![\w.]){re.escape(missing[1])}(?!\w)", file.lines[line - 1])
        if found is not None:
            return Span(span.file, line, found.start() + 1, line, found.end() + 1)
    return span


_MISSING = re.compile(r"(?:cannot import name|No module named) '([\w.]+)'")
_FUTURES = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
_MEND = "Python could not import the file: mend this line"
_UNPLACED = re.compile(r" \(([^()]*)\)$")  # Python tells the path of the module in which a name is not

# What Python says of a call with the wrong arguments, where what is called is the language's.
_DECORATOR = "it takes `on_fault` and `license`, by name"
_ARRAY, _ITEM = "write an array as a field of a struct: `sizes: list[u32] = array(u32, 4)`", re.compile(r"array|[su]\d+|IPv6Address")
_HOOKS = frozenset({"seg6local", "lwt_in", "lwt_out", "lwt_xmit"})
_WRONG_CALL = re.compile(r"[\w.<>]+\(\) (.*)")
_WRONG_BRACKETS = re.compile(r"is not subscriptable|is not a generic class|^Too (?:many|few) (?:arguments|parameters) for")
_NAMED = re.compile(r"@?(?:class\s+\w+\s*\(\s*)?(?:\w+\s*\.\s*)*(\w+)")


def _called(text: str) -> str | None:
    """What a call or a class statement names, where it is the language's: Python's own word may be of a class behind it."""
    found = _NAMED.match(text)
    return found[1] if found is not None and found[1] in surface.__all__ else None


def _nearest(name: str, known: Mapping[str, object]) -> str:
    near = get_close_matches(name, [*known, *surface.__all__], n=1)
    if not near:
        return "look at its spelling, or import it"
    return f"did you mean `{near[0]}`?" if near[0] in known else f"write `from pybpfnf import {near[0]}`"


def _whole_line(name: str, line: int) -> tuple[SourceFile, Span]:
    file = SourceFile.of(name, "".join(linecache.getlines(name)))
    text = file.lines[line - 1] if line <= len(file.lines) else ""
    start = len(text) - len(text.lstrip()) + 1
    return file, Span(file.recorded, line, start, line, max(len(text.rstrip()), start) + 1)


def _syntax(error: SyntaxError, name: str, line: int) -> Diagnostic:
    """Python's columns count characters here, and may be 0 or lacking."""
    file, whole = _whole_line(name, line)
    column = max(error.offset or whole.column, 1)
    end = error.end_offset if error.end_lineno == line and error.end_offset and error.end_offset > column else column + 1
    return file.diagnostic(
        "syntax", _lower(error.msg), Span(file.recorded, line, column, line, end), "mend the line, and look at the one before"
    )


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")
