"""What the lowering of one function shares: its text, its locals, its fault exits, and what is known of the packet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from typing import Any, TypeAlias, final

from pybpfnf.abi.helpers import HELPERS
from pybpfnf.backend.building.calling import Convention
from pybpfnf.backend.building.debuginfo import DebugInfo
from pybpfnf.backend.building.enclosing import Held, InlinedScope, Lock, Loop
from pybpfnf.backend.building.faults import FaultExits, FaultSites
from pybpfnf.backend.building.known import Packet
from pybpfnf.backend.building.spare import LEAST_SIZE, NONE_LEFT, Spare, spare_name
from pybpfnf.backend.building.texts import Texts
from pybpfnf.backend.building.values import is_in_memory, llvm_type
from pybpfnf.backend.building.writer import Writer
from pybpfnf.diagnostics import Span
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import Type, is_reserved
from pybpfnf.records import dataclass

CONTEXT = "%ctx"


@final
@dataclass(frozen=True, slots=True)
class _Known:
    """What is known on the ways to a label. `entries`: what `Frame.entries` has; `reserved`: slots of records that may be reserved."""

    packet: Packet
    entries: Mapping[tuple[str, str], str]
    reserved: frozenset[str]

    def joined(self, other: _Known) -> _Known:
        # A pointer that is known on both ways was made before them.
        entries = {key: pointer for key, pointer in self.entries.items() if other.entries.get(key) == pointer}
        return _Known(self.packet.joined(other.packet), entries, self.reserved | other.reserved)


@final
@dataclass(frozen=True, slots=True)
class Shared:
    """What all functions of a module have together. `subprograms`: how those that are lowered by now are called, by symbol.
    `spared`: functions whose large values are in memory of the CPU's own; `spares`: how much those took, by the map's symbol."""

    sites: FaultSites
    texts: Texts
    subprograms: dict[str, Convention]
    spared: frozenset[str] = frozenset()
    spares: dict[str, int] = field(default_factory=dict)


Expressions: TypeAlias = Mapping[type, Callable[["Frame", Any], str]]
"""How each kind of expression is lowered: emits code and gives the value's name or constant."""


