"""Instructions to steps: each becomes, once, a function of the registers that gives the slot to go on with.

    (add64_imm r1, 4) at slot 7      becomes      registers[1] = (registers[1] + 4) & U64; return 8

One builder a kind of instruction. What cannot be executed becomes a step that faults, so that it matters only if it is reached.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pybpfnf.abi.forms import FORMS, Insn, Kind
from pybpfnf.runner import FaultKind
from pybpfnf.vm import call_steps
from pybpfnf.vm.alu import ALU, ATOMICS, SWAPS, TESTS, U64, signed
from pybpfnf.vm.arguments import Subprogram
from pybpfnf.vm.host import Host
from pybpfnf.vm.maps import ArrayMap
from pybpfnf.vm.memory import OFFSET, UNSIGNED, Handle, OutOfBounds
from pybpfnf.vm.steps import NEVER_WRITES_DST, Calls, Registers, Step, faulting
from pybpfnf.vm.written_out import COMPUTED, JUMPS


def decode_steps(insns: Sequence[Insn], calls: Calls) -> list[Step]:
    """A step for each slot, and one after the last for a program that runs off its end."""
    steps: list[Step] = []
    for insn in insns:
        steps.append(_build(insn, len(steps), calls))
        if insn.form.kind is _TWO_SLOTS:
            steps.append(faulting(FaultKind.INSTRUCTION, "a jump into the middle of a 64-bit load"))
    steps.append(faulting(FaultKind.INSTRUCTION, "the program runs past its last instruction"))
    _check_targets(insns, steps)
    return steps


def _build(insn: Insn, slot: int, calls: Calls) -> Step:
    if insn.dst == 10 and insn.form.kind not in NEVER_WRITES_DST:
        return faulting(FaultKind.INSTRUCTION, "r10 is the frame pointer and cannot be written")
    return _BUILDER_OF[insn.form.name](insn, slot, calls)


def _check_targets(insns: Sequence[Insn], steps: list[Step]) -> None:
    """Jumps and calls that leave the program fault where they are."""
    slot, end = 0, len(steps) - 1
    for insn in insns:
        kind = insn.form.kind
        if kind is _JUMPS or kind is _GOTOS or kind is _CALLS:
            target = slot + 1 + (insn.off if kind is _JUMPS or insn.form.name == "ja" else insn.imm)
            if not 0 <= target < end:
                steps[slot] = faulting(FaultKind.INSTRUCTION, f"a jump to slot {target}, outside the program")
        slot += 2 if kind is _TWO_SLOTS else 1


# By names of their own: an enumeration's members are slow to get, and these are asked for each instruction.
_JUMPS, _GOTOS, _CALLS, _TWO_SLOTS = Kind.JUMP, Kind.GOTO, Kind.CALL_LOCAL, Kind.LOAD_IMM64


# ------------------------------------------------------------------------------------------------- computation


def _alu(insn: Insn, slot: int, calls: Calls) -> Step:
    operation = ALU[insn.form.op, insn.form.width]
    dst, src, following = insn.dst, insn.src, slot + 1
    immediate = insn.imm & U64
    written_out = COMPUTED.get(insn.form.name)
    if written_out is not None:
        return written_out(dst, immediate if insn.form.uses_imm else src, following)
    if insn.form.op.startswith("mov"):
        # The old dst does not matter, and may be unset.
        if insn.form.uses_imm:
            constant = operation(0, immediate)

            def move_immediate(registers: Registers) -> int:
                registers[dst] = constant
                return following

            return move_immediate

        def move_register(registers: Registers) -> int:
            registers[dst] = operation(0, registers[src])
            return following

        return move_register
    if insn.form.uses_imm:

        def with_immediate(registers: Registers) -> int:
            registers[dst] = operation(registers[dst], immediate)
            return following

        return with_immediate
    if insn.form.op == "neg":
        src = dst  # it has one operand

    def with_register(registers: Registers) -> int:
        registers[dst] = operation(registers[dst], registers[src])
        return following

    return with_register


def _swap(insn: Insn, slot: int, calls: Calls) -> Step:
    operation, width, dst, following = SWAPS[insn.form.op], insn.form.width, insn.dst, slot + 1

    def step(registers: Registers) -> int:
        registers[dst] = operation(registers[dst], width)
        return following

    return step


# ------------------------------------------------------------------------------------------------------ memory


def _load(insn: Insn, slot: int, calls: Calls) -> Step:
    memory, size = calls.host.memory, insn.form.width // 8
    dst, src, off, following = insn.dst, insn.src, insn.off, slot + 1
    if insn.form.op == "ldxs":
        width = insn.form.width

        def signed_step(registers: Registers) -> int:
            registers[dst] = signed(memory.load(registers[src] + off, size), width) & U64
            return following

        return signed_step

    regions, bad_address, unpack = memory.regions, memory.bad_address, UNSIGNED[size].unpack_from

    def step(registers: Registers) -> int:  # memory.load and Region.load, without the calls
        address = registers[src] + off
        region = regions.get(address >> 32)
        if region is None:
            bad_address("read", address, size)
        if region.plain:
            try:
                (registers[dst],) = unpack(region.data, address & OFFSET)
            except OutOfBounds:
                pass  # and the region says so
            else:
                return following
        registers[dst] = region.load(address & OFFSET, size)
        return following

    return step


def _store_register(insn: Insn, slot: int, calls: Calls) -> Step:
    memory, size, mask = calls.host.memory, insn.form.width // 8, (1 << insn.form.width) - 1
    dst, src, off, following = insn.dst, insn.src, insn.off, slot + 1
    regions, bad_address, pack = memory.regions, memory.bad_address, UNSIGNED[size].pack_into

    def step(registers: Registers) -> int:  # memory.store and Region.store, without the calls
        address = registers[dst] + off
        region = regions.get(address >> 32)
        if region is None:
            bad_address("write", address, size)
        value = registers[src] & mask
        if region.plain and region.writable:
            try:
                pack(region.data, address & OFFSET, value)
            except OutOfBounds:
                pass  # and the region says so
            else:
                return following
        region.store(address & OFFSET, size, value)
        return following

    return step


def _store_immediate(insn: Insn, slot: int, calls: Calls) -> Step:
    store, size, value = calls.host.memory.store, insn.form.width // 8, insn.imm & ((1 << insn.form.width) - 1)
    dst, off, following = insn.dst, insn.off, slot + 1

    def step(registers: Registers) -> int:
        store(registers[dst] + off, size, value)
        return following

    return step


def _atomic(insn: Insn, slot: int, calls: Calls) -> Step:
    """One thread at a time runs here, so what remains of atomicity is the read, the operation and the write."""
    if insn.form.op == "load_acquire":
        return _load(insn, slot, calls)
    if insn.form.op == "store_release":
        return _store_register(insn, slot, calls)
    memory, size, mask = calls.host.memory, insn.form.width // 8, (1 << insn.form.width) - 1
    dst, src, off, following = insn.dst, insn.src, insn.off, slot + 1
    if insn.form.op == "cmpxchg":

        def compare_and_exchange(registers: Registers) -> int:
            address = registers[dst] + off
            old = memory.load(address, size)
            memory.store(address, size, registers[src] & mask if old == registers[0] & mask else old)
            registers[0] = old
            return following

        return compare_and_exchange
    operation = ATOMICS[insn.form.op.removeprefix("fetch_")]
    fetch = insn.form.op.startswith("fetch_") or insn.form.op == "xchg"

    def step(registers: Registers) -> int:
        address = registers[dst] + off
        old = memory.load(address, size)
        memory.store(address, size, operation(old, registers[src]) & mask)
        if fetch:
            registers[src] = old
        return following

    return step


def _load_imm64(insn: Insn, slot: int, calls: Calls) -> Step:
    constant = constant_of(insn, slot, calls.host)
    if isinstance(constant, str):
        return faulting(FaultKind.INSTRUCTION, constant)
    dst, following, value = insn.dst, slot + 2, constant

    def step(registers: Registers) -> int:
        registers[dst] = value
        return following

    return step


def constant_of(insn: Insn, slot: int, host: Host) -> int | str:
    """What a 64-bit load gives, or why it cannot be had."""
    return _CONSTANTS[insn.form.op](insn, slot, host)


def _number(insn: Insn, slot: int, host: Host) -> int | str:
    return insn.imm


def _map_handle(insn: Insn, slot: int, host: Host) -> int | str:
    map_ = host.maps.get(insn.ref or "")
    return map_.handle if map_ is not None else f"there is no map {insn.ref!r}"


def _map_value(insn: Insn, slot: int, host: Host) -> int | str:
    """The address of a data section's variable: the map's one value, and an offset in it."""
    map_ = host.maps.get(insn.ref or "")
    if not isinstance(map_, ArrayMap):
        return f"map {insn.ref!r} has no value at a fixed address"
    return map_.find(bytes(4)) + (insn.imm >> 32)


def _function(insn: Insn, slot: int, host: Host) -> int | str:
    target = slot + 1 + signed(insn.imm, 32)
    return host.memory.add(Handle(f"the function at slot {target}", Subprogram(target)))


def _kernel_variable(insn: Insn, slot: int, host: Host) -> int | str:
    return "variables of the kernel are not emulated"


_CONSTANTS: Mapping[str, Callable[[Insn, int, Host], int | str]] = {
    "lddw": _number,
    "ld_map": _map_handle,
    "ld_map_idx": _map_handle,
    "ld_map_value": _map_value,
    "ld_map_idx_value": _map_value,
    "ld_func": _function,
    "ld_var": _kernel_variable,
}
"""What a 64-bit load gives, or why it cannot be had."""


def _packet_load(insn: Insn, slot: int, calls: Calls) -> Step:
    return faulting(FaultKind.INSTRUCTION, f"{insn.form.name}: programs of this type have no legacy packet loads")


# ----------------------------------------------------------------------------------------------------- control


def _jump(insn: Insn, slot: int, calls: Calls) -> Step:
    test = TESTS[insn.form.op, insn.form.width]
    dst, src, following, target = insn.dst, insn.src, slot + 1, slot + 1 + insn.off
    immediate = insn.imm & U64
    written_out = JUMPS.get(insn.form.name)
    if written_out is not None:
        return written_out(dst, immediate if insn.form.uses_imm else src, following, target)
    if insn.form.uses_imm:

        def with_immediate(registers: Registers) -> int:
            return target if test(registers[dst], immediate) else following

        return with_immediate

    def with_register(registers: Registers) -> int:
        return target if test(registers[dst], registers[src]) else following

    return with_register


def _goto(insn: Insn, slot: int, calls: Calls) -> Step:
    target = slot + 1 + (insn.off if insn.form.name == "ja" else insn.imm)
    return lambda registers: target


_BUILDERS: Mapping[Kind, Callable[[Insn, int, Calls], Step]] = {
    Kind.ALU: _alu,
    Kind.SWAP: _swap,
    Kind.LOAD: _load,
    Kind.STORE_REG: _store_register,
    Kind.STORE_IMM: _store_immediate,
    Kind.ATOMIC: _atomic,
    Kind.JUMP: _jump,
    Kind.GOTO: _goto,
    Kind.CALL_HELPER: call_steps.call_helper,
    Kind.CALL_LOCAL: call_steps.call_local,
    Kind.CALL_KFUNC: call_steps.call_kfunc,
    Kind.CALL_REG: call_steps.call_register,
    Kind.EXIT: call_steps.leave,
    Kind.LOAD_IMM64: _load_imm64,
    Kind.PACKET_LOAD: _packet_load,
}
_BUILDER_OF = {form.name: _BUILDERS[form.kind] for form in FORMS.values()}
"""By the form's name: an enumeration's member is slow to look up."""
