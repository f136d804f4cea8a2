"""What the built code takes of the stack over a chain of calls, where that is more than there is."""

from __future__ import annotations

from pybpfnf import image
from pybpfnf.backend.legal import code_of, diagnostic
from pybpfnf.dsl import ir
from pybpfnf.errors import CompileError
from pybpfnf.image.stack import MOST_FRAMES, STACK_SIZE, StackChain, deepest_chain


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
