"""Where instructions go, and which registers point at the context or into a map's data on every way there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias, final

from pybpfnf.abi.forms import Insn, Kind
from pybpfnf.abi.slots import slots_of, target_slot
from pybpfnf.records import dataclass

_SCRATCH = frozenset(range(6))  # r0 to r5 are not kept over a call


@final
@dataclass(frozen=True, slots=True)
class Pointer:
    """An address: `offset` bytes into the value of the map named `map`, or into the context where `map` is None."""

    map: str | None
    offset: int


Pointers: TypeAlias = Mapping[int, Pointer]  # by register


def pointers_before(insns: Sequence[Insn]) -> Mapping[int, Pointers]:
    """By slot, what registers surely hold before the instruction there. Copies on the stack are not followed.

    The program starts with the context in r1; of a subprogram's arguments nothing is known.
    """
    numbered = slots_of(insns)
    entries = [target_slot(slot, insn) for slot, insn in numbered.items() if insn.form.op in ("call_local", "ld_func")]
    before: dict[int, Pointers] = {slot: {} for slot in entries if slot is not None}
    before[0] = {1: Pointer(None, 0)}
    waiting = list(before)
    while waiting:
        slot = waiting.pop()
        insn = numbered.get(slot)
        if insn is None:
            continue
        after = _after(insn, before[slot])
        for successor in _successors(slot, insn):
            known = before.get(successor)
            joined = after if known is None else dict(known.items() & after.items())
            if joined != known:
                before[successor] = joined
                waiting.append(successor)
    return before


def _successors(slot: int, insn: Insn) -> tuple[int, ...]:
    following, target = slot + insn.slots, target_slot(slot, insn)
    match insn.form.kind:
        case Kind.EXIT:
            return ()
        case Kind.GOTO if target is not None:
            return (target,)
        case Kind.JUMP if target is not None:
            return (following, target)
        case _:
            return (following,)


def _after(insn: Insn, held: Pointers) -> Pointers:
    kept = {register: pointer for register, pointer in held.items() if register not in _overwritten(insn)}
    found = _result(insn, held)
    return kept if found is None else kept | {insn.dst: found}


def _overwritten(insn: Insn) -> frozenset[int]:
    match insn.form.kind:
        case Kind.CALL_HELPER | Kind.CALL_LOCAL | Kind.CALL_KFUNC | Kind.CALL_REG | Kind.PACKET_LOAD:
            return _SCRATCH
        case Kind.ALU | Kind.SWAP | Kind.LOAD | Kind.LOAD_IMM64:
            return frozenset({insn.dst})
        case Kind.ATOMIC:
            # A fetch writes its source register, a compare-and-exchange r0, a load-acquire its destination.
            return frozenset({0, insn.src, insn.dst}) if insn.form.op == "load_acquire" else frozenset({0, insn.src})
        case _:
            return frozenset()


def _result(insn: Insn, held: Pointers) -> Pointer | None:
    """The pointer that the instruction leaves in its destination register, where it surely does."""
    match insn.form.name:
        case "mov64_reg":
            return held.get(insn.src)
        case "add64_imm" if insn.dst in held:
            pointer = held[insn.dst]
            return Pointer(pointer.map, pointer.offset + insn.imm)
        case "ld_map_value" if insn.ref is not None:
            return Pointer(insn.ref, insn.imm >> 32)
        case _:
            return None
