"""The compiled engine as a machine: native code between the steps that are the reference machine's."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, final

from pybpfnf.abi.forms import Insn, Kind
from pybpfnf.abi.programs import PacketRights
from pybpfnf.image.model import ProgramImage
from pybpfnf.records import dataclass
from pybpfnf.runner import FaultKind
from pybpfnf.vm.decode import Registers, Step
from pybpfnf.vm.faults import GuestFault
from pybpfnf.vm.host import Host
from pybpfnf.vm.machine import Machine
from pybpfnf.vm.memory import StackFrame
from pybpfnf.vm.native.code import Code, analyse
from pybpfnf.vm.native.emit import ContextLayout, emit
from pybpfnf.vm.native.facts import Live, Table, find_facts, live_registers, undecided, unset_registers
from pybpfnf.vm.native.jit import Compiled, compile_module
from pybpfnf.vm.native.layout import Word
from pybpfnf.vm.native.regions import NativeFrame, NativeMemory, bytes_address

_REGISTERS = struct.Struct("<11Q")
_MOST_FUEL = (1 << 63) - 1  # what native code can count; no run is that long
_ZERO = 11  # the place of a zero behind the registers


@final
@dataclass(frozen=True, slots=True)
class _Plan:
    """A compiled program. `enter`: by slot, the registers that native code may read from there, zero for the others.
    `unset`: by slot, what the registers hold there that have no value."""

    compiled: Compiled
    enter: Mapping[int, Callable[[Registers], tuple[int, ...]]]
    unset: Mapping[int, tuple[tuple[int, Any], ...]]
    constants: tuple[int, ...]


@final
class NativeMachine(Machine):
    """As `Machine`, faster. `memory` must be the host's."""

    def __init__(self, program: ProgramImage, host: Host, memory: NativeMemory) -> None:
        super().__init__(program, host)
        self._memory = memory
        self._plan = _plan(program.insns, self._steps, host)
        constants = self._plan.constants if self._plan is not None else ()
        self._state = (ctypes.c_uint64 * (Word.CONSTANTS + len(constants)))()
        self._state[Word.CONSTANTS :] = list(constants)
        self._state[Word.REGIONS] = ctypes.addressof(memory.table)
        self._state[Word.CONTEXT] = 0 if host.context is None else host.context.address
        self._address = ctypes.addressof(self._state)
        self._packet: tuple[int, int] | None = None  # region and length of what the state has

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

    def _run_native(self, plan: _Plan, slot: int, values: bytes, left: int, registers: Registers) -> tuple[int, int]:
        """Run from an entry on; gives the slot that the reference machine must step, and the fuel that is left."""
        state = self._state
        self._show_surroundings()
        ctypes.memmove(self._address, values, _REGISTERS.size)
        state[Word.SLOT], state[Word.FUEL], state[Word.MISSED] = slot, left, 0
        slot = plan.compiled.run(self._address)
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
        elif self._packet != (packet.address, len(packet.data)):
            self._packet = packet.address, len(packet.data)
            state[Word.PACKET], state[Word.LENGTH] = self._packet
            state[Word.PACKET_BYTES] = bytes_address(packet.data) if packet.data else 0


def _plan(insns: Sequence[Insn], steps: Sequence[Step], host: Host) -> _Plan | None:
    constants, unresolved = _constants(insns, steps)
    code = analyse(insns, host.starts.values(), unresolved)
    live = live_registers(code)
    context = _context_layout(host)
    whole_programs = frozenset({0, *host.starts.values()}) if context is not None else frozenset()
    data_fields = frozenset({context.data, context.data_end}) if context is not None else frozenset()
    table = find_facts(code, live, whole_programs, data_fields)
    if undecided(table, live):
        return None
    writable = host.program_type is not None and host.program_type.packet is PacketRights.READ_WRITE
    places = {slot: place for place, slot in enumerate(constants)}
    text = emit(code, table, places, context, packet_writable=writable)
    return _Plan(compile_module(text), _entering(code, live), _leaving(code, table), tuple(constants.values()))


def _constants(insns: Sequence[Insn], steps: Sequence[Step]) -> tuple[dict[int, int], frozenset[int]]:
    """What the 64-bit loads give that depends on the session, by slot; and the slots of those that give nothing."""
    values, unresolved, slot = {}, set(), 0
    for insn in insns:
        if insn.form.kind is Kind.LOAD_IMM64 and insn.form.op != "lddw":
            registers = [0] * 11
            try:
                steps[slot](registers)
                values[slot] = registers[insn.dst]
            except GuestFault:
                unresolved.add(slot)
        slot += insn.slots
    return values, frozenset(unresolved)


def _context_layout(host: Host) -> ContextLayout | None:
    """Of `struct __sk_buff`, where the program's type may read them."""
    if host.program_type is None or host.context is None:
        return None
    rows = host.program_type.context.fields
    known = [rows[name] for name in ("data", "data_end", "len") if name in rows and host.program_type.name in rows[name].readable]
    return ContextLayout(*(row.offset for row in known)) if len(known) == 3 else None


def _entering(code: Code, live: Live) -> dict[int, Callable[[Registers], tuple[int, ...]]]:
    return {slot: itemgetter(*(number if number in live[slot] or number == 10 else _ZERO for number in range(11))) for slot in code.entries}


def _leaving(code: Code, table: Table) -> dict[int, tuple[tuple[int, Any], ...]]:
    """By each slot that native code may stop at; outside the program nothing is read."""
    outside = {to for slot in code.insns for to in code.following(slot)} - code.insns.keys()
    return {slot: unset_registers(facts) for slot, facts in table.items()} | dict.fromkeys(outside, ())
