"""Memory as LLVM IR: from an address of the program to one of this process, or out to the reference machine where a check fails.

The rules are `vm.memory`'s. Where an address probably points decides which check is made in place; any other goes through a function
that knows the packet, the running function's stack and the regions that were met lately.
"""

from __future__ import annotations

from typing import final

from pybpfnf.abi.forms import Insn
from pybpfnf.vm.memory import STACK_SIZE
from pybpfnf.vm.native.facts import Facts, Register, Where, stack_bits
from pybpfnf.vm.native.layout import REGION_SETS, REGION_WORDS, WRITABLE, Word
from pybpfnf.vm.native.writer import Writer

# What LLVM may take for granted: stores to one of these do not change what loads from another give.
TBAA = """\
!0 = !{!"memory of a run"}
!1 = !{!"stack", !0, i64 0}
!2 = !{!"packet", !0, i64 0}
!3 = !{!"written", !0, i64 0}
!4 = !{!1, !1, i64 0}
!5 = !{!2, !2, i64 0}
!6 = !{!3, !3, i64 0}
"""
_ON_STACK, _IN_PACKET, _OF_WRITTEN = "!tbaa !4", "!tbaa !5", "!tbaa !6"
_ALL_WRITTEN = {size: int.from_bytes(b"\1" * size, "little") for size in (1, 2, 4, 8)}


@final
class Accesses:
    """The accesses of one program. `failed` gives the label to go to where the check of the instruction in hand fails."""

    def __init__(self, w: Writer, *, packet_writable: bool) -> None:
        self._w = w
        self._packet_writable = packet_writable
        self.finders: set[tuple[str, int]] = set()

    def read(self, insn: Insn, pointer: str, register: Register, facts: Facts, failed: str) -> str:
        """The value, of the access's width."""
        place, tag = self._place("read", insn, pointer, register, facts, failed)
        return self._w.give(f"load i{insn.form.width}, ptr {place}, align 1{tag}")

    def write(self, insn: Insn, pointer: str, register: Register, facts: Facts, value: str, failed: str) -> None:
        place, tag = self._place("write", insn, pointer, register, facts, failed)
        self._w.do(f"store i{insn.form.width} {value}, ptr {place}, align 1{tag}")

    def update(self, insn: Insn, pointer: str, register: Register, facts: Facts, failed: str) -> str:
        """A place that may be read and written."""
        place, _ = self._place("read", insn, pointer, register, facts, failed)
        if register.where is Where.STACK:
            return place  # what has been written may be written
        return self._place("write", insn, pointer, register, facts, failed)[0]

    def _place(self, verb: str, insn: Insn, pointer: str, register: Register, facts: Facts, failed: str) -> tuple[str, str]:
        """A pointer, and what LLVM is told of the memory there."""
        size = insn.form.width // 8
        if register.where is Where.STACK:
            return self._on_stack(verb, STACK_SIZE + register.offset + insn.off, size, facts, failed), f", {_ON_STACK}"
        address = self._w.give(f"add i64 {pointer}, {insn.off}") if insn.off else pointer
        if register.where is Where.PACKET:
            return self._in_packet(verb, address, size, failed), f", {_IN_PACKET}"
        self.finders.add((verb, size))
        found = self._w.give(f"call i64 @{verb}{size}(ptr %state, i64 {address})")
        self.unless(self._w.give(f"icmp ne i64 {found}, 0"), failed)
        return self._w.give(f"inttoptr i64 {found} to ptr"), ""

    def _on_stack(self, verb: str, start: int, size: int, facts: Facts, failed: str) -> str:
        w = self._w
        if start < 0 or start + size > STACK_SIZE:
            self.unless("false", failed)
            return "%stack"
        bits = stack_bits(start, size)
        if facts.written & bits != bits:
            marks = w.give(f"getelementptr i8, ptr %written, i64 {start}")
            if verb == "write":
                w.do(f"store i{size * 8} {_ALL_WRITTEN[size]}, ptr {marks}, align 1, {_OF_WRITTEN}")
            else:
                seen = w.give(f"load i{size * 8}, ptr {marks}, align 1, {_OF_WRITTEN}")
                self.unless(w.give(f"icmp eq i{size * 8} {seen}, {_ALL_WRITTEN[size]}"), failed)
        return w.give(f"getelementptr i8, ptr %stack, i64 {start}")

    def _in_packet(self, verb: str, address: str, size: int, failed: str) -> str:
        w = self._w
        if verb == "write" and not self._packet_writable:
            self.unless("false", failed)
            return "%stack"  # not reached
        offset = w.give(f"sub i64 {address}, {w.give('load i64, ptr %packet')}")
        room = w.give(f"load i64, ptr %room{size}")
        self.unless(w.give(f"icmp ult i64 {offset}, {room}"), failed)
        return w.give(f"getelementptr i8, ptr {w.give('load ptr, ptr %bytes')}, i64 {offset}")

    def unless(self, condition: str, failed: str) -> None:
        label = self._w.label()
        self._w.do(f"br i1 {condition}, label %{label}, label %{failed}, !prof !7")
        self._w.begin(label)


