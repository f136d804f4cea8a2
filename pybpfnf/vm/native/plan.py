"""From a program to what runs it: machine code, how to get into it, and what registers are where it stops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, final

from pybpfnf.abi.forms import Insn, Kind
from pybpfnf.abi.helpers import HELPERS
from pybpfnf.abi.programs import PacketRights
from pybpfnf.records import dataclass
from pybpfnf.vm.decode import constant_of
from pybpfnf.vm.host import Host
from pybpfnf.vm.native.code import Code, analyse
from pybpfnf.vm.native.emit import Around, ContextLayout, emit
from pybpfnf.vm.native.facts import Live, Table, find_facts, live_registers, undecided, unset_registers
from pybpfnf.vm.native.fast_helpers import FAST_HELPERS
from pybpfnf.vm.native.jit import Compiled, compile_module
from pybpfnf.vm.steps import Registers

ALONE = Around()
_ZERO = 11  # the place of a zero behind the registers


@final
@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled program. `enter`: by slot, the registers that native code may read from there, zero for the others.
    `unset`: by slot, what the registers hold there that have no value."""

    compiled: Compiled
    enter: Mapping[int, Callable[[Registers], tuple[int, ...]]]
    unset: Mapping[int, tuple[tuple[int, Any], ...]]
    constants: tuple[int, ...]


def make_plan(insns: Sequence[Insn], host: Host, *, around: Around) -> Plan | None:
    """The compiled program, with what is around it; None where a register is read that has a value on one way there and none on another.
    Raises SystemLacksError where nothing can be compiled."""
    constants, unresolved = _constants(insns, host)
    fast_helpers = frozenset(HELPERS[name].id for name in FAST_HELPERS) if around.fast_helpers else frozenset()
    code = analyse(insns, host.starts.values(), unresolved, fast_helpers)
    live = live_registers(code)
    context = _context_layout(host)
    whole_programs = frozenset({0, *host.starts.values()}) if context is not None else frozenset()
    data_fields = frozenset({context.data, context.data_end}) if context is not None else frozenset()
    table = find_facts(code, live, whole_programs, data_fields)
    if undecided(table, live):
        return None
    writable = host.program_type is not None and host.program_type.packet is PacketRights.READ_WRITE
    places = {slot: place for place, slot in enumerate(constants)}
    text = emit(code, table, places, context, packet_writable=writable, around=around)
    return Plan(compile_module(text), _entering(code, live), _leaving(code, table), tuple(constants.values()))


def _constants(insns: Sequence[Insn], host: Host) -> tuple[dict[int, int], frozenset[int]]:
    """What the 64-bit loads give that depends on the session, by slot; and the slots of those that give nothing."""
    values, unresolved, slot = {}, set(), 0
    for insn in insns:
        if insn.form.kind is Kind.LOAD_IMM64 and insn.form.op != "lddw":
            value = constant_of(insn, slot, host)
            if isinstance(value, str):
                unresolved.add(slot)
            else:
                values[slot] = value
        slot += insn.slots
    return values, frozenset(unresolved)


def _context_layout(host: Host) -> ContextLayout | None:
    """Of `struct __sk_buff`, where the program's type may read them."""
    if host.program_type is None or host.context is None:
        return None
    rows = host.program_type.context.fields
    known = [rows[name] for name in ("data", "data_end", "len") if name in rows and host.program_type.name in rows[name].readable]
    return ContextLayout(*(row.offset for row in known)) if len(known) == 3 else None


def _entering(code: Code, live: Live) -> dict[int, Callable[[Registers], tuple[int, ...]]]:
    return {slot: itemgetter(*(number if number in live[slot] or number == 10 else _ZERO for number in range(11))) for slot in code.entries}


def _leaving(code: Code, table: Table) -> dict[int, tuple[tuple[int, Any], ...]]:
    """By each slot that native code may stop at; outside the program nothing is read."""
    outside = {to for slot in code.insns for to in code.following(slot)} - code.insns.keys()
    return {slot: unset_registers(facts) for slot, facts in table.items()} | dict.fromkeys(outside, ())
