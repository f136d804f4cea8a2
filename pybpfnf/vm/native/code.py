"""A program as the compiler sees it: instructions by slot, the ways between them, and which of them it leaves to the reference machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import final

from pybpfnf.abi.forms import Insn, Kind, jump_target
from pybpfnf.abi.slots import slots_of
from pybpfnf.records import dataclass
from pybpfnf.vm.alu import signed
from pybpfnf.vm.steps import NEVER_WRITES_DST

# What changes call frames, or belongs to the emulated kernel.
_STEPPED = frozenset({Kind.CALL_HELPER, Kind.CALL_LOCAL, Kind.CALL_KFUNC, Kind.CALL_REG, Kind.EXIT, Kind.PACKET_LOAD})


@final
@dataclass(frozen=True, slots=True)
class Code:
    """`insns`: what can be reached, by slot. `stepped`: the slots that the reference machine executes. `functions`: where functions begin.
    `entries`: where native code can be entered: at functions, after stepped instructions and helpers, and at the heads of loops."""

    insns: Mapping[int, Insn]
    stepped: frozenset[int]
    functions: frozenset[int]
    entries: frozenset[int]

    def following(self, slot: int) -> tuple[int, ...]:
        """Where control may go from a slot within its function."""
        return _following(self.insns[slot], slot)


def analyse(insns: Sequence[Insn], starts: Iterable[int], unresolved: frozenset[int], fast_helpers: frozenset[int]) -> Code:
    """`starts`: slots at which other programs begin. `unresolved`: slots of 64-bit loads whose value cannot be had. `fast_helpers`:
    numbers of those that native code has, for most calls."""
    by_slot = slots_of(insns)
    targets = {target for slot, insn in by_slot.items() if (target := function_target(insn, slot)) in by_slot}
    functions = frozenset({0, *starts, *targets}) & by_slot.keys()
    reached = _reached(by_slot, functions)
    helped = frozenset(slot for slot, insn in reached.items() if insn.form.kind is Kind.CALL_HELPER and insn.imm in fast_helpers)
    stepped = frozenset(slot for slot, insn in reached.items() if slot in unresolved or _is_stepped(insn, slot, by_slot)) - helped
    after = {slot + reached[slot].slots for slot in stepped | helped}
    heads = {to for slot, insn in reached.items() for to in _following(insn, slot) if to <= slot}
    return Code(reached, stepped, functions, frozenset((functions | after | heads) & reached.keys()) - stepped)


def function_target(insn: Insn, slot: int) -> int | None:
    """The slot of the function that an instruction calls, or takes the address of."""
    if insn.form.kind is Kind.CALL_LOCAL:
        return slot + 1 + insn.imm
    if insn.form.name == "ld_func":
        return slot + 1 + signed(insn.imm, 32)
    return None


def _following(insn: Insn, slot: int) -> tuple[int, ...]:
    if insn.form.kind is Kind.EXIT:
        return ()
    target = jump_target(insn, slot)
    if insn.form.kind is Kind.GOTO:
        assert target is not None
        return (target,)
    ahead = slot + insn.slots
    return (ahead,) if target is None else (ahead, target)


def _reached(by_slot: Mapping[int, Insn], functions: frozenset[int]) -> dict[int, Insn]:
    """In the order of their slots."""
    found: set[int] = set()
    waiting = sorted(functions)
    while waiting:
        slot = waiting.pop()
        if slot in found or slot not in by_slot:
            continue
        found.add(slot)
        waiting += _following(by_slot[slot], slot)
    return {slot: by_slot[slot] for slot in sorted(found)}


def _is_stepped(insn: Insn, slot: int, by_slot: Mapping[int, Insn]) -> bool:
    if insn.form.kind in _STEPPED or (insn.dst == 10 and insn.form.kind not in NEVER_WRITES_DST):
        return True
    target = jump_target(insn, slot)
    return target is not None and not 0 <= target <= max(by_slot) + by_slot[max(by_slot)].slots - 1
