"""A packet's run as it was before each instruction: registers, stack, packet, maps, the source's line and its locals.

A run is watched to its end, and looked at afterwards, forwards and back. What an instruction did not change is kept once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import TypeAlias, final

from pybpfnf.abi.forms import Insn, Kind
from pybpfnf.abi.slots import slots_of
from pybpfnf.image.meta import PREFIX
from pybpfnf.image.model import LineRecord, ProgramImage
from pybpfnf.records import dataclass
from pybpfnf.runner import EventAccess, MapAccess, Outcome, QueueAccess
from pybpfnf.testing.coverage import Point
from pybpfnf.testing.trace import Statements
from pybpfnf.vm import VmSession

MOST_STEPS = 200_000
_MOST_ENTRIES = 256  # of a map that is followed

Entries: TypeAlias = tuple[tuple[bytes, bytes], ...]
_WRITES = (Kind.STORE_REG, Kind.STORE_IMM, Kind.ATOMIC, Kind.CALL_HELPER, Kind.CALL_KFUNC, Kind.CALL_REG, Kind.CALL_LOCAL, Kind.EXIT)


@final
@dataclass(frozen=True, slots=True)
class Place:
    """A line of the source, as the run came there: `visit` counts the statements of this packet from 1. Line 0 of no file is unknown."""

    file: str
    line: int
    visit: int


@final
@dataclass(frozen=True, slots=True)
class Step:
    """How things were before the instruction at `slot`, or after the last one, where `slot` is None.

    `registers`: None where a register has no value. `depth` counts the functions that run, inlined ones too. `stack` has the 512 bytes of
    the function in hand, `written` a 1 for each that has been written. `context`: the numbers of its fields. `maps`: those that can
    be followed.
    """

    slot: int | None
    registers: tuple[int | None, ...]
    depth: int
    stack: bytes
    written: bytes
    packet: bytes
    context: Mapping[str, int]
    maps: Mapping[str, Entries]
    place: Place
    locals: Mapping[str, int]


@final
@dataclass(frozen=True, slots=True)
class History:
    """One packet's run. `names`: what addresses in registers point at. `whole`: False where it was longer than what is kept."""

    given: bytes
    outcome: Outcome
    steps: Sequence[Step]
    names: Mapping[int, str]
    whole: bool


