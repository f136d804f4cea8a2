"""What LLVM would die of and what the kernel or libbpf would refuse, in a module that is right as Python: said before, in its words.

LLVM ends the process when a function is named as a section, and when the stack is too small; the kernel takes only
names that C could have in BTF.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pybpfnf.diagnostics import Diagnostic, Span
from pybpfnf.dsl import ir
from pybpfnf.dsl.walk import walk
from pybpfnf.errors import CompileError
from pybpfnf.image.meta import FAULTS_SYMBOL

RESERVED_PREFIX = FAULTS_SYMBOL[: FAULTS_SYMBOL.rindex("_") + 1]  # "__pybpfnf_"
STACK_SIZE = 512  # bytes (MAX_BPF_STACK, include/linux/filter.h)

_LICENSE_SECTION = "license"
# btf_name_valid_identifier (kernel/bpf/btf.c): and the same length as a symbol, KSYM_NAME_LEN.
_KERNEL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,126}")

_TOO_FAR = "Branch target out of insn range"
_STACK_COMPLAINT = re.compile(r"in function (\w+) .*BPF stack limit is exceeded")


def check(module: ir.Module) -> None:
    """Raises CompileError with everything that is wrong."""
    found = list(_wrong_names(module))
    if found:
        raise CompileError(found)


def _wrong_names(module: ir.Module) -> Iterator[Diagnostic]:
    """Functions, maps and variables are symbols of one object, in which sections have names too."""
    sections = {function.hook.sections[0] for function in module.functions} | {_LICENSE_SECTION}
    seen: set[str] = set()
    for name, kind, span in _symbols(module):
        if not _KERNEL_NAME.fullmatch(name):
            yield _diagnostic(module, "name", f"the {kind} {name!r} has a name that the kernel does not take", span, _HOW_TO_NAME)
        elif name in sections:
            message = f"a {kind} cannot be called {name!r}: a section of the object has that name"
            yield _diagnostic(module, "name", message, span, "call it something else")
        elif name.startswith(RESERVED_PREFIX):
            yield _diagnostic(
                module, "name", f"the {kind} {name!r} has a name that is reserved", span, f"names with {RESERVED_PREFIX} are ours"
            )
        elif name in seen:
            yield _diagnostic(module, "name", f"{name!r} names two things of one object", span, "call one of them something else")
        seen.add(name)


def _symbols(module: ir.Module) -> Iterator[tuple[str, str, Span]]:
    """(name, kind, place). Maps and variables have no place of their own in the IR: theirs is the first function's."""
    first = module.functions[0].span
    for function in module.functions:
        yield function.name, "function", function.span
    for map_ in module.maps:
        yield map_.name, "map", first
    for array in module.programs:
        yield array.name, "program array", first
    for variable in module.variables:
        yield variable.name, "variable", first


_HOW_TO_NAME = "use ASCII letters, digits and underscores, at most 127"


def authors_mistake(module: ir.Module, said: str) -> CompileError | None:
    """The author's mistake, where LLVM died of it. None where it died of something else, which is our bug."""
    if _TOO_FAR in said:
        largest = max(module.functions, key=lambda function: sum(1 for _ in walk(function.body)))  # its span is the name's alone
        message = f"{largest.name} is too large: a jump reaches 32,767 instructions"
        return CompileError([_diagnostic(module, "size", message, largest.span, "split it, or write less of it out")])
    return _too_much_stack(module, said)


def _too_much_stack(module: ir.Module, said: str) -> CompileError | None:
    """Only LLVM knows what it keeps in registers."""
    complaint = _STACK_COMPLAINT.search(said)
    if complaint is None:
        return None
    span = next((function.span for function in module.functions if function.name == complaint[1]), module.functions[0].span)
    message = f"{complaint[1]} needs more than the {STACK_SIZE} bytes of stack that there are"
    return CompileError([_diagnostic(module, "stack", message, span, "write shorter SRHs and TLVs, or keep fewer values at once")])


def _diagnostic(module: ir.Module, code: str, message: str, span: Span, hint: str) -> Diagnostic:
    lines = module.sources.get(span.file, "").splitlines()
    line = lines[span.line - 1] if 0 < span.line <= len(lines) else ""
    return Diagnostic(code, message, span, line, hint)
