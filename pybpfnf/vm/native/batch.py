"""Many packets through End.BPF at once: machine code from packet to packet, the session for those that are not ordinary."""

from __future__ import annotations

import ctypes
import struct
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import final

from pybpfnf.image.model import ProgramImage
from pybpfnf.records import dataclass
from pybpfnf.runner import Outcome
from pybpfnf.vm.host import Host, SrhState
from pybpfnf.vm.memory import Region, StackFrame
from pybpfnf.vm.native.fast_helpers import LONGEST, SRH
from pybpfnf.vm.native.fast_path import END_BPF, FULL, REST, WHOLE
from pybpfnf.vm.native.layout import DROPPED, REGION_STEP, RESULT_WORDS, Word
from pybpfnf.vm.native.lookups import Lookups
from pybpfnf.vm.native.plan import make_plan
from pybpfnf.vm.native.regions import NativeFrame, NativeMemory, bytes_address
from pybpfnf.vm.routes import RT_TABLE_LOCAL
from pybpfnf.vm.steps import Registers

_HANDED_OUT = "the program returned BPF_DROP"
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
class Batch:
    """One program's machine code around and in the hook. `whole` runs the packet of an index, `rest` goes on with one that has begun."""

    def __init__(self, program: ProgramImage, host: Host, memory: NativeMemory, counters: tuple[Region, int, int] | None) -> None:
        """`counters`: the fault counters' region, their offset and size in it. Raises what `make_plan` raises."""
        plan = make_plan(program.insns, host, around=END_BPF)
        assert plan is not None
        assert host.context is not None
        self._plan = plan
        self._host = host
        self._memory = memory
        self._go = plan.compiled.function("batch")
        state = (ctypes.c_uint64 * (Word.CONSTANTS + len(plan.constants)))()
        state[Word.CONSTANTS :] = list(plan.constants)
        self._state = state
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
        self._output = bytearray()
        self._new_stack()

    def run(self, packets: Sequence[bytes], whole: Callable[[bytes], Outcome], rest: Callable[[bytes, Begun], Outcome]) -> list[Outcome]:
        """What becomes of each, in their order."""
        state, given = self._state, b"".join(packets)
        starts = array("Q", (0, *accumulate(map(len, packets))))
        results = array("Q", bytes(len(packets) * RESULT_WORDS * 8))
        room = min(len(given) + 256 * len(packets), 1 << 24) + 2 * LONGEST
        if len(self._output) < room:
            self._output = bytearray(room)
        state[Word.INPUT] = ctypes.cast(ctypes.c_char_p(given), ctypes.c_void_p).value or 0
        state[Word.STARTS], state[Word.RESULTS] = starts.buffer_info()[0], results.buffer_info()[0]
        state[Word.OUTPUT], state[Word.ROOM] = bytes_address(self._output), len(self._output)
        state[Word.INDEX], state[Word.COUNT] = 0, len(packets)
        outcomes: list[Outcome] = []
        while len(outcomes) < len(packets):
            state[Word.USED] = 0
            state[Word.NEXT_REGION] = self._memory.next_number
            stopped = self._go(ctypes.addressof(state))
            done = state[Word.INDEX]
            self._host.packets += done - len(outcomes)
            self._memory.next_number = state[Word.FIRST_REGION if stopped == REST else Word.NEXT_REGION]
            outcomes += self._outcomes(results, len(outcomes), done)
            if stopped in (WHOLE, REST):
                outcomes.append(rest(packets[done], self._begun()) if stopped == REST else whole(packets[done]))
                state[Word.INDEX] = done + 1
            assert stopped != FULL or state[Word.USED]
        return outcomes

    def _outcomes(self, results: Sequence[int], first: int, end: int) -> Iterator[Outcome]:
        output, mark = self._output, self._host.environment.mark
        for at in range(first * RESULT_WORDS, end * RESULT_WORDS, RESULT_WORDS):
            verdict, start, length, executed = results[at : at + RESULT_WORDS]
            if length == DROPPED:
                yield Outcome(verdict, None, False, _HANDED_OUT, None, (), (), executed, 1, mark)
            else:
                yield Outcome(verdict, bytes(output[start : start + length]), True, None, None, (), (), executed, 1, mark)

    def _begun(self) -> Begun:
        """The run that machine code has stopped in; the next gets a stack of its own."""
        state = self._state
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
        self._state[Word.STACK_BYTES], self._state[Word.STACK_WRITTEN] = self._stack.places


def is_possible(host: Host) -> bool:
    """Whether machine code knows enough of the hook and of the router around it."""
    environment = host.environment
    if host.program_type is None or host.program_type.name != "lwt_seg6local":
        return False
    in_one_piece = environment.linear is None and not environment.gso_size and not environment.offloaded
    return in_one_piece and environment.require_hmac <= 0 and not environment.unreachable
