"""How fast the VM runs: its two engines beside the kernel's JIT, and beside ubpf where it is installed.

Each runs the same instructions on the same packet, in turn; the least of several rounds counts, since a busy machine only ever adds.
A run changes the packet, and the next goes on with it, so that no compiler can take the work out of the loop; at the end all must agree
on it. The times of all but the reference have in them what is around a run: marks cleared, the call, the loop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import final

from benchmarks.ubpf import Ubpf
from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.abi.text import parse
from pybpfnf.errors import InternalError
from pybpfnf.image.model import ObjectImage, ProgramImage
from pybpfnf.kernel.load import LoadedProgram, load_program
from pybpfnf.kernel.trial import trial_run
from pybpfnf.runner import Environment
from pybpfnf.testing import packets
from pybpfnf.vm import Engine, VmRunner
from pybpfnf.vm.host import Host
from pybpfnf.vm.machine import Machine
from pybpfnf.vm.memory import Memory
from pybpfnf.vm.native.repeat import repeat_program
from pybpfnf.vm.skb import Skb

_ETHERNET = bytes(12) + b"\x86\xdd"
_PACKET = packets.srv6(segments=["fc00:3::3", "fc00:2::2", "fc00:1::1"], tag=7, payload=packets.udp(bytes(64)))
_REFERENCE_RUNS = 200
REFERENCE, COMPILED, KERNEL = "VM, reference", "VM, compiled", "the kernel's JIT"
UBPF_INTERPRETER, UBPF_JIT = "ubpf, interpreter", "ubpf, JIT"

_ARITHMETIC = """
    r2 = *(u32 *)(r1 + 76)
    r3 = *(u32 *)(r1 + 80)
    r0 = 2
    r4 = r2
    r4 += 48
    if r4 > r3 goto +16
    r5 = *(u16 *)(r2 + 46)
    r0 = r5
    r6 = 100
    r0 *= 1103515245
    r0 += 12345
    r7 = r0
    r7 >>= 16
    r0 ^= r7
    r8 = r0
    r8 <<= 5
    r0 += r8
    r0 &= 0x7fffffff
    r6 += -1
    if r6 != 0 goto -11
    *(u16 *)(r2 + 46) = r0
    r0 = 0
    exit
"""
_REWRITE = """
    r2 = *(u32 *)(r1 + 76)
    r3 = *(u32 *)(r1 + 80)
    r0 = 2
    r4 = r2
    r4 += 48
    if r4 > r3 goto +33
    r5 = *(u8 *)(r2 + 0)
    r5 >>= 4
    if r5 != 6 goto +30
    r5 = *(u8 *)(r2 + 6)
    if r5 != 43 goto +28
    r5 = *(u8 *)(r2 + 42)
    if r5 != 4 goto +26
    r5 = *(u8 *)(r2 + 43)
    if r5 == 0 goto +24
    r6 = *(u8 *)(r2 + 44)
    if r5 > r6 goto +22
    r7 = *(u8 *)(r2 + 41)
    r7 <<= 3
    r7 += 48
    r8 = r2
    r8 += r7
    if r8 > r3 goto +16
    r5 += -1
    r5 <<= 4
    r5 &= 0xff0
    r9 = r2
    r9 += r5
    r8 = r9
    r8 += 64
    if r8 > r3 goto +8
    r7 = *(u64 *)(r9 + 48)
    *(u64 *)(r2 + 24) = r7
    r7 = *(u64 *)(r9 + 56)
    *(u64 *)(r2 + 32) = r7
    r7 = *(u16 *)(r2 + 46)
    r7 += 1
    *(u16 *)(r2 + 46) = r7
    r0 = 0
    exit
"""
PROGRAMS: Mapping[str, str] = {"arithmetic loop": _ARITHMETIC, "SRv6 parse and rewrite": _REWRITE}


@final
@dataclass(frozen=True, slots=True)
class Speed:
    """`nanoseconds` a run, the least of the rounds; `instructions` that a run executes."""

    program: str
    runner: str
    nanoseconds: float
    instructions: int


def measure(rounds: int, runs: int, *, has_kernel: bool, ubpf: Path | str | None = None) -> Iterator[Speed]:
    """Each program by each runner, `runs` times a round; the reference less often. `ubpf`: its library, if it is to run too."""
    for name, text in PROGRAMS.items():
        program = ProgramImage("bench", "lwt_xmit", "lwt_xmit", parse("\n".join(line.strip() for line in text.strip().splitlines())))
        image = ObjectImage((program,), {}, "GPL")
        instructions = _instructions(image)
        with ExitStack() as stack:
            timed: dict[str, Callable[[], float]] = {REFERENCE: _reference(program), COMPILED: _compiled(program, runs)}
            if ubpf is not None:
                theirs = stack.enter_context(Ubpf(ubpf, program, _PACKET))
                for each in (theirs.interpreted, theirs.jitted):
                    theirs.reset()
                    each(3)
                    _check_agreement(program, "ubpf", theirs.packet)
                timed |= {UBPF_INTERPRETER: partial(theirs.interpreted, max(runs // 10, 1)), UBPF_JIT: partial(theirs.jitted, runs)}
            if has_kernel:
                loaded = stack.enter_context(load_program(image, program))
                timed[KERNEL] = partial(_kernel_run, loaded, runs)
                _check_agreement(program, "the kernel", trial_run(loaded, _ETHERNET + _PACKET, repeat=3).data[len(_ETHERNET) :])
            least = dict.fromkeys(timed, float("inf"))
            for _ in range(max(rounds, 9)):
                for runner, once in timed.items():
                    least[runner] = min(least[runner], once())
        yield from (Speed(name, runner, taken, instructions) for runner, taken in least.items())


def _kernel_run(loaded: LoadedProgram, runs: int) -> float:
    return trial_run(loaded, _ETHERNET + _PACKET, repeat=runs).duration


def _instructions(image: ObjectImage) -> int:
    with VmRunner(engine=Engine.REFERENCE).open(image, image.program(), Environment()) as session:
        return session.run(_PACKET).instructions or 0


def _compiled(program: ProgramImage, runs: int) -> Callable[[], float]:
    return lambda: repeat_program(program, _PACKET, runs).nanoseconds


def _reference(program: ProgramImage) -> Callable[[], float]:
    """The machine alone, without a hook, as the others."""
    host = Host(Memory(), {}, Environment(), PROGRAM_TYPES["lwt_xmit"])
    assert host.context is not None
    context = host.context
    context.skb = Skb(bytearray(_PACKET))
    host.map_packet()
    machine = Machine(program, host)

    def once() -> float:
        began = time.perf_counter_ns()
        for _ in range(_REFERENCE_RUNS):
            machine.run((context.address,))
        return (time.perf_counter_ns() - began) / _REFERENCE_RUNS

    return once


def _check_agreement(program: ProgramImage, other: str, packet: bytes) -> None:
    """After three runs the packet is the same there and here."""
    ours = repeat_program(program, _PACKET, 3).packet
    if ours != packet:
        raise InternalError(f"{other} and the compiled engine disagree on a benchmark's packet")
