"""A debugger's core: where in a packet's run it is, steps by instruction and by line, forwards and back, and breakpoints.

Interfaces are elsewhere. A packet runs to its end when it is taken; what is stepped through is its history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath
from typing import TypeAlias, final

from pybpfnf.abi.forms import Insn
from pybpfnf.errors import InputError
from pybpfnf.records import dataclass
from pybpfnf.testing.history import Follower, History, Step


@final
@dataclass(frozen=True, slots=True)
class LineBreak:
    """Stops where a statement at that line begins; `file` is a path's last part or the path, None for any file."""

    line: int
    file: str | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.file else f"line {self.line}"


@final
@dataclass(frozen=True, slots=True)
class SlotBreak:
    """Stops before the instruction in that slot."""

    slot: int

    def __str__(self) -> str:
        return f"instruction {self.slot}"


Breakpoint: TypeAlias = LineBreak | SlotBreak


@final
class Debugger:
    """Packets of one session, one after the other: maps and variables live on from each to the next."""

    def __init__(self, follower: Follower, packets: Iterable[bytes]) -> None:
        """At the first instruction for the first packet. Raises InputError where there is none."""
        self._follower = follower
        self._packets = iter(packets)
        self._at = 0
        self.packet = -1
        """Its number, from 0."""
        self.breakpoints: dict[int, Breakpoint] = {}
        """By the numbers that they were given."""
        self._last_number = 0
        self.history: History
        if not self.next_packet():
            raise InputError("there is no packet to debug", hint="give a capture, or --packet")

    # ------------------------------------------------------------------------------------------------------ where it is

    @property
    def position(self) -> int:
        """How many instructions have run for this packet."""
        return self._at

    @property
    def state(self) -> Step:
        return self.history.steps[self._at]

    @property
    def before(self) -> Step:
        """One instruction ago; at the beginning the same."""
        return self.history.steps[max(0, self._at - 1)]

    @property
    def is_over(self) -> bool:
        """The run has ended: what became of the packet is `history.outcome`."""
        return self.state.slot is None

    @property
    def slots(self) -> Mapping[int, Insn]:
        """The instructions of the program and of those that it may go on in."""
        return self._follower.slots

    @property
    def functions(self) -> Mapping[int, str]:
        """Where functions begin, of all these programs."""
        return self._follower.functions

    @property
    def running(self) -> str | None:
        """The program that has gone on in place of the first."""
        slot = self.state.slot
        return None if slot is None else self._follower.running(slot)

    def next_packet(self) -> bool:
        """Take the next one, from its run's beginning; False where there is none, and nothing changes."""
        packet = next(self._packets, None)
        if packet is None:
            return False
        self.packet += 1
        self.history = self._follower.run(packet)
        self._at = 0
        return True

    # ------------------------------------------------------------------------------------------------------------ steps

    def step_instruction(self, count: int = 1) -> None:
        """So many instructions on, or to the end."""
        self._at = min(self._at + count, len(self.history.steps) - 1)

    def back_instruction(self, count: int = 1) -> None:
        self._at = max(self._at - count, 0)

    def step(self) -> Breakpoint | None:
        """To the next statement, in whatever function."""
        visit = self.state.place.visit
        return self._go_to(lambda step: step.place.visit > visit)

    def next(self) -> Breakpoint | None:
        """To the next statement of this function, or of its caller: calls on the way run, but for breakpoints in them."""
        visit, depth = self.state.place.visit, self.state.depth
        return self._go_to(lambda step: step.place.visit > visit and step.depth <= depth, self._break_at)

    def finish(self) -> Breakpoint | None:
        """To where the function that runs has returned."""
        depth = self.state.depth
        return self._go_to(lambda step: step.depth < depth, self._break_at)

    def proceed(self) -> Breakpoint | None:
        """To the next breakpoint, which it gives, or to the end."""
        return self._go_to(lambda step: False, self._break_at)

    def back(self) -> None:
        """To where the statement in hand began, or from there to where the one before it did."""
        steps = self.history.steps
        visit = steps[max(0, self._at - 1)].place.visit
        self._at = next(at for at, step in enumerate(steps) if step.place.visit == visit)

    def back_to_breakpoint(self) -> Breakpoint | None:
        """Backwards to where `proceed` would have stopped last, or to the beginning."""
        for at in range(self._at - 1, -1, -1):
            found = self._break_at(at)
            if found is not None:
                self._at = at
                return found
        self._at = 0
        return None

    def restart(self) -> None:
        """Back to the beginning of this packet's run."""
        self._at = 0

    # ------------------------------------------------------------------------------------------------------ breakpoints

    def add(self, breakpoint_: Breakpoint) -> int:
        """Gives its number. Raises InputError for an instruction that the program does not have."""
        if isinstance(breakpoint_, SlotBreak) and breakpoint_.slot not in self._follower.slots:
            raise InputError(f"the program has no instruction {breakpoint_.slot}")
        if isinstance(breakpoint_, LineBreak) and not any(_is_at(breakpoint_, *each) for each in self._follower.lines):
            near = sorted({line for file, line in self._follower.lines if _names(breakpoint_.file, file)})
            hint = f"statements begin at {', '.join(map(str, near))}" if near else "the program has no lines there"
            raise InputError(f"no statement begins at {breakpoint_}", hint=hint)
        self._last_number += 1
        self.breakpoints[self._last_number] = breakpoint_
        return self._last_number

    def delete(self, number: int) -> None:
        if self.breakpoints.pop(number, None) is None:
            raise InputError(f"there is no breakpoint {number}")

    # ----------------------------------------------------------------------------------------------------------- inside

    def _go_to(self, is_there: Callable[[Step], bool], breaks: Callable[[int], Breakpoint | None] = lambda at: None) -> Breakpoint | None:
        """On to the first step that is there, or at a breakpoint, which it gives; to the end where there is none."""
        steps = self.history.steps
        for at in range(self._at + 1, len(steps)):
            found = breaks(at)
            if found is not None or is_there(steps[at]):
                self._at = at
                return found
        self._at = len(steps) - 1
        return None

    def _break_at(self, at: int) -> Breakpoint | None:
        """The breakpoint that a run stops at there: a statement's line where it begins, an instruction wherever it is."""
        step, steps = self.history.steps[at], self.history.steps
        begins = at == 0 or steps[at - 1].place.visit < step.place.visit
        for each in self.breakpoints.values():
            if isinstance(each, SlotBreak):
                if step.slot == each.slot:
                    return each
            elif begins and step.slot is not None and _is_at(each, step.place.file, step.place.line):
                return each
        return None


def _is_at(breakpoint_: LineBreak, file: str, line: int) -> bool:
    return breakpoint_.line == line and _names(breakpoint_.file, file)


def _names(name: str | None, file: str) -> bool:
    return name is None or name == file or name == PurePath(file).name
