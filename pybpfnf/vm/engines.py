"""Which machine runs a session's programs: the reference, the compiled one, or first the one and then the other."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from functools import partial
from typing import final

from pybpfnf.abi.forms import Insn, Kind
from pybpfnf.abi.helpers import HELPERS
from pybpfnf.errors import SystemLacksError
from pybpfnf.image.model import ProgramImage
from pybpfnf.runner import Environment, Fault, FaultKind
from pybpfnf.vm.host import Host
from pybpfnf.vm.machine import Machine, Result
from pybpfnf.vm.memory import Memory, Region, StackFrame
from pybpfnf.vm.native.batch import Batch
from pybpfnf.vm.native.files import FileBatch
from pybpfnf.vm.native.hook import Begun, is_possible
from pybpfnf.vm.native.jit import why_not
from pybpfnf.vm.native.machine import NativeMachine
from pybpfnf.vm.native.regions import NativeMemory
from pybpfnf.vm.timer_helpers import call_back
from pybpfnf.vm.trace import Tracer

_WORTH_COMPILING = 400_000
"""Instructions after which `auto` compiles: what the reference runs in about the time that LLVM takes to load."""
_MOST_EXPIRED = 10_000
_TIMER = HELPERS["timer_init"].id
WORTH_A_BATCH = 4_000
"""Packets at once for which `auto` compiles."""
WORTH_A_FILE = 1 << 19
"""Bytes of a capture for which it does: about as many packets."""


class Engine(Enum):
    """`AUTO` begins with the reference, and compiles a program that has run for long. Results are the same in any case."""

    AUTO = "auto"
    REFERENCE = "reference"
    COMPILED = "compiled"


@final
class Engines:
    """The machine of one session. Only the reference shows a tracer each instruction."""

    def __init__(self, engine: Engine, tracer: Tracer | None) -> None:
        """Raises SystemLacksError where a compiled engine is asked for and cannot be had."""
        if engine is Engine.COMPILED and tracer is None:
            reason = why_not()
            if reason is not None:
                raise SystemLacksError(reason, hint="run it with the reference engine")
        self._engine = Engine.REFERENCE if tracer is not None else engine
        self._tracer = tracer
        self._executed = 0
        self._program: ProgramImage
        self._host: Host
        self._machine: Machine
        self._batch: Batch | None = None
        self.memory: Memory = Memory() if self._engine is Engine.REFERENCE else NativeMemory()

    def start(self, program: ProgramImage, host: Host) -> None:
        self._program, self._host = program, host
        self.has_timers = any(insn.form.kind is Kind.CALL_HELPER and insn.imm == _TIMER for insn in program.insns)
        self._machine = self._compiled() if self._engine is Engine.COMPILED else Machine(program, host, self._tracer)

    @property
    def stacks(self) -> list[StackFrame]:
        """For a tracer, of the functions that run, the outermost first."""
        return self._machine.stacks

    def run(self, arguments: tuple[int, ...]) -> Result:
        if self._engine is Engine.AUTO and self._executed > _WORTH_COMPILING:
            self._make_native()
        result = self._machine.run(arguments)
        self._executed += result.instructions
        return result

    def expire_timers(self) -> Fault | None:
        """Call the functions of timers whose time has come, each at its time; the first fault among them."""
        host, until, first = self._host, self._host.now, None
        for _ in range(_MOST_EXPIRED):
            timer = host.timers.next_due(until)
            if timer is None:
                return first
            ahead = until - max(timer.expires or 0, until - max(0, host.forward))
            host.forward -= ahead
            fault = self._machine.run_aside(partial(call_back, host, timer)).fault
            host.forward += ahead
            first = first or fault
        return first or Fault(FaultKind.FUEL, f"more than {_MOST_EXPIRED} times a timer's function was called without end")

    def resume(self, begun: Begun) -> Result:
        """Go on with a packet of a batch; the host has it already."""
        return self._machine.resume(begun.slot, begun.registers, begun.stack, begun.executed)

    def batch(self, packets: int, counters: tuple[Region, int, int] | None) -> Batch | None:
        """What runs so many packets at once; None where one after the other will do, or must."""
        if not self._many(packets >= WORTH_A_BATCH):
            return None
        if self._batch is None and self._make_native():
            assert isinstance(self.memory, NativeMemory)
            self._batch = Batch(self._program, self._host, self.memory, counters)
        return self._batch

    def files(self, size: int, counters: tuple[Region, int, int] | None) -> FileBatch | None:
        """What runs captures; None where packet after packet will do for so many bytes, or must."""
        if not self._many(size >= WORTH_A_FILE) or not self._make_native():
            return None
        assert isinstance(self.memory, NativeMemory)
        return FileBatch(self._program, self._host, self.memory, counters)

    def _many(self, worth: bool) -> bool:
        """Whether machine code may have many packets at once; `worth`: so may it where it need not."""
        if self._engine is Engine.REFERENCE or self.has_timers or not is_possible(self._host):
            return False
        return worth or self._engine is Engine.COMPILED

    def _make_native(self) -> bool:
        """Have native code run the program from now on; whether it can."""
        if not isinstance(self._machine, NativeMachine):
            if why_not() is not None:
                self._engine = Engine.REFERENCE
                return False
            self._engine, self._machine = Engine.COMPILED, self._compiled()
        return self._machine.is_compiled

    def _compiled(self) -> NativeMachine:
        assert isinstance(self.memory, NativeMemory)
        return NativeMachine(self._program, self._host, self.memory)


def run_program(
    insns: Sequence[Insn],
    arguments: Sequence[int] = (),
    *,
    memory: bytes | None = None,
    fuel: int = 1_000_000,
    tracer: Tracer | None = None,
    engine: Engine = Engine.REFERENCE,
) -> Result:
    """Run bare instructions: no packet, no maps. `arguments` are r1 and on; with `memory`, r1 is instead the address of a copy of it that
    the program may write, and r2 its size."""
    engines = Engines(engine, tracer)
    host = Host(engines.memory, {}, Environment(fuel=fuel), None)
    if memory is not None:
        arguments = (host.memory.add(Region("the memory", bytearray(memory))), len(memory))
    engines.start(ProgramImage("program", "", None, tuple(insns)), host)
    return engines.run(tuple(arguments))
