"""LLVM as a compiler for this computer, in this process: module text in, a function to call out.

Unlike the BPF back end (`pybpfnf.llvm`), LLVM's back ends for real processors do not end the process over a module that it accepts.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, TypeAlias, final

from pybpfnf.errors import SystemLacksError
from pybpfnf.records import dataclass

Run: TypeAlias = Callable[[int], int]
_KEPT = 64  # compiled programs
_OPTIMISATION = 1


@final
@dataclass(frozen=True, slots=True)
class Compiled:
    """Machine code, which `engine` owns."""

    engine: Any

    def function(self, name: str) -> Run:
        """A function of the module, which takes the address of the state."""
        # PYFUNCTYPE keeps the interpreter's lock: a run is short, and letting go of it costs as much as a packet.
        return ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(self.engine.get_function_address(name))


@lru_cache(_KEPT)
def compile_module(text: str) -> Compiled:
    """Raises SystemLacksError where there is no llvmlite, or no back end for this computer."""
    llvm = _llvm()
    machine = llvm.Target.from_default_triple().create_target_machine(opt=2, jit=True)
    module = llvm.parse_assembly(text)
    module.verify()
    tuning = llvm.create_pipeline_tuning_options(speed_level=_OPTIMISATION)
    builder = llvm.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(module, builder)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return Compiled(engine)


def why_not() -> str | None:
    """Why programs cannot be compiled here; None where they can."""
    if sys.byteorder != "little":
        return "the compiled engine is for little-endian computers"
    try:
        _llvm()
    except SystemLacksError as error:
        return str(error)
    return None


@cache
def _llvm() -> Any:
    try:
        import llvmlite.binding as llvm  # here: it costs 80 ms, and only this engine needs it
    except ImportError as error:
        lacks = f"the compiled engine needs the Python package llvmlite: {error}"
        raise SystemLacksError(lacks, hint="pip install 'llvmlite>=0.45'") from None
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm
