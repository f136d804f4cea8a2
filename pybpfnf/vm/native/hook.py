"""One program's machine code in the hook, and what a session must know of a packet whose run it goes on with."""

from __future__ import annotations

import ctypes
import struct
from array import array
from typing import final

from pybpfnf.image.model import ProgramImage
from pybpfnf.records import dataclass
from pybpfnf.vm.host import Host, SrhState
from pybpfnf.vm.memory import Region, StackFrame
from pybpfnf.vm.native.emit import Around
from pybpfnf.vm.native.fast_helpers import LONGEST, SRH
from pybpfnf.vm.native.fast_path import REST
from pybpfnf.vm.native.jit import Run
from pybpfnf.vm.native.layout import REGION_STEP, Word
from pybpfnf.vm.native.lookups import Lookups
from pybpfnf.vm.native.plan import make_plan
from pybpfnf.vm.native.regions import NativeFrame, NativeMemory, bytes_address
from pybpfnf.vm.network import RT_TABLE_LOCAL
from pybpfnf.vm.steps import Registers

_WORK_AREA = LONGEST + 1024  # and a helper's write may be this much longer than what it found


@final
@dataclass(frozen=True, slots=True)
class Begun:
    """A packet whose program machine code has begun to run, for the session to go on with: at `slot`, after `executed` instructions.

    `data` and `srh` are the packet's as they are now, `transport` where its transport header is. It has had `moves` addresses after its
    first; `routed`: an action has found a route for it. `counters`: the fault counters before the run.
    """

    slot: int
    registers: Registers
    executed: int
    stack: StackFrame
    data: bytes
    srh: SrhState
    transport: int
    moves: int
    routed: bool
    counters: bytes

    def fault_counts(self) -> tuple[int, ...]:
        return struct.unpack(f"<{len(self.counters) // 8}Q", self.counters)


@final
class HookCode:
    """A program with the hook around it: `state` is what its functions are called with."""

    def __init__(
        self, program: ProgramImage, host: Host, memory: NativeMemory, counters: tuple[Region, int, int] | None, around: Around
    ) -> None:
        """`counters`: the fault counters' region, their offset and size in it. Raises what `make_plan` raises."""
        plan = make_plan(program.insns, host, around=around)
        assert plan is not None
        assert host.context is not None
        self._plan = plan
        self.host = host
        self._memory = memory
        state = (ctypes.c_uint64 * (Word.CONSTANTS + len(plan.constants)))()
        state[Word.CONSTANTS :] = list(plan.constants)
        self.state = state
        self._work = bytearray(_WORK_AREA)
        region, offset, size = counters if counters is not None else (Region("no counters", bytearray(8)), 0, 0)
        self._before = bytearray(size + 8)
        self._size = size
        self._device = bytearray(host.environment.device_address.packed)
        self._sid = bytearray(16 if host.environment.sid is None else host.environment.sid.packed)
        self._lookups = Lookups(host.maps.values())
        tables = [table for table in host.environment.tables if table != RT_TABLE_LOCAL]
        self._tables = array("Q", {0, *tables})
        for word, value in (
            (Word.MAPS, ctypes.addressof(self._lookups.table)),
            (Word.TABLES, self._tables.buffer_info()[0]),
            (Word.TABLES_COUNT, len(self._tables)),
            (Word.CONTEXT, host.context.address),
            (Word.REGIONS, ctypes.addressof(memory.table)),
            (Word.WORK, bytes_address(self._work)),
            (Word.COUNTERS, bytes_address(region.data) + offset),
            (Word.COUNTERS_SIZE, size),
            (Word.COUNTERS_BEFORE, bytes_address(self._before)),
            (Word.RUN_FUEL, min(host.environment.fuel, (1 << 62))),
            (Word.SID_GIVEN, host.environment.sid is not None),
            (Word.SID, bytes_address(self._sid)),
            (Word.DEVICE_ADDRESS, bytes_address(self._device)),
        ):
            state[word] = int(value)
        self._new_stack()

    def function(self, name: str) -> Run:
        return self._plan.compiled.function(name)

    def go(self, function: Run) -> int:
        """Have one of the functions deal with packets; gives what it stopped for. Word.INDEX counts those that it is done with."""
        state = self.state
        done = state[Word.INDEX]
        state[Word.NEXT_REGION] = self._memory.next_number
        stopped = function(ctypes.addressof(state))
        self.host.packets += state[Word.INDEX] - done
        self._memory.next_number = state[Word.FIRST_REGION if stopped == REST else Word.NEXT_REGION]
        return stopped

    def begun(self) -> Begun:
        """The run that machine code has stopped in; the next gets a stack of its own."""
        state = self.state
        slot = state[Word.SLOT]
        registers: Registers = state[:11]
        for number, nothing in self._plan.unset[slot]:
            registers[number] = nothing
        if state[Word.MISSED]:
            self._memory.remember(state[Word.MISSED])
            state[Word.MISSED] = 0
        begun = Begun(
            slot,
            registers,
            state[Word.RUN_FUEL] - state[Word.FUEL],
            self._stack,
            bytes(self._work[: state[Word.LENGTH]]),
            SrhState(SRH, state[Word.SRH_LENGTH], bool(state[Word.SRH_VALID])),
            state[Word.TRANSPORT],
            (state[Word.NEXT_REGION] - state[Word.FIRST_REGION]) // REGION_STEP - 2,
            bool(state[Word.ROUTED]),
            bytes(self._before[: self._size]),
        )
        self._new_stack()
        return begun

    def _new_stack(self) -> None:
        self._stack = NativeFrame()
        self.state[Word.STACK_BYTES], self.state[Word.STACK_WRITTEN] = self._stack.places


def is_possible(host: Host) -> bool:
    """Whether machine code knows enough of the hook and of the router around it."""
    environment = host.environment
    if host.program_type is None or host.program_type.name != "lwt_seg6local":
        return False
    in_one_piece = environment.linear is None and not environment.gso_size and not environment.offloaded
    return in_one_piece and environment.require_hmac <= 0 and not environment.unreachable
