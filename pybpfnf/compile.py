"""From source to an object's bytes: `dsl`, then `backend`. Imported only where something is compiled (`lazy`)."""

from __future__ import annotations

import linecache
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pybpfnf import backend, dsl
from pybpfnf.diagnostics import Diagnostic, Span
from pybpfnf.dsl import Program
from pybpfnf.dsl.passes.instrument import Kept, Point, instrument
from pybpfnf.dsl.reading.source import recorded_name
from pybpfnf.errors import CompileError


def compile_file(path: Path, *, fault_counters: bool = True) -> bytes:
    """All programs of a Python file as one object; raises CompileError with every mistake found, InputError without a program."""
    return compile_programs(dsl.load_programs(path), fault_counters=fault_counters)


def compile_programs(programs: Sequence[Program], *, fault_counters: bool = True) -> bytes:
    """These programs, and the maps and variables that they use, as one object. The same programs, the same bytes."""
    try:
        return backend.build(dsl.compile_module(programs), fault_counters=fault_counters)
    except RecursionError:
        raise CompileError([_too_deep(programs)]) from None


def _paths(sources: Mapping[str, str]) -> dict[str, str]:
    """The paths of files that spans call by other names, which are the same on every machine."""
    read = ((recorded_name(path), path) for path in list(linecache.cache))
    return {name: path for name, path in read if name in sources and sources[name] == "".join(linecache.getlines(path))}


def _too_deep(programs: Sequence[Program]) -> Diagnostic:
    """Nesting is bounded by Python's own stack, some 200 deep; which of several programs it was is not known."""
    code = programs[0].function.__code__
    line = linecache.getline(code.co_filename, code.co_firstlineno)
    span = Span(code.co_filename, code.co_firstlineno, 1, code.co_firstlineno, max(2, len(line.rstrip()) + 1))
    return Diagnostic(
        "size", "statements or expressions are nested too deeply", span, line, hint="turn a long `elif` chain into a look-up in a map"
    )


def ir_text(path: Path) -> str:
    """The typed IR of a file's programs, for people."""
    return dsl.format_module(dsl.compile_module(dsl.load_programs(path)))


def llvm_text(path: Path, *, fault_counters: bool = True) -> str:
    """The LLVM IR that a file's programs are lowered to."""
    return backend.llvm_text(dsl.compile_module(dsl.load_programs(path)), fault_counters=fault_counters)


def compile_counting(path: Path, *, values: bool = False) -> tuple[bytes, Mapping[str, Point], Mapping[str, Kept]]:
    """As `compile_file`, with a counter for each statement and each way of a branch; and what counts what, by the names of variables.
    The points' files are paths. With `values`, variables keep what locals were assigned, too."""
    module = dsl.compile_module(dsl.load_programs(path))
    instrumented = instrument(module, values=values)
    paths = _paths(module.sources)
    points = {name: replace(point, file=paths[point.file]) for name, point in instrumented.points.items()}
    return backend.build(instrumented.module, fault_counters=True), points, instrumented.kept
