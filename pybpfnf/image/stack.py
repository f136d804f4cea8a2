"""How much of the stack the functions of a program take, alone and together, as the kernel counts it.

Each function has a frame as deep as its lowest access below r10; the frames that are there at once make at most 512 bytes, each
taken in steps, and are at most 8 (kernel/bpf/verifier.c, check_max_stack_depth_subprog; MAX_BPF_STACK and MAX_CALL_FRAMES).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import final

from pybpfnf.abi.forms import Insn, Kind
from pybpfnf.abi.slots import slots_of, target_slot
from pybpfnf.image.model import ProgramImage
from pybpfnf.records import dataclass

STACK_SIZE = 512
MOST_FRAMES = 8
_STEP = 32  # of the interpreter, and before Linux 6.8 of the JIT too, which takes steps of 16 since (round_up_stack_depth)
_WORD = 8
_FRAME_POINTER = 10
_ACCESSES = (Kind.STORE_REG, Kind.STORE_IMM, Kind.ATOMIC)


@final
@dataclass(frozen=True, slots=True)
class StackFrame:
    """A function's part of the stack. `slot`: where it begins in the program."""

    name: str
    slot: int
    size: int  # bytes


@final
@dataclass(frozen=True, slots=True)
class StackChain:
    """Functions that are there at once, each called by the one before it."""

    frames: tuple[StackFrame, ...]

    @property
    def size(self) -> int:
        """Bytes, as every kernel counts them: one function alone is not taken in steps."""
        if len(self.frames) == 1:
            return self.frames[0].size
        return sum(max(_STEP, -(-frame.size // _STEP) * _STEP) for frame in self.frames)

    @property
    def fits(self) -> bool:
        return self.size <= STACK_SIZE and len(self.frames) <= MOST_FRAMES

    def __str__(self) -> str:
        """`f 24 + g 8: 64`, the last the size; of one function that alone."""
        if len(self.frames) == 1:
            return f"{self.size}"
        return f"{' + '.join(f'{frame.name} {frame.size}' for frame in self.frames)}: {self.size}"


def deepest_chain(program: ProgramImage) -> StackChain:
    """The functions that take the most of the stack together, the program first. Recursion, which the kernel refuses, is not followed."""
    frames = {frame.slot: frame for frame in stack_frames(program)}
    called: dict[int, set[int]] = {start: set() for start in frames}
    for slot, target in _calls(program):
        called[_of(slot, list(frames))].add(target)
    return _deepest(0, frames, called, ())


def stack_frames(program: ProgramImage) -> tuple[StackFrame, ...]:
    """Each function's, in the order of the code."""
    names = {record.slot: record.name for record in program.functions} | {0: program.name}
    starts = sorted({0, *(target for _, target in _calls(program))})
    within: dict[int, list[Insn]] = {start: [] for start in starts}
    for slot, insn in slots_of(program.insns).items():
        within[_of(slot, starts)].append(insn)
    return tuple(StackFrame(names.get(start, f"L{start}"), start, _depth(insns)) for start, insns in within.items())


def _calls(program: ProgramImage) -> Iterator[tuple[int, int]]:
    """Where functions are called, or given to a helper that calls them, and where they begin."""
    for slot, insn in slots_of(program.insns).items():
        target = target_slot(slot, insn) if insn.form.op in ("call_local", "ld_func") else None
        if target is not None:
            yield slot, target


def _of(slot: int, starts: Sequence[int]) -> int:
    """The function that the slot is in."""
    return starts[bisect_right(starts, slot) - 1]


def _deepest(start: int, frames: Mapping[int, StackFrame], called: Mapping[int, set[int]], above: tuple[int, ...]) -> StackChain:
    below = [_deepest(each, frames, called, (*above, start)).frames for each in sorted(called[start]) if each not in above]
    chains = [StackChain((frames[start], *rest)) for rest in (*below, ())]
    return max(chains, key=lambda chain: (len(chain.frames) > MOST_FRAMES, chain.size))


def _depth(insns: Iterable[Insn]) -> int:
    """Bytes, whole words, down to the lowest place that is accessed, or whose address is made right after the frame pointer was copied."""
    lowest = 0
    copied: int | None = None  # the register that the instruction before has put the frame pointer in
    for insn in insns:
        base = insn.src if insn.form.kind is Kind.LOAD else insn.dst if insn.form.kind in _ACCESSES else None
        if base == _FRAME_POINTER:
            lowest = min(lowest, insn.off)
        if insn.form.name == "add64_imm" and insn.dst == copied:
            lowest = min(lowest, insn.imm)
        copied = insn.dst if insn.form.name == "mov64_reg" and insn.src == _FRAME_POINTER else None
    return -(lowest // _WORD) * _WORD
