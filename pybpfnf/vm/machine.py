"""The machine: registers, call frames and the loop. What instructions mean is in `decode` and `alu`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import final

from pybpfnf.image.model import ProgramImage
from pybpfnf.records import dataclass
from pybpfnf.runner import Fault, FaultKind
from pybpfnf.vm.alu import U64
from pybpfnf.vm.decode import decode_steps
from pybpfnf.vm.faults import AFTER_CALL, UNWRITTEN, GuestFault
from pybpfnf.vm.host import Host
from pybpfnf.vm.memory import STACK_SIZE, StackFrame
from pybpfnf.vm.steps import Registers, Step
from pybpfnf.vm.tails import running
from pybpfnf.vm.trace import Tracer

MAX_FRAMES = 8  # MAX_CALL_FRAMES, include/linux/bpf_verifier.h
_NO_RETURN = -1


@final
@dataclass(slots=True)  # not frozen, which would cost half a microsecond a run
class Result:
    """How a run ended: r0 as unsigned 64 bits, or a fault."""

    r0: int | None
    fault: Fault | None
    instructions: int


@final
@dataclass(slots=True)  # not frozen, which would cost as much as the rest of a call
class _Frame:
    """A function that is running: where it returns to, and what its caller gets back then."""

    return_slot: int
    saved: list[int]  # r6 to r10
    stack: StackFrame


class Machine:
    """One program, decoded, that runs as often as wanted. `host` is what is around it."""

    def __init__(self, program: ProgramImage, host: Host, tracer: Tracer | None = None) -> None:
        self.host = host
        self._program = program
        self._frames: list[_Frame] = []
        self._executed = 0
        self._fault_slot: int | None = None
        steps = decode_steps(program.insns, self)
        self._steps = steps if tracer is None else [_watched(step, slot, tracer) for slot, step in enumerate(steps)]
        host.call = self._call

    @property
    def stacks(self) -> list[StackFrame]:
        """Of the functions that run, the outermost first."""
        return [frame.stack for frame in self._frames]

    def run(self, arguments: Sequence[int] = ()) -> Result:
        """Run from the first instruction, with these values in r1 and on."""
        return self._complete(lambda: self._call(0, tuple(arguments)), 0)

    def run_aside(self, work: Callable[[], int]) -> Result:
        """Something that calls functions of the program outside of its runs."""
        return self._complete(work, 0)

    def resume(self, slot: int, registers: Registers, stack: StackFrame, executed: int) -> Result:
        """Go on with a run that someone else has begun, in the program's first function: at `slot`, after `executed` instructions. `stack`
        is the function's, and has its address."""

        def rest() -> int:
            self._frames.append(_Frame(_NO_RETURN, list(UNWRITTEN[6:11]), stack))
            self._loop(slot, registers)
            return registers[0]

        return self._complete(rest, executed)

    def _complete(self, work: Callable[[], int], executed: int) -> Result:
        self._frames.clear()
        self._executed = executed
        self._fault_slot = None
        self.host.begin_program()
        try:
            r0 = work()
            unfinished = self.host.unfinished()
            if unfinished is not None:
                raise GuestFault(FaultKind.HELPER, unfinished)
        except GuestFault as fault:
            self._retire_frames()
            return Result(None, self._describe(fault), self._executed)
        return Result(r0, None, self._executed)

    def _call(self, slot: int, arguments: tuple[int, ...]) -> int:
        registers: Registers = list(UNWRITTEN)
        registers[1 : 1 + len(arguments)] = [argument & U64 for argument in arguments]
        self.enter(registers, _NO_RETURN)
        self._loop(slot, registers)
        return registers[0]

    def _loop(self, slot: int, registers: Registers) -> None:
        steps = self._steps
        executed = 0
        budget = self.host.environment.fuel - self._executed
        try:
            for executed in range(1, budget + 1):  # noqa: B007 (the count is wanted after the loop)
                slot = steps[slot](registers)
                if slot < 0:
                    return
            raise GuestFault(FaultKind.FUEL, f"more than {self.host.environment.fuel} instructions")
        except GuestFault:
            if self._fault_slot is None:
                self._fault_slot = slot
            raise
        finally:
            self._executed += executed

    def enter(self, registers: Registers, return_slot: int) -> None:
        """Begin a function: a stack of its own, and only its arguments to read."""
        if len(self._frames) == MAX_FRAMES:
            raise GuestFault(FaultKind.INSTRUCTION, f"more than {MAX_FRAMES} nested calls")
        stack = self.new_stack()
        self._frames.append(_Frame(return_slot, registers[6:11], stack))
        registers[0] = UNWRITTEN[0]
        registers[6:10] = UNWRITTEN[6:10]
        registers[10] = self.host.memory.add(stack) + STACK_SIZE

    def new_stack(self) -> StackFrame:
        return StackFrame()

    def leave(self, registers: Registers) -> int:
        """End the function; gives the slot to return to. The r0 of a program, and of a callback, must have a value."""
        frame = self._frames.pop()
        if frame.return_slot == _NO_RETURN or isinstance(registers[0], int):
            registers[0] &= U64
        self.host.memory.retire(frame.stack, "it points into the stack of a function that has returned")
        registers[6:11] = frame.saved
        registers[1:6] = AFTER_CALL
        return frame.return_slot

    def go_on(self, registers: Registers, slot: int) -> int:
        """Another program in place of the function that runs: with the context alone, a stack of its own, and where it ends, its
        caller. In a subprogram that is the function which called it."""
        assert self.host.context is not None
        frame = self._frames.pop()
        self.host.memory.retire(frame.stack, "it points into the stack of a program that has gone on in another")
        stack = self.new_stack()
        self._frames.append(_Frame(frame.return_slot, frame.saved, stack))
        registers[:10] = UNWRITTEN[:10]
        registers[1] = self.host.context.address
        registers[10] = self.host.memory.add(stack) + STACK_SIZE
        return slot

    def _retire_frames(self) -> None:
        for frame in self._frames:
            self.host.memory.retire(frame.stack, "the run is over")

    def _describe(self, fault: GuestFault) -> Fault:
        line = self._program.line_at(self._fault_slot) if self._fault_slot is not None else None
        name, start = running(self.host.starts, self._fault_slot or 0)
        return Fault(
            fault.kind,
            fault.message if name is None else f"in {name}: {fault.message}",
            file=line.file or None if line else None,
            line=line.line or None if line else None,
            column=line.column or None if line else None,
            slot=None if self._fault_slot is None else self._fault_slot - start,
            callers=line.callers if line else (),
        )


def _watched(step: Step, slot: int, tracer: Tracer) -> Step:
    """A step that tells the tracer before it is taken."""

    def told(registers: Registers) -> int:
        tracer.step(slot, registers)
        return step(registers)

    return told
