"""The compiled engine as a machine: native code between the steps that are the reference machine's."""

from __future__ import annotations

import ctypes
import struct
from typing import final

from pybpfnf.image.model import ProgramImage
from pybpfnf.runner import FaultKind
from pybpfnf.vm.faults import GuestFault
from pybpfnf.vm.host import Host
from pybpfnf.vm.machine import Machine
from pybpfnf.vm.memory import StackFrame
from pybpfnf.vm.native.layout import Word
from pybpfnf.vm.native.plan import ALONE, Plan, make_plan
from pybpfnf.vm.native.regions import NativeFrame, NativeMemory, bytes_address
from pybpfnf.vm.steps import Registers

_REGISTERS = struct.Struct("<11Q")
_MOST_FUEL = (1 << 63) - 1  # what native code can count; no run is that long


@final
class NativeMachine(Machine):
    """As `Machine`, faster. `memory` must be the host's."""

    def __init__(self, program: ProgramImage, host: Host, memory: NativeMemory) -> None:
        super().__init__(program, host)
        self._memory = memory
        self._plan = make_plan(program.insns, host, around=ALONE)
        constants = self._plan.constants if self._plan is not None else ()
        if self._plan is not None:
            self._run = self._plan.compiled.function("run")
        self._state = (ctypes.c_uint64 * (Word.CONSTANTS + len(constants)))()
        self._state[Word.CONSTANTS :] = list(constants)
        self._state[Word.REGIONS] = ctypes.addressof(memory.table)
        self._state[Word.CONTEXT] = 0 if host.context is None else host.context.address
        self._address = ctypes.addressof(self._state)
        self._packet: tuple[int, int, int] | None = None  # what the state has: address, length, bytes in one piece

    @property
    def is_compiled(self) -> bool:
        """False where the reference machine runs it all: a register is read that has a value on one way there and none on another."""
        return self._plan is not None

    def new_stack(self) -> StackFrame:
        return NativeFrame()

    def _loop(self, slot: int, registers: Registers) -> None:
        plan = self._plan
        if plan is None:
            super()._loop(slot, registers)
            return
        steps, enter = self._steps, plan.enter
        budget = left = min(self.host.environment.fuel - self._executed, _MOST_FUEL)
        registers.append(0)
        try:
            while slot >= 0:
                taken = enter.get(slot)
                if taken is not None:
                    try:
                        values = _REGISTERS.pack(*taken(registers))
                    except GuestFault:
                        pass  # a register without a value: the step that reads it says so
                    else:
                        slot, left = self._run_native(plan, slot, values, left, registers)
                if left <= 0:
                    raise GuestFault(FaultKind.FUEL, f"more than {self.host.environment.fuel} instructions")
                left -= 1
                slot = steps[slot](registers)
        except GuestFault:
            if self._fault_slot is None:
                self._fault_slot = slot
            raise
        finally:
            self._executed += budget - left

    def _run_native(self, plan: Plan, slot: int, values: bytes, left: int, registers: Registers) -> tuple[int, int]:
        """Run from an entry on; gives the slot that the reference machine must step, and the fuel that is left."""
        state = self._state
        self._show_surroundings()
        ctypes.memmove(self._address, values, _REGISTERS.size)
        state[Word.SLOT], state[Word.FUEL], state[Word.MISSED] = slot, left, 0
        slot = self._run(self._address)
        registers[:11] = state[:11]
        for number, nothing in plan.unset[slot]:
            registers[number] = nothing
        if state[Word.MISSED]:
            self._memory.remember(state[Word.MISSED])
        return slot, state[Word.FUEL]

    def _show_surroundings(self) -> None:
        """Where the packet and the stack are now."""
        state, packet, stack = self._state, self.host.packet_region, self._frames[-1].stack
        assert isinstance(stack, NativeFrame)
        state[Word.STACK_BYTES], state[Word.STACK_WRITTEN] = stack.places
        if packet is None:
            state[Word.PACKET] = state[Word.LENGTH] = 0
        elif self._packet != (where := (packet.address, len(packet.data), self.host.skb.headlen)):
            self._packet = where
            state[Word.PACKET], state[Word.LENGTH], state[Word.LINEAR] = where
            state[Word.PACKET_BYTES] = bytes_address(packet.data) if packet.data else 0