@final
class Follower:
    """A tracer (`vm.Tracer`) that keeps the history of each packet of one session, `watch`ed before the first."""

    def __init__(self, statements: Statements | None = None) -> None:
        """With `statements`, lines and locals are the source's, of a program that was built for it; else lines are the object's records."""
        self._insns: Mapping[int, Insn] = {}
        self._program: ProgramImage  # the session's, and those that it may go on in
        self._statements = statements
        self._session: VmSession
        self._clear(b"")

    def _clear(self, packet: bytes) -> None:
        self._steps: list[Step] = []
        self._names: dict[int, str] = {}
        self._whole = True
        self._last: int | None = None
        self._stack: bytes = b""
        self._written: bytes = b""
        self._packet: bytes = packet
        self._context: Mapping[str, int] = {}
        self._maps: Mapping[str, Entries] = {}
        self._place: Place = Place("", 0, 0)
        self._locals: Mapping[str, int] = MappingProxyType({})
        self._visits = self._depth = 0
        self._calling: list[tuple[Place, int]] = []  # of each function that runs, what its caller was at

    @property
    def slots(self) -> Mapping[int, Insn]:
        """The instructions of the program and of those that it may go on in."""
        return self._insns

    @property
    def functions(self) -> Mapping[int, str]:
        """Where functions begin, of all these programs."""
        begins = {start: name for name, start in self._session.chained.starts.items()}
        return {record.slot: record.name for record in self._program.functions} | begins

    def running(self, slot: int) -> str | None:
        """The program that the slot is of; None of the first."""
        return self._session.chained.running(slot)

    @property
    def lines(self) -> set[tuple[str, int]]:
        """Files and lines at which statements begin."""
        known: Iterable[Point | LineRecord] = self._program.lines if self._statements is None else self._statements.points
        return {(each.file, each.line) for each in known if each.line}

    def watch(self, session: VmSession) -> None:
        self._session, self._program = session, session.chained.program
        self._insns = slots_of(self._program.insns)
        if self._statements is not None:
            self._statements.watch(session)

    def run(self, packet: bytes) -> History:
        """Run the packet, and give its history."""
        self._clear(packet)
        if self._statements is not None:
            self._statements.begin_packet()
        outcome = self._session.run(packet)
        self._look()
        left = outcome.packet or self._packet
        end = Step(None, _NO_VALUES, 0, self._stack, self._written, left, self._context, self._maps, self._place, self._locals)
        return History(packet, outcome, (*self._steps, end), dict(self._names), self._whole)

    def step(self, slot: int, registers: Sequence[int]) -> None:
        if len(self._steps) >= MOST_STEPS:
            self._whole = False
            return
        self._look()
        self._return_to(len(self._session.stacks))
        if self._statements is None:
            self._begin(slot, None)
        values = tuple(register if isinstance(register, int) else None for register in registers[:11])
        self._name(values)
        kept = (self._stack, self._written, self._packet, self._context, self._maps, self._place, self._locals)
        self._steps.append(Step(slot, values, self._depth, *kept))
        self._last = slot

    def _look(self) -> None:
        """What the last instruction has done to what it may have changed."""
        last = None if self._last is None else self._insns.get(self._last)
        if last is not None and last.form.kind not in _WRITES:
            return
        stacks = self._session.stacks
        if stacks:
            self._stack = _kept(self._stack, bytes(stacks[-1].data))
            self._written = _kept(self._written, bytes(stacks[-1].written))
        if self._steps or stacks:
            self._packet = _kept(self._packet, self._session.packet)
            context = self._session.context
            if context != self._context:
                self._context = context
        maps = {name: entries for name, access in self._session.maps.items() if (entries := _followed(name, access)) is not None}
        if maps != self._maps:
            self._maps = maps
        if self._statements is not None:
            self._hear(self._statements)

    def _hear(self, statements: Statements) -> None:
        """Of the statements that have begun, and of what locals were given."""
        for each in statements.look():
            if isinstance(each, tuple):
                self._locals = MappingProxyType({**self._locals, each[0]: each[1]})
            else:
                self._begin(self._last or 0, each)

    def _begin(self, slot: int, point: Point | None) -> None:
        """A statement begins, or without `point` perhaps another line's record. The instruction at `slot` is of its function."""
        record = self._program.line_at(slot)
        found = point or record
        file, line = ("", 0) if found is None else (found.file, found.line)
        if point is None and (file, line) == (self._place.file, self._place.line):
            return
        self._visits += 1
        self._place = Place(file, line, self._visits)
        self._depth = len(self._session.stacks) + (0 if record is None else len(record.callers))

    def _return_to(self, frames: int) -> None:
        """In a function that is called there is no statement yet; in one that is returned to, the one that has called."""
        if frames > len(self._calling):
            self._calling += [(self._place, self._depth)] * (frames - len(self._calling))
            self._depth = max(self._depth + 1, frames)
        while frames < len(self._calling):
            self._place, self._depth = self._calling.pop()

    def _name(self, values: Sequence[int | None]) -> None:
        for value in values:
            if value is not None and value >> 32 and value not in self._names:
                name = self._session.name_of(value)
                if name is not None:
                    self._names[value] = name


_NO_VALUES = (None,) * 11


def _kept(before: bytes, now: bytes) -> bytes:
    return before if before == now else now


def _followed(name: str, access: MapAccess) -> Entries | None:
    """Its entries; None of a map of the compiler's own, one without keys, and one with too many of them."""
    if name.startswith(PREFIX) or access.spec.frozen or isinstance(access, EventAccess | QueueAccess) or access.spec.type == "prog_array":
        return None
    keys = list(islice(access.keys(), _MOST_ENTRIES + 1))
    if len(keys) > _MOST_ENTRIES:
        return None
    return tuple((key, value) for key in keys if (value := access.lookup(key)) is not None)
