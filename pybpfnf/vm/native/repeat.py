"""A program on one packet many times, in machine code from run to run: what BPF_PROG_TEST_RUN's `repeat` is for the kernel."""

from __future__ import annotations

import ctypes
import time
from typing import final

from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.errors import InputError
from pybpfnf.image.model import ProgramImage
from pybpfnf.records import dataclass
from pybpfnf.runner import Environment
from pybpfnf.vm.host import Host
from pybpfnf.vm.memory import STACK_SIZE
from pybpfnf.vm.native.emit import Around
from pybpfnf.vm.native.fast_helpers import put, word
from pybpfnf.vm.native.layout import Word
from pybpfnf.vm.native.plan import make_plan
from pybpfnf.vm.native.regions import NativeFrame, NativeMemory, bytes_address
from pybpfnf.vm.native.words import clear, is_end, run, store64
from pybpfnf.vm.skb import Skb


def repeat(state: int) -> int:
    """Word.COUNT runs, each with a stack of which nothing has been written; 1 where one has ended otherwise than by its end."""
    while word(state, Word.INDEX) < word(state, Word.COUNT):
        clear(word(state, Word.STACK_WRITTEN), STACK_SIZE)
        store64(state + 8, word(state, Word.CONTEXT))
        put(state, Word.SLOT, 0)
        put(state, Word.FUEL, word(state, Word.RUN_FUEL))
        if not is_end(run(state)):
            return 1
        put(state, Word.INDEX, word(state, Word.INDEX) + 1)
    return 0


_REPEATED = Around((word, put, repeat), kept=frozenset({"repeat"}))


@final
@dataclass(frozen=True, slots=True)
class Repeated:
    """The last run's r0, the packet as it is then, and nanoseconds a run on average."""

    r0: int
    packet: bytes
    nanoseconds: float


def repeat_program(program: ProgramImage, packet: bytes, times: int, environment: Environment | None = None) -> Repeated:
    """`packet` as the hook would show it. No hook, no helpers and no maps: raises InputError for a program that needs them, or faults."""
    memory = NativeMemory()
    host = Host(memory, {}, environment or Environment(), PROGRAM_TYPES[program.type or ""])
    assert host.context is not None
    host.context.skb = Skb(bytearray(packet))
    host.map_packet()
    plan = make_plan(program.insns, host, around=_REPEATED)
    stack = NativeFrame()
    if plan is None or host.packet_region is None:
        raise InputError(f"program {program.name!r} cannot be compiled")
    state = (ctypes.c_uint64 * (Word.CONSTANTS + len(plan.constants)))()
    for place, value in (
        (10, memory.add(stack) + STACK_SIZE),
        (Word.CONTEXT, host.context.address),
        (Word.REGIONS, ctypes.addressof(memory.table)),
        (Word.PACKET, host.packet_region.address),
        (Word.LENGTH, len(packet)),
        (Word.LINEAR, len(packet)),
        (Word.PACKET_BYTES, bytes_address(host.packet_region.data)),
        (Word.STACK_BYTES, stack.places[0]),
        (Word.STACK_WRITTEN, stack.places[1]),
        (Word.RUN_FUEL, host.environment.fuel),
        (Word.COUNT, times),
    ):
        state[place] = value
    go = plan.compiled.function("repeat")
    began = time.perf_counter_ns()
    stopped = go(ctypes.addressof(state))
    taken = time.perf_counter_ns() - began
    if stopped:
        raise InputError(f"program {program.name!r} does not end by itself: it needs what only a session has, or it faults")
    return Repeated(state[0], bytes(host.packet_region.data), taken / times)
