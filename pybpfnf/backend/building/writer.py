"""The text of one LLVM function: blocks, values, stack slots, each instruction with its place in the source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import final


@final
class Writer:
    """Instructions go to the end of the current block. `location` is the metadata node of the source place that they stand for."""

    def __init__(self, location: str) -> None:
        self.location = location
        self.block = "entry"
        self.terminated = False
        self.before_return: Callable[[], None] = _nothing
        self._entry: list[str] = []
        self._slots = 0
        self._lines: list[str] = []
        self._values = 0
        self._labels = 0

    @contextmanager
    def in_entry(self) -> Iterator[None]:
        """Instructions within go to the end of the entry block."""
        lines, terminated = self._lines, self.terminated
        self._lines, self.terminated = self._entry, False
        yield
        self._lines, self.terminated = lines, terminated

    @contextmanager
    def at(self, location: str) -> Iterator[None]:
        """Instructions within stand for another place."""
        before, self.location = self.location, location
        yield
        self.location = before

    # ------------------------------------------------------------------------------------------------ instructions

    def value(self, text: str) -> str:
        """An instruction that has a result; gives its name."""
        self._values += 1
        name = f"%v{self._values}"
        self.do(f"{name} = {text}")
        return name

    def op(self, operation: str, type_: str, left: str | int, right: str | int) -> str:
        return self.value(f"{operation} {type_} {left}, {right}")

    def icmp(self, predicate: str, type_: str, left: str | int, right: str | int) -> str:
        return self.op(f"icmp {predicate}", type_, left, right)

    def cast(self, operation: str, from_: str, value: str, to: str) -> str:
        return self.value(f"{operation} {from_} {value} to {to}")

    def select(self, condition: str, type_: str, yes: str | int, no: str | int) -> str:
        return self.value(f"select i1 {condition}, {type_} {yes}, {type_} {no}")

    def barrier(self, type_: str, value: str | int) -> str:
        """The value, of which LLVM then knows nothing, in a place that it does not duplicate; no instruction, or one move."""
        return self.value(f'call {type_} asm sideeffect "", "=r,0"({type_} {value}) noduplicate')

    def keep_apart(self) -> None:
        """What was just emitted is not merged with its like on another branch: LLVM would choose between two pointers, and access
        memory once. The verifier takes no instruction that is the context's on one path and other memory's on another
        ("same insn cannot be used with different pointers")."""
        self.do('call void asm sideeffect "", ""()')

    def negate(self, condition: str) -> str:
        return self.op("xor", "i1", condition, "true")

    def load(self, type_: str, pointer: str, align: int | None = None, *, volatile: bool = False) -> str:
        return self.value(f"load {'volatile ' if volatile else ''}{type_}, ptr {pointer}{_aligned(align)}")

    def store(self, type_: str, value: str | int, pointer: str, align: int | None = None, *, volatile: bool = False) -> None:
        self.do(f"store {'volatile ' if volatile else ''}{type_} {value}, ptr {pointer}{_aligned(align)}")

    def do(self, text: str) -> None:
        if self.terminated:
            self.place(self.label("dead"))  # after a fault that always happens: LLVM removes it
        self._lines.append(f"  {text}, !dbg {self.location}")

    def phi(self, type_: str, *arms: tuple[str, str]) -> str:
        """`arms` are (value, label of the block it comes from)."""
        return self.value(f"phi {type_} {', '.join(f'[ {value}, %{label} ]' for value, label in arms)}")

    def slot(self, type_: str, *, initial: str | None = None) -> str:
        """Room on the stack for the whole function, with this value when it begins; what LLVM can, it keeps in registers."""
        name = f"%s{self._slots}"
        self._slots += 1
        self._entry.append(f"  {name} = alloca {type_}")
        if initial is not None:
            self._entry.append(f"  store {type_} {initial}, ptr {name}")
        return name

    def initialize(self, slot: str, type_: str) -> None:
        """The slot is all zeros when the function begins."""
        self._entry.append(f"  store {type_} zeroinitializer, ptr {slot}")

    def buffer(self, name: str, size: int) -> str:
        """Memory of that name for the whole function, aligned to 8 bytes."""
        self._entry.append(f"  %{name} = alloca [{size} x i8], align 8")
        return f"%{name}"

    def offset(self, pointer: str, offset: int | str) -> str:
        """The pointer moved by bytes: a number, or the name of an i64."""
        return pointer if offset == 0 else self.value(f"getelementptr i8, ptr {pointer}, i64 {offset}")

    # ------------------------------------------------------------------------------------------------------ blocks

    def label(self, hint: str) -> str:
        """A new label; `place` begins its block."""
        self._labels += 1
        return f"{hint}.{self._labels}"

    def place(self, label: str) -> None:
        """Begin a block; the current one goes on to it if it has no end yet."""
        if not self.terminated:
            self.jump(label)
        self._lines.append(f"{label}:")
        self.block, self.terminated = label, False

    def jump(self, label: str, suffix: str = "") -> None:
        self.do(f"br label %{label}{suffix}")
        self.terminated = True

    def branch(self, condition: str, yes: str, no: str, suffix: str = "") -> None:
        # The back end never turns a condition round: what comes more often is better `no`, which falls through.
        self.do(f"br i1 {condition}, label %{yes}, label %{no}{suffix}")
        self.terminated = True

    def go_on_unless(self, condition: str, elsewhere: str) -> None:
        """Leave for another block when the condition holds; else go on in a new one."""
        on = self.label("on")
        self.branch(condition, elsewhere, on)
        self.place(on)

    def ret(self, value: str) -> None:
        self.before_return()
        self.do(f"ret {value}")
        self.terminated = True

    def lines(self) -> Iterable[str]:
        """The body: the stack slots first, in the entry block."""
        return ["entry:", *self._entry, *self._lines]


def _nothing() -> None:
    """What is done before a return where nothing is to be done."""


def _aligned(align: int | None) -> str:
    return "" if align is None else f", align {align}"
