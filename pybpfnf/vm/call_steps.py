"""Calls as steps: of the program's own functions, of helpers by number, of the kernel's functions by name; and the way back."""

from __future__ import annotations

from collections.abc import Callable

from pybpfnf.abi.forms import Insn
from pybpfnf.abi.helpers import HELPERS, HELPERS_BY_ID, Arg
from pybpfnf.abi.kfuncs import KFUNCS
from pybpfnf.runner import FaultKind
from pybpfnf.vm import helpers, kfuncs
from pybpfnf.vm.alu import U32, U64
from pybpfnf.vm.arguments import Subprogram, unpack_arguments
from pybpfnf.vm.faults import AFTER_CALL, NO_RESULT, GuestFault
from pybpfnf.vm.host import Host
from pybpfnf.vm.memory import Handle
from pybpfnf.vm.steps import Calls, Registers, Step, faulting

_TAIL_CALL = HELPERS["tail_call"].id
# Whose calls the verifier replaces with calls of the map's own functions (kernel/bpf/verifier.c, do_misc_fixups).
_OF_MAPS = frozenset({f"map_{verb}_elem" for verb in ("update", "delete", "push", "pop", "peek")} | {"for_each_map_elem"})


def call_local(insn: Insn, slot: int, calls: Calls) -> Step:
    enter, target, following = calls.enter, slot + 1 + insn.imm, slot + 1

    def step(registers: Registers) -> int:
        enter(registers, following)
        return target

    return step


def call_helper(insn: Insn, slot: int, calls: Calls) -> Step:
    call = _helper_step(insn.imm & U32, calls.host)
    if isinstance(call, GuestFault):
        return faulting(call.kind, call.message)
    following, do = slot + 1, call

    def step(registers: Registers) -> int:
        do(registers)
        return following

    def tail_call(registers: Registers) -> int:
        do(registers)
        return _next(calls, registers, following)

    return tail_call if insn.imm == _TAIL_CALL else step


def _next(calls: Calls, registers: Registers, following: int) -> int:
    """The slot to go on at after a helper that may have been a tail call."""
    start, calls.host.tail = calls.host.tail, None
    return following if start is None else calls.go_on(registers, start)


def _helper_step(number: int, host: Host) -> Callable[[Registers], None] | GuestFault:
    """What a call of the helper does to the registers; a fault where programs of this type have none of that number."""
    helper = HELPERS_BY_ID.get(number)
    if helper is None:
        return GuestFault(FaultKind.HELPER, f"there is no helper {number} for programs of this type")
    why = helpers.unavailable(helper.name, host.program_type.name if host.program_type is not None else None)
    if why is not None:
        return GuestFault(FaultKind.HELPER, why)
    function, row, has_result = helpers.EMULATED[helper.name], helper, helper.ret is not Arg.VOID
    width = U32 if helper.name in _OF_MAPS and not host.kernel.map_errors_are_long else U64

    def call(registers: Registers) -> None:
        if host.lock is not None and row.name != "spin_unlock":
            raise GuestFault(FaultKind.HELPER, f"{row.name} is called while a spin lock is held")
        result = function(host, *unpack_arguments(host, row, registers))
        registers[0] = result & width if has_result else NO_RESULT
        host.answer = (row.name, result)
        registers[1:6] = AFTER_CALL
        if row.changes_packet:
            host.map_packet()

    return call


def call_register(insn: Insn, slot: int, calls: Calls) -> Step:
    """A function whose address was taken, else the helper of that number."""
    memory, dst, following = calls.host.memory, insn.dst, slot + 1

    def step(registers: Registers) -> int:
        value = registers[dst] & U64
        if value > U32:
            region = memory.region(value, "call")
            if not isinstance(region, Handle) or not isinstance(region.object, Subprogram):
                raise GuestFault(FaultKind.INSTRUCTION, f"callx: {region.name} is no function")
            calls.enter(registers, following)
            return region.object.slot
        call = _helper_step(value, calls.host)
        if isinstance(call, GuestFault):
            raise call
        call(registers)
        return _next(calls, registers, following)

    return step


def call_kfunc(insn: Insn, slot: int, calls: Calls) -> Step:
    row, host, following = KFUNCS.get(insn.ref or ""), calls.host, slot + 1
    if row is None:
        return faulting(FaultKind.HELPER, f"the kernel function {insn.ref or insn.imm} is not emulated")
    called, function, has_result = row, kfuncs.EMULATED[row.name], row.ret is not Arg.VOID
    width = U32 if row.ret is Arg.SCALAR else U64  # they are ints in C, and leave nothing above in r0

    def step(registers: Registers) -> int:
        if host.lock is not None:
            raise GuestFault(FaultKind.HELPER, f"{called.name} is called while a spin lock is held")
        result = function(host, *unpack_arguments(host, called, registers))
        registers[0] = result & width if has_result else NO_RESULT
        registers[1:6] = AFTER_CALL
        return following

    return step


def leave(insn: Insn, slot: int, calls: Calls) -> Step:
    return calls.leave
