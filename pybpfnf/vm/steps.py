"""What a decoded instruction is: a function of the registers that gives the slot to go on with; and what it needs of the machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, Protocol

from pybpfnf.abi.forms import Kind
from pybpfnf.runner import FaultKind
from pybpfnf.vm.faults import GuestFault
from pybpfnf.vm.host import Host

Registers = list[int]
Step = Callable[[Registers], int]

NEVER_WRITES_DST = frozenset({Kind.STORE_REG, Kind.STORE_IMM, Kind.JUMP, Kind.GOTO, Kind.CALL_REG, Kind.EXIT, Kind.ATOMIC})


class Calls(Protocol):
    """What steps need of the machine: its call frames."""

    host: Host

    def enter(self, registers: Registers, return_slot: int) -> None: ...
    def leave(self, registers: Registers) -> int: ...
    def go_on(self, registers: Registers, slot: int) -> int: ...


def faulting(kind: FaultKind, message: str) -> Step:
    def step(registers: Registers) -> NoReturn:
        raise GuestFault(kind, message)

    return step