@final
class Frame:
    """One function being lowered; the modules of `lowering` write into it."""

    def __init__(
        self,
        function: ir.Function | ir.Subprogram,
        expressions: Expressions,
        debug: DebugInfo,
        subprogram: str,
        shared: Shared,
        on_fault: int,
    ) -> None:
        """`on_fault`: what it returns after a fault."""
        self.function = function
        self.packet = Packet()
        self.span = function.span
        self.texts = shared.texts
        self.subprograms = shared.subprograms
        self._expressions = expressions
        self._debug = debug
        self._subprogram = subprogram
        self._inlined: dict[Span, InlinedScope] = {}  # by the span of the call
        self.writer = Writer(self._location(function.span))
        self.exits = FaultExits(shared.sites, function.name, on_fault, self.writer)
        self.loops: list[Loop] = []  # around the statement that is lowered, the innermost last
        self.accumulators: frozenset[ir.Local] = frozenset()  # integers that the verifier is not to know (`hide`)
        self.walks_often = False  # over the SRH's TLVs (`hide`)
        self.grows = False  # the SRH may be longer than its length byte says
        self.short: dict[str, str] | None = None  # where checks lead that are to be made again (`pulling`), and the labels in between
        self.leaves: list[str] = []  # labels after the calls that are lowered, the innermost last
        self._locals: dict[ir.Local, str] = {}
        self._named: dict[str, str] = {}
        self._scratch: dict[str, int] = {}
        self._pointers: set[str] = set()  # the names of those that are to be on the stack
        self._rooms = 0
        self.entries: Mapping[tuple[str, str], str] = {}  # of arrays, by map and constant index: pointers to values, which never move
        self._arrivals: dict[str, _Known] = {}
        self._reserved: frozenset[str] = frozenset()  # slots of records that may be reserved here, and are to be released on every path
        self._lock: Lock | None = None  # that is held here
        self._shared = shared
        self._releases: dict[Held, tuple[str, str]] = {}  # label and location of what releases before an exit

        self._spare: Spare | None = None
        if function.name in shared.spared:
            self._spare = Spare(self.writer, self.fault(NONE_LEFT), self.never())

    def context_field(self, offset: int) -> str:
        """A pointer to a field of the context, which LLVM uses for an access at this very offset: chosen between two fields it would
        add a variable to the context's address, which the verifier refuses ("dereference of modified ctx ptr")."""
        base = self.writer.value(f"call ptr @llvm.preserve.static.offset(ptr {CONTEXT})")
        return self.writer.value(f"getelementptr inbounds i8, ptr {base}, i64 {offset}")

    # ------------------------------------------------------------------------------------------------- expressions

    def value(self, node: ir.Expr) -> str:
        """Emit the expression; gives its value."""
        with self.at(node.span):
            return self._expressions[type(node)](self, node)

    @contextmanager
    def at(self, span: Span) -> Iterator[None]:
        """Code within stands for this piece of the source."""
        before, self.span = self.span, span
        with self.writer.at(self._location(span)):
            yield
        self.span = before

    def _location(self, span: Span) -> str:
        """The metadata node of a place; of one in a function that was inlined, with the calls that lead there."""
        if span.called_from is None:
            return self._debug.location(span, self._subprogram, self.function.span.file)
        scope = self._inlined[span.called_from]
        return self._debug.location(span, scope.subprogram, scope.file, inlined_at=self._location(span.called_from))

    # ------------------------------------------------------------------------------------------------ fault exits

    def fault_if(self, condition: str, message: str) -> None:
        """Leave the function by a fault exit of the current place when the condition holds."""
        self.writer.go_on_unless(condition, self.fault(message))

    def leave_if(self, condition: str, label: str) -> None:
        """Go to the label when the condition holds; else go on in a new block."""
        self._arrive(label)
        self.writer.go_on_unless(condition, label)

    def fault(self, message: str) -> str:
        """The label of the fault exit of the current place."""
        return self._releasing(self.exits.label(self.span, self.writer.location, message))

    def never(self) -> str:
        """The label of the exit for a check that is proven needless."""
        return self._releasing(self.exits.unreachable())

    # -------------------------------------------------------------------------------------------- reserved records

    def hold(self, slot: str) -> None:
        """The slot has a reserved record from here on, or null: what leaves the function by an exit discards it before."""
        self._reserved |= {slot}

    def let_go(self, slot: str) -> None:
        """The slot's record was submitted or discarded."""
        self._reserved -= {slot}

    @contextmanager
    def locked(self, pointer: str) -> Iterator[None]:
        """Statements within hold the lock; what leaves the function by a fault exit releases it before."""
        self._lock = Lock(pointer, len(self.loops), len(self.leaves))
        yield
        self._lock = None

    def unlock(self) -> None:
        """Release the lock that is held, if one is."""
        if self._lock is not None:
            self.call_void("spin_unlock", f"ptr {self._lock.pointer}")

    def unlock_in_loop(self) -> None:
        """The same before the innermost loop is left, or begins anew, where that is around the lock."""
        if self._lock is not None and self._lock.loops == len(self.loops):
            self.unlock()

    def unlock_in_call(self) -> None:
        """The same before the innermost function that was called is left, where that is around the lock."""
        if self._lock is not None and self._lock.calls == len(self.leaves):
            self.unlock()

    def _releasing(self, exit_: str) -> str:
        """A label that gives back what is held here and then goes to the exit."""
        iterators = self._iterators()
        if not self._reserved and self._lock is None and not iterators:
            return exit_
        key = Held(exit_, self._reserved, self._lock, iterators)
        if key not in self._releases:
            self._releases[key] = self.writer.label("release"), self.writer.location
        return self._releases[key][0]

    def _place_releases(self) -> None:
        w = self.writer
        for held, (label, location) in self._releases.items():
            w.place(label)
            with w.at(location):
                if held.lock is not None:
                    self.call_void("spin_unlock", f"ptr {held.lock.pointer}")
                self._destroy(held.iterators)
                for slot in sorted(held.reserved):
                    on, there = w.label("on"), w.label("there")
                    record = w.load("ptr", slot)
                    w.branch(w.icmp("eq", "ptr", record, "null"), on, there)
                    w.place(there)
                    self.call_void("ringbuf_discard", f"ptr {record}", "i64 0")
                    w.place(on)
                w.jump(held.exit_)

    # ------------------------------------------------------------------------------------- loops that the kernel counts

    def end_loops(self) -> None:
        """Give back the iterators of all loops around this place, before the function is left."""
        self._destroy(self._iterators())

    def end_loops_in_call(self) -> None:
        """Of those within the innermost function that was called, before that is left."""
        self._destroy(self._iterators(len(self.leaves)))

    def end_loop(self) -> None:
        """Of the innermost loop, before that is left."""
        if self.loops[-1].iterator is not None:
            self._destroy((self.loops[-1].iterator,))

    @contextmanager
    def outside_loops(self) -> Iterator[None]:
        """What leaves the function within finds the iterators given back."""
        before, self.loops = self.loops, []
        yield
        self.loops = before

    def _iterators(self, calls: int = 0) -> tuple[str, ...]:
        """Where they are, the innermost loop's first; of the loops that have at least so many calls around them."""
        return tuple(loop.iterator for loop in reversed(self.loops) if loop.iterator is not None and loop.calls >= calls)

    def _destroy(self, iterators: Iterable[str]) -> None:
        for iterator in iterators:
            self.writer.do(f"call void @bpf_iter_num_destroy(ptr {iterator})")

    # ------------------------------------------------------------------------------------------------------ memory

    def local(self, local: ir.Local) -> str:
        """The stack slot of a local variable."""
        if local not in self._locals:
            type_ = local.type
            self._locals[local] = self.room(type_.size) if is_in_memory(type_) else self._slot(type_)
        return self._locals[local]

    def _slot(self, type_: Type) -> str:
        """Of a record that may be reserved, null at first: an exit discards what is in it, wherever it comes from."""
        return self.writer.slot(llvm_type(type_), initial="null" if is_reserved(type_) else None)

    def give(self, local: ir.Local, place: str) -> None:
        """The local has this place in memory."""
        self._locals[local] = place

    def give_register(self, name: str, place: str) -> None:
        """The variable of the lowering has this place, and the value that is there."""
        self._named[name] = place

    def register(self, name: str, type_: str, initial: str) -> str:
        """The slot of a variable of the lowering itself, which has this value when the function begins."""
        if name not in self._named:
            self._named[name] = self.writer.slot(type_, initial=initial)
        return self._named[name]

    def room(self, size: int, *, on_stack: bool = False) -> str:
        """New memory of `size` bytes for the whole function, aligned to 8 bytes and up to a multiple of 8. `on_stack`: it is to keep
        pointers, which the verifier knows again from the stack alone."""
        self._rooms += 1
        return self._memory(f"room{self._rooms}", -(-size // 8) * 8, on_stack=on_stack)

    def initialize(self, local: ir.Local, type_: str) -> None:
        """The local is all zeros when the function begins."""
        place = self.local(local)
        if self._spare is not None and self._spare.has(place):
            self._spare.initialize(place, type_)
        else:
            self.writer.initialize(place, type_)

    def _memory(self, name: str, size: int, *, on_stack: bool) -> str:
        if self._spare is None or on_stack or size < LEAST_SIZE:
            return self.writer.buffer(name, size)
        return self._spare.place(name, size)

    def scratch(self, name: str, size: int, *, on_stack: bool = False) -> str:
        """Memory for one helper's argument, aligned to 8 bytes and shared by all calls that use the name: filled just before a
        call, and free after it. `on_stack` as of `room`."""
        if on_stack:
            self._pointers.add(name)
        self._scratch[name] = max(self._scratch.get(name, 0), -(-size // 8) * 8)
        return f"%{name}"

    def finish(self) -> None:
        """Write what all ways out lead to; the writer then has the body, whole."""
        self._place_releases()
        self.exits.place()
        for name, size in self._scratch.items():
            self._memory(name, size, on_stack=name in self._pointers)

    def begin(self) -> None:
        """Write what comes before everything else; last of all."""
        if self._spare is not None:
            map_name = spare_name(self.function.name)
            self._spare.take(map_name)
            self._shared.spares[map_name] = self._spare.size

    # ----------------------------------------------------------------------------------------------------- helpers

    def call(self, name: str, *arguments: str, result: str = "i64", seldom: bool = False) -> str:
        """Call a helper; each argument is written with its type. Gives its result. `seldom`: only the other ways are to be short."""
        helper = HELPERS[name]
        attribute = " cold" if seldom else ""
        value = self.writer.value(f"call {result} inttoptr (i64 {helper.id} to ptr)({', '.join(arguments)}){attribute}")
        if helper.changes_packet:
            self.packet = self.packet.moved()
        return value

    def call_void(self, name: str, *arguments: str) -> None:
        """Call a helper that gives nothing."""
        self.writer.do(f"call void inttoptr (i64 {HELPERS[name].id} to ptr)({', '.join(arguments)})")

    # ----------------------------------------------------------------------------------------------------- branches
    # What is known goes along each way to a label, and is joined there.

    def branch(self, condition: str, yes: str, no: str, none: str | None = None) -> None:
        """`none`: the slot of a record that could not be reserved where the condition holds."""
        before = self._reserved
        self._reserved -= {none}
        self._arrive(yes)
        self._reserved = before
        self._arrive(no)
        self.writer.branch(condition, yes, no)

    def jump(self, label: str) -> None:
        """Go on at a label, unless the current block has ended already."""
        if not self.writer.terminated:
            self._arrive(label)
            self.writer.jump(label)

    def place(self, label: str) -> None:
        """Begin the block of a label that all ways lead to by now; one that none leads to is not written."""
        self.jump(label)
        if label in self._arrivals:
            known = self._arrivals.pop(label)
            self.packet, self.entries, self._reserved = known.packet, known.entries, known.reserved
            self.writer.place(label)

    @contextmanager
    def inlined(self, node: ir.InlinedCall, end: str) -> Iterator[None]:
        """Statements within are the body of a function; leaving it leads to the label."""
        subprogram = self._debug.inlined_subprogram(node.function, node.defined)
        self._inlined[node.span] = InlinedScope(subprogram, node.defined.file)
        self.leaves.append(end)
        yield
        self.leaves.pop()

    @contextmanager
    def loop(self, loop: Loop) -> Iterator[None]:
        """Statements within are the loop's body."""
        self.loops.append(loop)
        yield
        self.loops.pop()

    def loop_back(self, label: str, *, rolled: bool = True) -> None:
        """Go back to the start of a loop. One that is `rolled` stays one: else the search for the SRH is 72 instructions in place
        of 44."""
        self.writer.jump(label, self._debug.rolled_loop() if rolled else "")

    def loop_back_if(self, condition: str, label: str, otherwise: str) -> None:
        """Go back while the condition holds; else to the other label."""
        self._arrive(otherwise)
        self.writer.branch(condition, label, otherwise, self._debug.rolled_loop())

    def _arrive(self, label: str) -> None:
        here = _Known(self.packet, self.entries, self._reserved)
        before = self._arrivals.get(label)
        self._arrivals[label] = here if before is None else here.joined(before)
