"""Where a program spends its instructions: counts by source line, from the VM's own steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import final

from pybpfnf.image.model import ProgramImage
from pybpfnf.records import dataclass
from pybpfnf.vm import Chained


@final
@dataclass(frozen=True, slots=True)
class ProfileLine:
    """One source line: instructions that were executed for it, and how often it was come to from another line."""

    file: str
    line: int
    text: str
    instructions: int
    visits: int


@final
class Profile:
    """A tracer (`vm.Tracer`) that counts, of one program in one session."""

    def __init__(self) -> None:
        self._steps: Counter[tuple[int, int]] = Counter()  # the slot before, and this one
        self._before = -1

    def step(self, slot: int, registers: Sequence[int]) -> None:
        self._steps[self._before, slot] += 1
        self._before = slot

    def lines(self, chained: Chained) -> list[ProfileLine]:
        """The busiest first, of the programs that it has gone on in too; instructions without a line are line 0 of no file."""
        begins = {0, *chained.starts.values()}
        instructions: Counter[tuple[str, int, str]] = Counter()
        visits: Counter[tuple[str, int, str]] = Counter()
        for (before, slot), count in self._steps.items():
            here = _line(chained.program, slot)
            instructions[here] += count
            if before < 0 or slot in begins or _line(chained.program, before) != here:
                visits[here] += count
        return [ProfileLine(*place, count, visits[place]) for place, count in instructions.most_common()]


def _line(program: ProgramImage, slot: int) -> tuple[str, int, str]:
    line = program.line_at(slot)
    return ("", 0, "") if line is None else (line.file, line.line, line.text.strip())
