"""A program as a tree, so that parts of it can be taken out and what is left is a program still; and its instructions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias, final

from pybpfnf.abi.codec import make
from pybpfnf.abi.forms import Insn

COUNTER = 7
"""The register that loops count down."""


@final
@dataclass(frozen=True, slots=True)
class Straight:
    """Instructions that stay together; jumps among them stay inside."""

    insns: tuple[Insn, ...]


@final
@dataclass(frozen=True, slots=True)
class If:
    """`jump`, whose offset is filled in, leads to `otherwise`; `far` ends the first branch by a long goto."""

    jump: Insn
    then: Block
    otherwise: Block
    far: bool


@final
@dataclass(frozen=True, slots=True)
class Loop:
    times: int
    body: Block
    far: bool


@final
@dataclass(frozen=True, slots=True)
class Call:
    """Of a later function: what sets its arguments, and what gives r1 to r5 values again."""

    function: int
    before: tuple[Insn, ...]
    after: tuple[Insn, ...]


Node: TypeAlias = "Straight | If | Loop | Call"
Block: TypeAlias = "tuple[Node, ...]"


@final
@dataclass(frozen=True, slots=True)
class Function:
    prologue: tuple[Insn, ...]  # gives every register and stack slot a value
    body: Block


@final
@dataclass(frozen=True, slots=True)
class Tree:
    """Functions, of which the first is the program; a function calls later ones alone."""

    functions: tuple[Function, ...]
    data: bytes  # what r1 of the first points to


_EXIT = make("exit")
_COUNT_DOWN = make("add64_imm", COUNTER, imm=-1)


def _slots(insns: list[Insn]) -> int:
    return sum(insn.slots for insn in insns)


class _Layout:
    """Where functions begin is known when all are laid out: calls are filled in then."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []  # index of the instruction, function

    def block(self, block: Block, calls_at: int) -> list[Insn]:
        out: list[Insn] = []
        for node in block:
            match node:
                case Straight():
                    out += node.insns
                case Call():
                    out += node.before
                    self.calls.append((calls_at + len(out), node.function))
                    out += (make("call_local"), *node.after)
                case If():
                    out += self._branch(node, calls_at + len(out))
                case Loop():
                    out += self._loop(node, calls_at + len(out))
        return out

    def _branch(self, node: If, at: int) -> list[Insn]:
        then = self.block(node.then, at + 1)
        if not node.otherwise:
            return [replace(node.jump, off=_slots(then)), *then]
        otherwise = self.block(node.otherwise, at + 2 + len(then))
        over = make("jal", imm=_slots(otherwise)) if node.far else make("ja", off=_slots(otherwise))
        return [replace(node.jump, off=_slots(then) + 1), *then, over, *otherwise]

    def _loop(self, node: Loop, at: int) -> list[Insn]:
        body = [*self.block(node.body, at + 1), _COUNT_DOWN]
        start = make("mov64_imm", COUNTER, imm=node.times)
        if not node.far:
            return [start, *body, make("jne64_imm", COUNTER, off=-_slots(body) - 1, imm=0)]
        return [start, *body, make("jeq64_imm", COUNTER, off=1, imm=0), make("jal", imm=-_slots(body) - 2)]


def assemble(tree: Tree) -> tuple[Insn, ...]:
    """The functions that are reached, one after the other."""
    layout = _Layout()
    out: list[Insn] = []
    starts: dict[int, int] = {}
    for number in _reached(tree):
        function = tree.functions[number]
        starts[number] = _slots(out)
        out += function.prologue
        out += layout.block(function.body, len(out))
        out.append(_EXIT)
    slots = [0]
    for insn in out:
        slots.append(slots[-1] + insn.slots)
    for index, number in layout.calls:
        out[index] = make("call_local", imm=starts[number] - slots[index] - 1)
    return tuple(out)


def _reached(tree: Tree) -> list[int]:
    """The verifier refuses functions that nothing calls. Calls lead forward, so one pass finds all."""
    reached = {0}
    for number, function in enumerate(tree.functions):
        if number in reached:
            reached |= set(_called(function.body))
    return sorted(reached)


def _called(block: Block) -> Iterator[int]:
    for node in block:
        match node:
            case Call():
                yield node.function
            case If():
                yield from _called(node.then)
                yield from _called(node.otherwise)
            case Loop():
                yield from _called(node.body)


def smaller(tree: Tree) -> Iterator[Tree]:
    """Trees with one thing less."""
    for number, function in enumerate(tree.functions):
        for body in _smaller_blocks(function.body):
            functions = (*tree.functions[:number], replace(function, body=body), *tree.functions[number + 1 :])
            yield replace(tree, functions=functions)


def _smaller_blocks(block: Block) -> Iterator[Block]:
    for at, node in enumerate(block):
        before, after = block[:at], block[at + 1 :]
        yield before + after
        match node:
            case If():
                yield before + node.then + after
                yield before + node.otherwise + after
                yield from ((*before, replace(node, then=then), *after) for then in _smaller_blocks(node.then))
                yield from ((*before, replace(node, otherwise=other), *after) for other in _smaller_blocks(node.otherwise))
            case Loop():
                yield before + node.body + after
                if node.times > 1:
                    yield (*before, replace(node, times=1), *after)
                yield from ((*before, replace(node, body=body), *after) for body in _smaller_blocks(node.body))
            case _:
                pass
