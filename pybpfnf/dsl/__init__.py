"""The language: Python functions to typed IR (`ir`). What an author imports is in `surface`; LLVM is not known here."""

from pybpfnf.dsl.build import compile_module
from pybpfnf.dsl.passes.print import format_module
from pybpfnf.dsl.reading.load import load_programs
from pybpfnf.dsl.surface.programs import Program

__all__ = ["Program", "compile_module", "format_module", "load_programs"]
