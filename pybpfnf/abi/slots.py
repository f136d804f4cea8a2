"""Instructions by their slots, in which jumps and calls count: a 64-bit load has two."""

from __future__ import annotations

from collections.abc import Sequence

from pybpfnf.abi.forms import Insn, Kind


def slots_of(insns: Sequence[Insn]) -> dict[int, Insn]:
    """Instructions by their first slot, in order."""
    found = {}
    slot = 0
    for insn in insns:
        found[slot] = insn
        slot += insn.slots
    return found


def target_slot(slot: int, insn: Insn) -> int | None:
    """The slot that a jump, a local call or a function's address at `slot` means, None for other instructions."""
    match insn.form.kind:
        case Kind.JUMP:
            return slot + 1 + insn.off
        case Kind.GOTO:
            return slot + 1 + (insn.off if insn.form.op == "ja" else insn.imm)
        case Kind.CALL_LOCAL:
            return slot + 1 + insn.imm
        case Kind.LOAD_IMM64 if insn.form.op == "ld_func":
            return slot + 1 + (insn.imm ^ 1 << 31) - (1 << 31)  # the low half, signed
        case _:
            return None
