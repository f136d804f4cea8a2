"""From source to an object's bytes: `dsl`, then `backend`. Imported only where something is compiled (`lazy`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pybpfnf import backend, dsl
from pybpfnf.dsl import Program


def compile_file(path: Path, *, fault_counters: bool = True) -> bytes:
    """All programs of a Python file as one object; raises CompileError with every mistake found, InputError without a program."""
    return compile_programs(dsl.load_programs(path), fault_counters=fault_counters)


def compile_programs(programs: Sequence[Program], *, fault_counters: bool = True) -> bytes:
    """These programs, and the maps and variables that they use, as one object. The same programs, the same bytes."""
    return backend.build(dsl.compile_module(programs), fault_counters=fault_counters)


def ir_text(path: Path) -> str:
    """The typed IR of a file's programs, for people."""
    return dsl.format_module(dsl.compile_module(dsl.load_programs(path)))


def llvm_text(path: Path, *, fault_counters: bool = True) -> str:
    """The LLVM IR that a file's programs are lowered to."""
    return backend.llvm_text(dsl.compile_module(dsl.load_programs(path)), fault_counters=fault_counters)
