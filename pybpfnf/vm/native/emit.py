"""A program as one LLVM function: `i64 run(state)` goes on at the state's slot, and gives that where the reference machine must go on.

Registers are variables that LLVM keeps where it likes; they are in the state before and after. Fuel is taken a block at a time, and what
was not run of a block is given back, so that instructions are counted as the reference machine counts them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import final

from pybpfnf.abi.forms import Insn, Kind, jump_target
from pybpfnf.abi.helpers import HELPERS_BY_ID, Arg
from pybpfnf.records import dataclass
from pybpfnf.vm.alu import U64
from pybpfnf.vm.native.access import TBAA, Accesses, finders, load_word
from pybpfnf.vm.native.code import Code
from pybpfnf.vm.native.compute import ATOMICS, alu, narrowed, swap, test, widened
from pybpfnf.vm.native.facts import Facts, Status, Table, Where, reads
from pybpfnf.vm.native.fast_helpers import FAST_HELPERS
from pybpfnf.vm.native.layout import Word
from pybpfnf.vm.native.words import RUNTIME, compile_words, is_end
from pybpfnf.vm.native.writer import Writer

_SIZES = (1, 2, 4, 8)
_BRANCH_WEIGHTS = '!7 = !{!"branch_weights", i32 2000, i32 1}\n'
_DECLARATIONS = "\n".join(
    [*(f"declare i{width} @llvm.bswap.i{width}(i{width})" for width in (16, 32, 64)), "declare i64 @llvm.usub.sat.i64(i64, i64)"]
)


@final
@dataclass(frozen=True, slots=True)
class ContextLayout:
    """Offsets of the 32-bit fields of the context that native code knows by itself; all others are the reference machine's."""

    data: int
    data_end: int
    len: int


def emit(
    code: Code, table: Table, constants: Mapping[int, int], context: ContextLayout | None, *, packet_writable: bool, around: Around
) -> str:
    """The module's text. `constants`: where each 64-bit load that depends on the session finds its value, by slot.
    `around`: what is in the module besides `run`, and calls it."""
    return _Emitter(code, table, constants, context, packet_writable, around).module()


@final
@dataclass(frozen=True, slots=True)
class Around:
    """Functions of words (`words`) that go with a program; `kept` as `compile_words` has it. `fast_helpers`: the program calls those."""

    functions: tuple[Callable[..., int], ...] = ()
    kept: frozenset[str] = frozenset()
    fast_helpers: bool = False


@cache
def _words_text(around: Around) -> str:
    return compile_words(around.functions, elsewhere=(is_end,), kept=around.kept)


@final
class _Emitter:
    def __init__(
        self,
        code: Code,
        table: Table,
        constants: Mapping[int, int],
        context: ContextLayout | None,
        packet_writable: bool,
        around: Around,
    ) -> None:
        self._code = code
        self._table = table
        self._constants = constants
        self._context = context
        self._packet_writable = packet_writable
        self._around_run = around
        self._w = Writer()
        self._accesses = Accesses(self._w, packet_writable=packet_writable)
        self._exits: list[tuple[str, int, int]] = []  # label, slot, instructions to give back
        self._slot = 0
        self._left = 0  # instructions of the block from the one in hand on

    def module(self) -> str:
        self._prologue()
        for block in self._blocks():
            self._block(block)
        self._epilogue()
        body = "\n".join(self._w.lines)
        run = f"define i64 @run(ptr %state) noinline {{\n{body}\n}}"
        found = finders(self._accesses.finders, packet_writable=self._packet_writable)
        around = self._around() if self._around_run.functions else ""
        return "\n".join((_DECLARATIONS, found, run, around, TBAA, _BRANCH_WEIGHTS))

    def _around(self) -> str:
        """The hook and its helpers, and at which slots the program ends with a result."""
        ends = [
            slot
            for slot, insn in self._code.insns.items()
            if insn.form.kind is Kind.EXIT and self._table[slot].registers[0].status is Status.SET
        ]
        cases = " ".join(f"i64 {slot}, label %yes" for slot in ends)
        is_end = f"""\
define internal i64 @is_end(i64 %slot) alwaysinline {{
entry:
  switch i64 %slot, label %no [ {cases} ]
yes:
  ret i64 1
no:
  ret i64 0
}}"""
        return "\n".join((RUNTIME, is_end, _words_text(self._around_run)))

    # ------------------------------------------------------------------------------------------- in and out

    def _prologue(self) -> None:
        w = self._w
        w.begin("entry")
        for number in range(10):
            w.do(f"%r{number} = alloca i64")
            w.do(f"store i64 {load_word(w, number)}, ptr %r{number}")
        w.do("%fuel = alloca i64")
        w.do(f"store i64 {load_word(w, Word.FUEL)}, ptr %fuel")
        w.do("%out = alloca i64")
        # By name, since accesses speak of them.
        w.do(f"%frame = add i64 {load_word(w, 10)}, 0")
        w.do(f"%context = add i64 {load_word(w, Word.CONTEXT)}, 0")
        w.do("%self = ptrtoint ptr %state to i64")
        for name, word in (("stack", Word.STACK_BYTES), ("written", Word.STACK_WRITTEN)):
            w.do(f"%{name} = inttoptr i64 {load_word(w, word)} to ptr")
        for name in ("packet", "length", "linear", "bytes", *(f"room{size}" for size in _SIZES)):
            w.do(f"%{name} = alloca i64")
        self._find_packet()
        cases = " ".join(f"i64 {slot}, label %s{slot}" for slot in sorted(self._code.entries))
        w.do(f"switch i64 {load_word(w, Word.SLOT)}, label %nowhere [ {cases} ]")
        w.begin("nowhere")
        w.do("unreachable")

    def _find_packet(self) -> None:
        """Where the packet is: at the beginning, and after what may have moved it."""
        w = self._w
        length = load_word(w, Word.LENGTH)
        w.do(f"store i64 {load_word(w, Word.PACKET)}, ptr %packet")
        w.do(f"store i64 {length}, ptr %length")
        w.do(f"store i64 {load_word(w, Word.LINEAR)}, ptr %linear")
        w.do(f"store ptr {w.give(f'inttoptr i64 {load_word(w, Word.PACKET_BYTES)} to ptr')}, ptr %bytes")
        for size in _SIZES:
            w.do(f"store i64 {w.give(f'call i64 @llvm.usub.sat.i64(i64 {length}, i64 {size - 1})')}, ptr %room{size}")

    def _epilogue(self) -> None:
        w = self._w
        for label, slot, unrun in self._exits:
            w.begin(label)
            if unrun:
                w.do(f"store i64 {w.give(f'add i64 {self._read_fuel()}, {unrun}')}, ptr %fuel")
            w.do(f"store i64 {slot}, ptr %out")
            w.do("br label %leave")
        w.begin("leave")
        for number in range(10):
            value = w.give(f"load i64, ptr %r{number}")
            w.do(f"store i64 {value}, ptr {w.give(f'getelementptr i64, ptr %state, i64 {number}')}")
        w.do(f"store i64 {self._read_fuel()}, ptr {w.give(f'getelementptr i64, ptr %state, i64 {Word.FUEL}')}")
        w.do(f"ret i64 {w.give('load i64, ptr %out')}")

    def _read_fuel(self) -> str:
        return self._w.give("load i64, ptr %fuel")

    def _leave(self) -> str:
        """The label at which the reference machine takes over the instruction in hand."""
        label = self._w.label()
        self._exits.append((label, self._slot, self._left))
        return label

    # ----------------------------------------------------------------------------------------------- blocks

    def _blocks(self) -> list[list[int]]:
        """Slots that run one after the other; those that the reference machine executes are alone."""
        code = self._code
        leaders = set(code.entries) | set(code.functions) | code.stepped
        for slot, insn in code.insns.items():
            if insn.form.kind in (Kind.JUMP, Kind.GOTO) or slot in code.stepped:
                leaders |= {*code.following(slot), slot + insn.slots}
        blocks: list[list[int]] = []
        before = None
        for slot, insn in code.insns.items():
            if slot in leaders or slot != before:
                blocks.append([])
            blocks[-1].append(slot)
            before = slot + insn.slots
        outside = {to for slot in code.insns if slot not in code.stepped for to in code.following(slot)} - code.insns.keys()
        return blocks + [[slot] for slot in sorted(outside)]

    def _block(self, slots: list[int]) -> None:
        w, first = self._w, slots[0]
        w.begin(f"s{first}")
        self._slot, self._left = first, 0
        if first in self._code.stepped or first not in self._code.insns:
            w.do(f"br label %{self._leave()}")
            return
        left = w.give(f"sub i64 {self._read_fuel()}, {len(slots)}")
        self._accesses.unless(w.give(f"icmp sge i64 {left}, 0"), self._leave())
        w.do(f"store i64 {left}, ptr %fuel")
        for index, slot in enumerate(slots):
            self._slot, self._left = slot, len(slots) - index
            self._insn(self._code.insns[slot], self._table[slot])
        last = self._code.insns[slots[-1]]
        if last.form.kind not in (Kind.JUMP, Kind.GOTO):
            w.do(f"br label %s{slots[-1] + last.slots}")

    # ----------------------------------------------------------------------------------------- instructions

    def _insn(self, insn: Insn, facts: Facts) -> None:
        if any(facts.registers[number].status is not Status.SET for number in reads(insn)):
            self._accesses.unless("false", self._leave())
            # What follows in this block is not reached, and has names that it needs.
        _EMITTERS[insn.form.kind](self, insn, facts)

    def register(self, number: int) -> str:
        return "%frame" if number == 10 else self._w.give(f"load i64, ptr %r{number}")

    def set_register(self, number: int, value: str) -> None:
        self._w.do(f"store i64 {value}, ptr %r{number}")

    def _operand(self, insn: Insn) -> str:
        return str(insn.imm) if insn.form.uses_imm else self.register(insn.src)

    def alu(self, insn: Insn, facts: Facts) -> None:
        form = insn.form
        old = "0" if form.op.startswith("mov") else self.register(insn.dst)
        operand = "0" if form.op == "neg" else self._operand(insn)
        self.set_register(insn.dst, alu(self._w, form.op, form.width, old, operand))

    def swap(self, insn: Insn, facts: Facts) -> None:
        self.set_register(insn.dst, swap(self._w, insn.form.op, insn.form.width, self.register(insn.dst)))

    def load(self, insn: Insn, facts: Facts) -> None:
        if facts.registers[insn.src].where is Where.CONTEXT:
            self._load_context(insn)
            return
        value = self._accesses.read(insn, self.register(insn.src), facts.registers[insn.src], facts, self._leave())
        if insn.form.op == "ldxs":
            self.set_register(insn.dst, self._w.give(f"sext i{insn.form.width} {value} to i64"))
        else:
            self.set_register(insn.dst, widened(self._w, value, insn.form.width))

    def _load_context(self, insn: Insn) -> None:
        """A field that native code knows, of the context and not of what looks like it."""
        w = self._w
        known = self._context_values().get(insn.off) if insn.form.width == 32 and insn.form.op == "ldx" else None
        is_context = w.give(f"icmp eq i64 {self.register(insn.src)}, %context")
        self._accesses.unless("false" if known is None else is_context, self._leave())
        if known is not None:
            values = [w.give(f"load i64, ptr %{name}") for name in known]
            self.set_register(insn.dst, values[0] if len(values) == 1 else w.give(f"add i64 {', '.join(values)}"))

    def _context_values(self) -> Mapping[int, tuple[str, ...]]:
        """What is added up to give a field's value, by its offset."""
        context = self._context
        if context is None:
            return {}
        return {context.data: ("packet",), context.data_end: ("packet", "linear"), context.len: ("length",)}

    def store_register(self, insn: Insn, facts: Facts) -> None:
        self._store(insn, facts, self.register(insn.src))

    def store_immediate(self, insn: Insn, facts: Facts) -> None:
        self._store(insn, facts, str(insn.imm & U64))

    def _store(self, insn: Insn, facts: Facts, value: str) -> None:
        pointer, register = self.register(insn.dst), facts.registers[insn.dst]
        if register.where is Where.CONTEXT:
            self._accesses.unless("false", self._leave())
            return
        self._accesses.write(insn, pointer, register, facts, narrowed(self._w, value, insn.form.width), self._leave())

    def atomic(self, insn: Insn, facts: Facts) -> None:
        """One thread at a time runs here: a read, the operation and a write."""
        if insn.form.op == "load_acquire":
            self.load(insn, facts)
            return
        if insn.form.op == "store_release":
            self.store_register(insn, facts)
            return
        w, width, register = self._w, insn.form.width, facts.registers[insn.dst]
        if register.where is Where.CONTEXT:
            self._accesses.unless("false", self._leave())
            return
        place = self._accesses.update(insn, self.register(insn.dst), register, facts, self._leave())
        old = w.give(f"load i{width}, ptr {place}, align 1")
        operand = narrowed(w, self.register(insn.src), width)
        if insn.form.op == "cmpxchg":
            same = w.give(f"icmp eq i{width} {old}, {narrowed(w, self.register(0), width)}")
            w.do(f"store i{width} {w.give(f'select i1 {same}, i{width} {operand}, i{width} {old}')}, ptr {place}, align 1")
            self.set_register(0, widened(w, old, width))
            return
        w.do(f"store i{width} {ATOMICS[insn.form.op.removeprefix('fetch_')](w, old, operand, width)}, ptr {place}, align 1")
        if insn.form.op.startswith("fetch_") or insn.form.op == "xchg":
            self.set_register(insn.src, widened(w, old, width))

    def jump(self, insn: Insn, facts: Facts) -> None:
        taken = test(self._w, insn.form.op, insn.form.width, self.register(insn.dst), self._operand(insn))
        target = jump_target(insn, self._slot)
        self._w.do(f"br i1 {taken}, label %s{target}, label %s{self._slot + 1}")

    def goto(self, insn: Insn, facts: Facts) -> None:
        self._w.do(f"br label %s{jump_target(insn, self._slot)}")

    def call_helper(self, insn: Insn, facts: Facts) -> None:
        """A helper that machine code has; where it does not decide, the reference machine's."""
        w, failed = self._w, self._leave()
        row = HELPERS_BY_ID[insn.imm]
        first = 1
        if row.args[0] is Arg.CTX:
            self._accesses.unless(w.give(f"icmp eq i64 {self.register(1)}, %context"), failed)
            first = 2
        arguments = [f"i64 {self.register(number)}" for number in range(first, FAST_HELPERS[row.name] + 1)]
        done = w.give(f"call i64 @{row.name}({', '.join(['i64 %self', *arguments])})")
        self._accesses.unless(w.give(f"icmp ne i64 {done}, 0"), failed)
        self.set_register(0, load_word(w, Word.RESULT))
        if row.changes_packet:
            self._find_packet()

    def load_constant(self, insn: Insn, facts: Facts) -> None:
        place = self._constants.get(self._slot)
        self.set_register(insn.dst, str(insn.imm) if place is None else load_word(self._w, Word.CONSTANTS + place))


_EMITTERS: Mapping[Kind, Callable[[_Emitter, Insn, Facts], None]] = {
    Kind.ALU: _Emitter.alu,
    Kind.SWAP: _Emitter.swap,
    Kind.LOAD: _Emitter.load,
    Kind.STORE_REG: _Emitter.store_register,
    Kind.STORE_IMM: _Emitter.store_immediate,
    Kind.ATOMIC: _Emitter.atomic,
    Kind.JUMP: _Emitter.jump,
    Kind.GOTO: _Emitter.goto,
    Kind.LOAD_IMM64: _Emitter.load_constant,
    Kind.CALL_HELPER: _Emitter.call_helper,
}
"""The kinds that are not the reference machine's (`code.analyse`)."""
