"""Typed IR to an ELF object, through LLVM.

legal         what LLVM died of, said in an author's words
lower_module  the module as LLVM text: maps, variables, functions (lower_function and the other lower_*)
stack         chains of calls that take more than there is
emit          LLVM text to the object: stripped, with .pybpfnf, looked over
"""

from __future__ import annotations

from pybpfnf import llvm
from pybpfnf.backend import legal, stack
from pybpfnf.backend.emit import emit_object
from pybpfnf.backend.lower_module import lower_module
from pybpfnf.dsl import ir
from pybpfnf.llvm import LlvmDiedError

__all__ = ["build", "llvm_text"]


def build(module: ir.Module, *, fault_counters: bool = True) -> bytes:
    """The object with all programs of the module; the same module, the same bytes.

    Raises CompileError for what LLVM or a loader would refuse, SystemLacksError without llvmlite.
    """
    try:
        object_ = emit_object(lower_module(module, fault_counters=fault_counters))
    except LlvmDiedError as death:
        raise legal.authors_mistake(module, death.said) or death from None
    beyond = stack.chain_beyond(module, object_)
    if beyond is not None:
        raise stack.refused(module, beyond)
    return object_


def llvm_text(module: ir.Module, *, fault_counters: bool = True, optimised: bool = False) -> str:
    """The module as LLVM IR: as lowered, or after LLVM's passes. Raises as `build` does."""
    text = lower_module(module, fault_counters=fault_counters).text
    return llvm.optimised_text(text) if optimised else text
