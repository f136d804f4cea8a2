"""What can watch a program run. The machine calls it before each instruction, and pays nothing where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Protocol, final

from pybpfnf.records import dataclass


class Tracer(Protocol):
    def step(self, slot: int, registers: Sequence[int]) -> None:
        """The instruction at `slot` is about to run. Registers without a value hold something that is no integer."""
        ...


@final
@dataclass(slots=True)
class SlotRecorder:
    """Keeps the slots in the order in which they ran."""

    slots: list[int] = field(default_factory=list)

    def step(self, slot: int, registers: Sequence[int]) -> None:
        self.slots.append(slot)
