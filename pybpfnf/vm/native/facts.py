"""What is known of registers and stack before each instruction, whatever way led there: a forward analysis to a fixed point.

Only `Register.status` must be right, and is: it decides what a read of a register means. The rest says which check an access begins with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import Enum
from typing import Any, TypeAlias, final

from pybpfnf.abi.forms import Insn, Kind
from pybpfnf.abi.helpers import HELPERS_BY_ID, Arg
from pybpfnf.records import dataclass
from pybpfnf.vm.alu import U32
from pybpfnf.vm.faults import AFTER_CALL, NO_RESULT, UNWRITTEN
from pybpfnf.vm.memory import STACK_SIZE
from pybpfnf.vm.native.code import Code, function_target


class Status(Enum):
    SET = "set"
    UNWRITTEN = "unwritten"
    AFTER_CALL = "after a call"
    NO_RESULT = "no result"
    MIXED = "it depends on the way"


class Where(Enum):
    """What an address, if it is one, probably points into."""

    UNKNOWN = "unknown"
    CONTEXT = "context"
    PACKET = "packet"
    STACK = "stack"  # at `Register.offset` from r10, for sure
    REGION = "region"  # a map's value


@final
@dataclass(frozen=True, slots=True)
class Register:
    status: Status
    where: Where = Where.UNKNOWN
    offset: int = 0


@final
@dataclass(frozen=True, slots=True)
class Facts:
    """`written`: a bit for each byte of the running function's stack, from r10-512 on, that has surely been written."""

    registers: tuple[Register, ...]
    written: int = 0

    def with_register(self, number: int, register: Register) -> Facts:
        return replace(self, registers=(*self.registers[:number], register, *self.registers[number + 1 :]))


_UNSET: Mapping[Status, tuple[Any, ...]] = {
    Status.UNWRITTEN: UNWRITTEN,
    Status.AFTER_CALL: (UNWRITTEN[0], *AFTER_CALL, *UNWRITTEN[6:]),
    Status.NO_RESULT: (NO_RESULT, *UNWRITTEN[1:]),
    # Nothing reads it any more: `undecided` has seen to that.
    Status.MIXED: UNWRITTEN,
}
_SET = Register(Status.SET)
_FRAME = Register(Status.SET, Where.STACK, 0)
_AFTER_CALL = Register(Status.AFTER_CALL)
_UNWRITTEN = Register(Status.UNWRITTEN)
Table: TypeAlias = dict[int, Facts]
Live: TypeAlias = Mapping[int, frozenset[int]]


def unset_registers(facts: Facts) -> tuple[tuple[int, Any], ...]:
    """What the registers without a value hold in the reference machine, by their numbers."""
    return tuple(
        (number, _UNSET[register.status][number]) for number, register in enumerate(facts.registers) if register.status is not Status.SET
    )


def find_facts(code: Code, live: Live, context_functions: frozenset[int], data_fields: frozenset[int]) -> Table:
    """`context_functions`: functions that get the context in r1. `data_fields`: offsets of the context's fields that are
    packet pointers."""
    table: Table = {slot: _at_function(live[slot], slot in context_functions) for slot in code.functions}
    waiting = sorted(table)
    while waiting:
        slot = waiting.pop()
        for to, facts in _flow(code, slot, table[slot], data_fields):
            if to not in code.insns:
                continue
            merged = facts if to not in table else _merge(table[to], facts)
            if to not in table or merged != table[to]:
                table[to] = merged
                waiting.append(to)
    return table


def _at_function(live: frozenset[int], has_context: bool) -> Facts:
    """The arguments that it reads are set: native code is entered with values in all registers that are read from there on."""
    first = Register(Status.SET, Where.CONTEXT) if has_context else _SET
    arguments = tuple((first if number == 1 else _SET) if number in live else _UNWRITTEN for number in range(1, 6))
    return Facts((_UNWRITTEN, *arguments, *(_UNWRITTEN,) * 4, _FRAME))


def _flow(code: Code, slot: int, facts: Facts, data_fields: frozenset[int]) -> Iterator[tuple[int, Facts]]:
    after = _effect(code.insns[slot], facts, data_fields)
    return ((to, after) for to in code.following(slot))


def _effect(insn: Insn, facts: Facts, data_fields: frozenset[int]) -> Facts:
    kind = insn.form.kind
    if kind in (Kind.CALL_HELPER, Kind.CALL_LOCAL, Kind.CALL_KFUNC, Kind.CALL_REG):
        return replace(facts, registers=(_result(insn), *(_AFTER_CALL,) * 5, *facts.registers[6:]))
    if kind in (Kind.STORE_REG, Kind.STORE_IMM) or insn.form.op == "store_release":
        return replace(facts, written=facts.written | _bytes(facts.registers[insn.dst], insn))
    if kind is Kind.ATOMIC and insn.form.op != "load_acquire":
        if insn.form.op == "cmpxchg":
            return facts.with_register(0, _SET)
        return facts.with_register(insn.src, _SET) if insn.form.op.startswith("fetch_") or insn.form.op == "xchg" else facts
    if kind in (Kind.JUMP, Kind.GOTO, Kind.EXIT):
        return facts
    return facts if insn.dst == 10 else facts.with_register(insn.dst, _value(insn, facts.registers, data_fields))


def _result(insn: Insn) -> Register:
    helper = HELPERS_BY_ID.get(insn.imm & U32) if insn.form.kind is Kind.CALL_HELPER else None
    if helper is None:
        return _SET  # or the call faults, or nothing reads it: native code is entered again after the call
    if helper.ret is Arg.VOID:
        return Register(Status.NO_RESULT)
    return Register(Status.SET, Where.REGION if helper.ret is Arg.MAP_VALUE_OR_NULL else Where.UNKNOWN)


