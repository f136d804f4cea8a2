"""Tail calls: the program array, and the programs that a run may go on in, as one sequence of instructions.

    dispatch: 5 slots, parse: 9 slots      becomes      slots 0 to 4 dispatch, 5 to 13 parse; parse starts at 5

so that going on in another program is a jump. Jumps and calls are relative: each program's stay its own.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import final

from pybpfnf.image.model import FunctionRecord, LineRecord, MapSpec, ProgramImage
from pybpfnf.records import dataclass
from pybpfnf.runner import FaultKind
from pybpfnf.vm.alu import U32
from pybpfnf.vm.faults import GuestFault
from pybpfnf.vm.host import Host
from pybpfnf.vm.maps import Cell, VmMap
from pybpfnf.vm.memory import Memory
from pybpfnf.vm.skb import Skb

MAX_TAIL_CALL_CNT = 33  # include/linux/bpf.h


_NO_LINE = LineRecord(0, "", 0, 0, "")  # where a program without lines comes after one that has some


@final
@dataclass(frozen=True, slots=True)
class Chained:
    """`program` begins with the one that runs first; `starts` is the first slot of each other by name."""

    program: ProgramImage
    starts: Mapping[str, int]

    def running(self, slot: int) -> str | None:
        """The program that the slot is of; None of the first."""
        return running(self.starts, slot)[0]


def running(starts: Mapping[str, int], slot: int) -> tuple[str | None, int]:
    """Of a chain's slot: the program's name, None of the first, and where it starts."""
    start, name = max(((start, name) for name, start in starts.items() if start <= slot), default=(0, None))
    return name, start


def chain(first: ProgramImage, reached: Sequence[ProgramImage]) -> Chained:
    """The programs one after the other; `reached` may have the first among them, which is then there a second time."""
    starts, slot = {}, first.slots
    lines: list[LineRecord] = list(first.lines)
    functions: list[FunctionRecord] = list(first.functions)
    for program in reached:
        starts[program.name] = slot
        functions += [replace(function, slot=function.slot + slot) for function in program.functions]
        lines += [replace(line, slot=line.slot + slot) for line in program.lines or (_NO_LINE,)]
        slot += program.slots
    insns = tuple(insn for program in (first, *reached) for insn in program.insns)
    return Chained(replace(first, insns=insns, lines=tuple(lines), functions=tuple(functions)), starts)


@final
class ProgArrayMap(VmMap):
    """Programs by index, as the object put them in. To user space a value is a number that stands for the program, never 0."""

    def __init__(self, spec: MapSpec, memory: Memory, cpus: int, cpu: int) -> None:
        super().__init__(spec, memory, cpus, cpu)
        self._programs = dict(spec.programs)
        names = sorted(set(self._programs.values()))
        self._numbers = {name: number for number, name in enumerate(names, start=1)}

    def program(self, index: int) -> str | None:
        """The name of the program in that slot."""
        return self._programs.get(index)

    def lookup(self, key: bytes) -> bytes | None:
        name = self._programs.get(int.from_bytes(self._check_key(key), "little"))
        return None if name is None else self._numbers[name].to_bytes(4, "little")

    def keys(self) -> Iterator[bytes]:
        return (index.to_bytes(4, "little") for index in range(self.spec.max_entries))

    def put(self, key: bytes, value: bytes, flags: int) -> int:
        return -errno.EINVAL

    def remove(self, key: bytes) -> int:
        return -errno.EINVAL

    def _cell(self, key: bytes) -> Cell | None:
        return None

    def _put_all(self, key: bytes, copies: list[bytes], flags: int) -> int:
        return -errno.EINVAL


def tail_call(host: Host, skb: Skb, map_: VmMap, index: int) -> int:
    """Where there is a program at the index, the machine goes on in it (`Host.tail`). Otherwise the caller does."""
    if not isinstance(map_, ProgArrayMap):
        raise GuestFault(FaultKind.HELPER, f"tail_call: expected a program array and got map {map_.spec.name!r}")
    if host.records:
        raise GuestFault(FaultKind.HELPER, "tail_call: a ring buffer record is neither submitted nor discarded")
    name = map_.program(index & U32)
    if name is not None and host.tail_calls < MAX_TAIL_CALL_CNT:
        host.tail_calls += 1
        host.tail = host.starts[name]
    return 0