def finders(wanted: set[tuple[str, int]], *, packet_writable: bool) -> str:
    """`i64 @read4(state, address)` and its like: the address in this process of memory that may be accessed so, else 0."""
    texts = []
    for verb, size in sorted(wanted):
        w = Writer()
        _finder(w, verb, size, packet_writable)
        texts.append("\n".join((f"define internal i64 @{verb}{size}(ptr %state, i64 %address) noinline {{", *w.lines, "}")))
    return "\n".join(texts)


def load_word(w: Writer, word: int) -> str:
    place = w.give(f"getelementptr i64, ptr %state, i64 {word}")
    return w.give(f"load i64, ptr {place}")


def _finder(w: Writer, verb: str, size: int, packet_writable: bool) -> None:
    w.begin("region")
    _in_region(w, verb, size)
    w.begin("other")
    number = w.give("lshr i64 %address, 32")
    w.do(f"store i64 {number}, ptr {w.give(f'getelementptr i64, ptr %state, i64 {Word.MISSED}')}")
    frame = w.give(f"sub i64 {load_word(w, 10)}, {STACK_SIZE}")
    offset = w.give(f"sub i64 %address, {frame}")
    w.do(f"br i1 {w.give(f'icmp ult i64 {offset}, {STACK_SIZE + 1 - size}')}, label %stack, label %elsewhere")
    w.begin("stack")
    _marked(w, verb, size, load_word(w, Word.STACK_BYTES), load_word(w, Word.STACK_WRITTEN), offset)
    w.begin("elsewhere")
    if verb == "read" or packet_writable:
        start = w.give(f"sub i64 %address, {load_word(w, Word.PACKET)}")
        room = w.give(f"call i64 @llvm.usub.sat.i64(i64 {load_word(w, Word.LENGTH)}, i64 {size - 1})")
        inside = w.give(f"icmp ult i64 {start}, {room}")
        found = w.give(f"add i64 {load_word(w, Word.PACKET_BYTES)}, {start}")
        w.do(f"ret i64 {w.give(f'select i1 {inside}, i64 {found}, i64 0')}")
    else:
        w.do("ret i64 0")


def _in_region(w: Writer, verb: str, size: int) -> None:
    number = w.give("lshr i64 %address, 32")
    index = w.give(f"and i64 {w.give(f'lshr i64 {number}, 1')}, {REGION_SETS - 1}")
    entry = w.give(f"mul i64 {index}, {REGION_WORDS}")
    table = w.give(f"inttoptr i64 {load_word(w, Word.REGIONS)} to ptr")

    def word(place: int) -> str:
        at = w.give(f"add i64 {entry}, {place}")
        return w.give(f"load i64, ptr {w.give(f'getelementptr i64, ptr {table}, i64 {at}')}")

    w.do(f"br i1 {w.give(f'icmp eq i64 {word(0)}, {number}')}, label %known, label %other")
    w.begin("known")
    rights = word(2)
    room = w.give(f"call i64 @llvm.usub.sat.i64(i64 {w.give(f'and i64 {rights}, {WRITABLE - 1}')}, i64 {size - 1})")
    offset = w.give(f"and i64 %address, {(1 << 32) - 1}")
    allowed = w.give(f"icmp ult i64 {offset}, {room}")
    if verb == "write":
        writable = w.give(f"icmp ne i64 {w.give(f'and i64 {rights}, {WRITABLE}')}, 0")
        allowed = w.give(f"and i1 {allowed}, {writable}")
    w.do(f"br i1 {allowed}, label %allowed, label %refused")
    w.begin("allowed")
    start, marks = word(1), word(3)
    w.do(f"br i1 {w.give(f'icmp eq i64 {marks}, 0')}, label %plain, label %marked")
    w.begin("plain")
    w.do(f"ret i64 {w.give(f'add i64 {start}, {offset}')}")
    w.begin("marked")
    _marked(w, verb, size, start, marks, offset)
    w.begin("refused")
    w.do("ret i64 0")


def _marked(w: Writer, verb: str, size: int, start: str, marks: str, offset: str) -> None:
    """End with the place in a stack, whose marks say what has been written."""
    place = w.give(f"inttoptr i64 {w.give(f'add i64 {marks}, {offset}')} to ptr")
    found = w.give(f"add i64 {start}, {offset}")
    if verb == "write":
        w.do(f"store i{size * 8} {_ALL_WRITTEN[size]}, ptr {place}, align 1")
        w.do(f"ret i64 {found}")
    else:
        seen = w.give(f"load i{size * 8}, ptr {place}, align 1")
        written = w.give(f"icmp eq i{size * 8} {seen}, {_ALL_WRITTEN[size]}")
        w.do(f"ret i64 {w.give(f'select i1 {written}, i64 {found}, i64 0')}")
