"""Memory of the CPU's own, for what of a function is too large for the stack.

    slot: 0, 1, 2, 3: the first of the map's entries of this CPU whose word `busy` was not set; else a fault
    ...                                       what would be on the stack is in the entry, behind the word
    slot.busy = 0                             before each return

A function can be run again on a CPU on which it runs already: a packet that it sends (bpf_clone_redirect) may come to a route of its
own before that helper comes back; and where BH can be preempted (PREEMPT_RT) by another task, so that the later run need not be the
first to end. So an entry is taken and given back by itself, and no counter says which is next. A tail call would not come back to
give it back: a function with one has no such memory.
"""

from __future__ import annotations

from typing import final

from pybpfnf.abi.helpers import HELPERS
from pybpfnf.backend.building.writer import Writer
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import U32, U64, OctetsType, StructField, StructType
from pybpfnf.image.meta import PREFIX

MOST_RUNS = 4  # at once on one CPU
LEAST_SIZE = 32  # bytes: what is smaller stays on the stack
LARGEST = 32 << 10  # bytes of a value for each CPU (include/linux/percpu.h, PCPU_MIN_UNIT_SIZE)
NONE_LEFT = f"{MOST_RUNS} runs of the function at once on one CPU, for whose large values there is memory"
_BUSY = 8  # bytes
_LOOKUP = HELPERS["map_lookup_elem"]


@final
class Spare:
    """The memory of one function while that is lowered. `none_left`, `never`: labels of the exits for a full map, and for what cannot
    be. To be made first of all: a block of its own begins, so that the entry can have branches."""

    def __init__(self, writer: Writer, none_left: str, never: str) -> None:
        self.size = _BUSY
        self._writer = writer
        self._none_left = none_left
        self._never = never
        self._places: list[tuple[str, int]] = []
        self._zeroed: list[tuple[str, str]] = []
        self._entry = writer.slot("ptr", initial="null")
        self._key = writer.slot("i32")
        writer.before_return = self._give_back
        writer.place(writer.label("begin"))

    def place(self, name: str, size: int) -> str:
        """Memory of that name, aligned to 8 bytes; `size` is a multiple of 8."""
        self._places.append((name, self.size))
        self.size += size
        return f"%{name}"

    def has(self, place: str) -> bool:
        return any(place == f"%{name}" for name, _ in self._places)

    def initialize(self, place: str, type_: str) -> None:
        """The memory is all zeros when the function begins: an entry has what an earlier run left there."""
        self._zeroed.append((place, type_))

    def take(self, map_name: str) -> None:
        """Write the entry, when everything else is written."""
        w = self._writer
        with w.in_entry():
            taken = w.label("taken")
            for run in range(MOST_RUNS):
                w.store("i32", run, self._key)
                entry = w.value(f"call ptr inttoptr (i64 {_LOOKUP.id} to ptr)(ptr @{map_name}, ptr {self._key})")
                w.go_on_unless(w.icmp("eq", "ptr", entry, "null"), self._never)
                busy = w.value(f"atomicrmw xchg ptr {entry}, i64 1 seq_cst")
                w.store("ptr", entry, self._entry)
                w.go_on_unless(w.icmp("eq", "i64", busy, 0), taken)
            w.store("ptr", "null", self._entry)
            w.jump(self._none_left)
            w.place(taken)
            entry = w.load("ptr", self._entry)
            for name, offset in self._places:
                w.do(f"%{name} = getelementptr i8, ptr {entry}, i64 {offset}")
            for place, type_ in self._zeroed:
                w.store(type_, "zeroinitializer", place, 8)

    def _give_back(self) -> None:
        """Where there is an entry: the exit may be that for want of one."""
        w = self._writer
        there, on = w.label("there"), w.label("on")
        entry = w.load("ptr", self._entry)
        w.branch(w.icmp("eq", "ptr", entry, "null"), on, there)
        w.place(there)
        w.do('call void asm sideeffect "", "~{memory}"()')  # what was written before is not written after
        w.store("i64", 0, entry, 8, volatile=True)
        w.place(on)


def spare_name(function: str) -> str:
    """The symbol of a function's map."""
    return f"{PREFIX}_large_{function}"


def spare_map(name: str, size: int) -> ir.Map:
    """The map, whose values have this size."""
    fields = (StructField("busy", 0, U64), StructField("memory", _BUSY, OctetsType(size - _BUSY)))
    return ir.Map(name, "percpu_array", U32, StructType("spare", size, _BUSY, fields), MOST_RUNS)
