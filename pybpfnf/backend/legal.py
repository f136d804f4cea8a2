"""What LLVM died of in a module that is right as Python, in an author's words. Names are looked at before, in `dsl.building.rules`."""

from __future__ import annotations

import re

from pybpfnf.diagnostics import Diagnostic, Span
from pybpfnf.dsl import ir
from pybpfnf.dsl.ir.walk import walk
from pybpfnf.errors import CompileError

STACK_SIZE = 512  # bytes (MAX_BPF_STACK, include/linux/filter.h)

_TOO_FAR = "Branch target out of insn range"
_STACK_COMPLAINT = re.compile(r"in function (\w+) .*BPF stack limit is exceeded")


def authors_mistake(module: ir.Module, said: str) -> CompileError | None:
    """The author's mistake, where LLVM died of it. None where it died of something else, which is our bug."""
    if _TOO_FAR in said:
        largest = max(code_of(module), key=lambda function: sum(1 for _ in walk(function.body)))  # its span is the name's alone
        message = f"{largest.name} is too large: a jump reaches 32,767 instructions"
        return CompileError([diagnostic(module, "size", message, largest.span, "split it, or write less of it out")])
    return _too_much_stack(module, said)


def without_stack(said: str) -> tuple[str, ...]:
    """The function that LLVM found no room on the stack for."""
    complaint = _STACK_COMPLAINT.search(said)
    return () if complaint is None else (complaint[1],)


def _too_much_stack(module: ir.Module, said: str) -> CompileError | None:
    """Only LLVM knows what it keeps in registers."""
    complaint = _STACK_COMPLAINT.search(said)
    if complaint is None:
        return None
    span = next((function.span for function in code_of(module) if function.name == complaint[1]), module.functions[0].span)
    message = f"{complaint[1]} needs more than the {STACK_SIZE} bytes of stack that there are"
    return CompileError([diagnostic(module, "stack", message, span, "write shorter SRHs and TLVs, or keep fewer values at once")])


def code_of(module: ir.Module) -> tuple[ir.Function | ir.Subprogram, ...]:
    """Everything that becomes a function of the object."""
    return (*module.functions, *module.subprograms)


def diagnostic(module: ir.Module, code: str, message: str, span: Span, hint: str) -> Diagnostic:
    lines = module.sources.get(span.file, "").splitlines()
    line = lines[span.line - 1] if 0 < span.line <= len(lines) else ""
    return Diagnostic(code, message, span, line, hint)
