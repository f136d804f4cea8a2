"""Typed IR to an ELF object, through LLVM.

building  what the lowering of one function shares
lowering  the module as LLVM text: maps, variables, functions; a module a construct
stack     what of the stack chains of calls take, and which functions have their large values elsewhere
legal     what LLVM died of, said in an author's words
objects   objects as LLVM wrote them, read and rewritten
emit      LLVM text to the object: stripped, with .pybpfnf, looked over
"""

from __future__ import annotations

from pybpfnf import llvm
from pybpfnf.backend import legal, stack
from pybpfnf.backend.emit import emit_object
from pybpfnf.backend.lowering.module import lower_module
from pybpfnf.dsl import ir
from pybpfnf.errors import CompileError
from pybpfnf.llvm import LlvmDiedError

__all__ = ["build", "llvm_text"]


def build(module: ir.Module, *, fault_counters: bool = True) -> bytes:
    """The object with all programs of the module; the same module, the same bytes.

    Raises CompileError for what LLVM or a loader would refuse, SystemLacksError without llvmlite.
    """
    spared = stack.planned(module)
    while True:
        object_, beyond, mistake = _tried(module, fault_counters, spared)
        if mistake is None:
            return object_
        more = stack.one_more(module, beyond, spared)
        if more is None:
            raise mistake
        spared |= {more}


def _tried(module: ir.Module, fault_counters: bool, spared: frozenset[str]) -> tuple[bytes, tuple[str, ...], CompileError | None]:
    """The object; or the functions that are too large for the stack, and what an author would be told."""
    try:
        object_ = emit_object(lower_module(module, fault_counters=fault_counters, spared=spared))
    except LlvmDiedError as death:
        mistake = legal.authors_mistake(module, death.said)
        if mistake is None:
            raise
        return b"", legal.without_stack(death.said), mistake
    chain = stack.chain_beyond(module, object_)
    if chain is None:
        return object_, (), None
    return object_, tuple(frame.name for frame in chain.frames), stack.refused(module, chain)


def llvm_text(module: ir.Module, *, fault_counters: bool = True, optimised: bool = False) -> str:
    """The module as LLVM IR: as lowered, or after LLVM's passes. Raises as `build` does."""
    text = lower_module(module, fault_counters=fault_counters, spared=stack.planned(module)).text
    return llvm.optimised_text(text) if optimised else text