def _value(insn: Insn, registers: tuple[Register, ...], data_fields: frozenset[int]) -> Register:
    """What an instruction leaves in its destination."""
    form, dst = insn.form, registers[insn.dst]
    if form.kind in (Kind.LOAD, Kind.ATOMIC):
        is_data = registers[insn.src].where is Where.CONTEXT and form.width == 32 and insn.off in data_fields
        return Register(Status.SET, Where.PACKET) if is_data else _SET
    if form.kind is Kind.LOAD_IMM64:
        return Register(Status.SET, Where.REGION) if "value" in form.op else _SET
    if form.kind is not Kind.ALU or form.width != 64:
        return _SET
    if form.op == "mov":
        return _SET if form.uses_imm else replace(registers[insn.src], status=Status.SET)
    if form.op in ("add", "sub") and dst.where is Where.STACK:
        return Register(Status.SET, Where.STACK, dst.offset + (insn.imm if form.op == "add" else -insn.imm)) if form.uses_imm else _SET
    if form.op == "add" and not form.uses_imm and dst.where is Where.UNKNOWN:
        source = registers[insn.src]
        return _SET if source.where is Where.STACK else replace(source, status=Status.SET)
    return Register(Status.SET, dst.where) if form.op in ("add", "sub") else _SET


def _bytes(register: Register, insn: Insn) -> int:
    """The bits of the stack's bytes that a store writes, where it is known to go there."""
    start, size = STACK_SIZE + register.offset + insn.off, insn.form.width // 8
    if register.where is not Where.STACK or start < 0 or start + size > STACK_SIZE:
        return 0
    return stack_bits(start, size)


def stack_bits(start: int, size: int) -> int:
    return ((1 << size) - 1) << start


def _merge(one: Facts, other: Facts) -> Facts:
    pairs = zip(one.registers, other.registers, strict=True)
    return Facts(tuple(a if a == b else _merge_registers(a, b) for a, b in pairs), one.written & other.written)


def _merge_registers(one: Register, other: Register) -> Register:
    if one.status is not other.status:
        return Register(Status.MIXED)
    if one.where is other.where and one.where is not Where.STACK:
        return replace(one, offset=0)
    return Register(one.status)


# ------------------------------------------------------------------------------------------------------ who reads what


def undecided(table: Table, live: Live) -> list[int]:
    """The slots after which a register is read that has a value on one way there and none on another."""
    return [
        slot
        for slot, facts in table.items()
        if any(register.status is Status.MIXED and number in live[slot] for number, register in enumerate(facts.registers))
    ]


def live_registers(code: Code) -> Live:
    """The registers that may be read from each slot on before they are written."""
    live: dict[int, frozenset[int]] = dict.fromkeys(code.insns, frozenset())
    changed = True
    while changed:
        changed = False
        for slot in reversed(tuple(code.insns)):
            after: frozenset[int] = frozenset().union(*(live.get(to, frozenset()) for to in code.following(slot)))
            before = (after - writes(code.insns[slot])) | _reads(code, slot, live)
            if before != live[slot]:
                live[slot], changed = before, True
    return live


_ARGUMENTS = frozenset(range(1, 6))


def _reads(code: Code, slot: int, live: Live) -> frozenset[int]:
    insn = code.insns[slot]
    if insn.form.kind is Kind.CALL_LOCAL:
        return live.get(function_target(insn, slot) or 0, frozenset()) & _ARGUMENTS
    return reads(insn)


def reads(insn: Insn) -> frozenset[int]:
    """The registers whose values an instruction needs; of calls, those that its callee may need."""
    form = insn.form
    match form.kind:
        case Kind.ALU if form.op.startswith("mov"):
            return frozenset() if form.uses_imm else frozenset({insn.src})
        case Kind.ALU if form.op == "neg" or form.uses_imm:
            return frozenset({insn.dst})
        case Kind.ALU | Kind.STORE_REG:
            return frozenset({insn.dst, insn.src})
        case Kind.SWAP | Kind.STORE_IMM:
            return frozenset({insn.dst})
        case Kind.LOAD:
            return frozenset({insn.src})
        case Kind.ATOMIC if form.op == "load_acquire":
            return frozenset({insn.src})
        case Kind.ATOMIC:
            return frozenset({insn.dst, insn.src, 0} if form.op == "cmpxchg" else {insn.dst, insn.src})
        case Kind.JUMP:
            return frozenset({insn.dst} if form.uses_imm else {insn.dst, insn.src})
        case Kind.CALL_HELPER:
            helper = HELPERS_BY_ID.get(insn.imm & U32)
            return _ARGUMENTS if helper is None else frozenset(range(1, 1 + min(5, len(helper.args) + helper.variadic)))
        case Kind.CALL_REG:
            return _ARGUMENTS | {insn.dst}
        case Kind.CALL_KFUNC | Kind.CALL_LOCAL:
            return _ARGUMENTS
        case Kind.EXIT:
            return frozenset({0})
        case _:
            return frozenset()


def writes(insn: Insn) -> frozenset[int]:
    """The registers that an instruction gives a new value, or none."""
    form = insn.form
    match form.kind:
        case Kind.ALU | Kind.SWAP | Kind.LOAD | Kind.LOAD_IMM64:
            return frozenset({insn.dst})
        case Kind.ATOMIC if form.op == "load_acquire":
            return frozenset({insn.dst})
        case Kind.ATOMIC if form.op == "cmpxchg":
            return frozenset({0})
        case Kind.ATOMIC if form.op.startswith("fetch_") or form.op == "xchg":
            return frozenset({insn.src})
        case Kind.CALL_HELPER | Kind.CALL_LOCAL | Kind.CALL_KFUNC | Kind.CALL_REG:
            return frozenset(range(6))
        case _:
            return frozenset()
