"""Which functions have their large values in memory of the CPU's own (`spare`), because the stack has no room for them.

What a function is sure to need is known before (`dsl.passes.layout`), what it does need when it is built; LLVM bounds each function alone,
and not a chain of calls.
"""

from __future__ import annotations

from collections.abc import Iterable

from pybpfnf import image
from pybpfnf.backend.building.spare import LARGEST
from pybpfnf.backend.legal import code_of, diagnostic
from pybpfnf.dsl import ir
from pybpfnf.dsl.ir.walk import walk
from pybpfnf.dsl.passes.layout import has_tail_call, stack_size
from pybpfnf.errors import CompileError
from pybpfnf.image.stack import MOST_FRAMES, STACK_SIZE, StackChain, deepest_chain

_WORTH = 64  # bytes in large values, for which memory of the CPU's own is taken


def planned(module: ir.Module) -> frozenset[str]:
    """The functions that are sure to need more than there is, with those that call them; the largest first. What LLVM needs besides,
    for what it does not keep in registers, is seen when they are built."""
    spared: frozenset[str] = frozenset()
    for function in module.functions:
        chain = _deepest(function, spared)
        while sum(_needed(each, spared) for each in chain) > STACK_SIZE:
            more = _largest(chain, spared)
            if more is None:
                break  # the built code may need less
            spared |= {more}
            chain = _deepest(function, spared)
    return spared


def one_more(module: ir.Module, names: Iterable[str], spared: frozenset[str]) -> str | None:
    """Of these functions, which are together too large as they were built, the one to take next; None where that is no help."""
    named = frozenset(names)
    return _largest([function for function in code_of(module) if function.name in named], spared)


def _largest(functions: Iterable[ir.Function | ir.Subprogram], spared: frozenset[str]) -> str | None:
    sizes = {each.name: stack_size(each) for each in functions if each.name not in spared and not has_tail_call(each)}
    movable = [name for name, size in sizes.items() if _WORTH <= size < LARGEST]
    return max(movable, key=lambda name: sizes[name], default=None)


def _needed(function: ir.Function | ir.Subprogram, spared: frozenset[str]) -> int:
    return 0 if function.name in spared else stack_size(function)


def _deepest(function: ir.Function | ir.Subprogram, spared: frozenset[str]) -> list[ir.Function | ir.Subprogram]:
    """The chain of calls from here that needs the most."""
    called = {node.subprogram.name: node.subprogram for node in walk(function.body) if isinstance(node, ir.SubprogramCall)}
    chains = [_deepest(each, spared) for each in called.values()]
    return [function, *max(chains, key=lambda chain: sum(_needed(each, spared) for each in chain), default=[])]


def chain_beyond(module: ir.Module, object_: bytes) -> StackChain | None:
    """A chain of functions that the kernel would refuse for its stack; None where there is none. LLVM looks at each function alone."""
    if not module.subprograms:
        return None
    chains = (deepest_chain(program) for program in image.read(object_).programs)
    return next((chain for chain in chains if not chain.fits), None)


def refused(module: ir.Module, chain: StackChain) -> CompileError:
    """The author's mistake in words, at the program."""
    program = chain.frames[0].name
    span = next(function.span for function in code_of(module) if function.name == program)
    if len(chain.frames) > MOST_FRAMES:
        names = ", ".join(f"`{frame.name}`" for frame in chain.frames)
        message = f"{len(chain.frames)} functions are called one in the other, and the kernel takes {MOST_FRAMES}: {names}"
        return CompileError([diagnostic(module, "stack", message, span, "write `@func`, which is inlined, for the innermost")])
    message = f"`{program}` and what it calls need {chain.size} bytes of stack, and the kernel gives {STACK_SIZE}: {chain}"
    return CompileError([diagnostic(module, "stack", message, span, "keep fewer structs at once, or call one function after the other")])
