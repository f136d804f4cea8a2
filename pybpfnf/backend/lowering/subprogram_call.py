"""Calls of subprograms, as `calling` has them."""

from __future__ import annotations

from pybpfnf.backend.building.calling import Convention
from pybpfnf.backend.building.effects import packet_after
from pybpfnf.backend.building.frame import CONTEXT, Frame
from pybpfnf.backend.building.pulling import can_pull
from pybpfnf.backend.building.values import is_in_memory
from pybpfnf.backend.lowering.packet import growth_slot
from pybpfnf.backend.lowering.passing import from_register, load_passed, store_passed, to_register
from pybpfnf.backend.lowering.structs import copy, place_of
from pybpfnf.dsl import ir


def lower_subprogram_call(frame: Frame, node: ir.SubprogramCall) -> str:
    """A fault in it is counted there: here it is only left, by the way that this function has for its own."""
    w, convention = frame.writer, frame.subprograms[node.subprogram.name]
    memory = _memory(frame, convention)
    values: dict[ir.Local, str] = {}
    for local, argument in node.arguments:
        if is_in_memory(local.type):
            # At once: what comes after it may change where it was.
            place, aligned = place_of(frame, argument)
            copy(frame, place, w.offset(memory, convention.stored[local]), local.type.size, min(aligned, local.type.alignment))
        else:
            values[local] = frame.value(argument)
    for local, offset in convention.stored.items():
        if local in values:
            store_passed(w, local.type, values[local], w.offset(memory, offset))
    if convention.growth is not None:
        w.store("i64", w.load("i64", growth_slot(frame)), w.offset(memory, convention.growth), 8)
    registers = [*((CONTEXT,) if convention.context else ()), *((memory,) if convention.size else ())]
    registers += [to_register(w, local.type, values[local]) for local in convention.registers]
    returned = _called(frame, convention, registers)
    frame.packet = packet_after(frame.packet, node.subprogram.body, pulls=can_pull(frame.function))
    if convention.growth is not None:
        w.store("i64", w.load("i64", w.offset(memory, convention.growth), 8), growth_slot(frame))
    if convention.faults:
        w.go_on_unless(w.icmp("ne", "i32", returned, 0), frame.never())
    return _result(frame, convention, memory, returned)


def _memory(frame: Frame, convention: Convention) -> str:
    """Where what does not fit in registers goes: memory that all such calls share, but for a struct, which may be looked at later."""
    if not convention.size:
        return ""
    gives = convention.gives
    keeps = (gives is not None and is_in_memory(gives)) or any(is_in_memory(local.type) for local in convention.stored)
    on_stack = convention.holds_pointers
    if keeps:
        return frame.room(convention.size, on_stack=on_stack)
    return frame.scratch("callee", convention.size, on_stack=on_stack)


def _called(frame: Frame, convention: Convention, registers: list[str]) -> str:
    typed = ", ".join(f"{type_} {value}" for type_, value in zip(convention.parameter_types, registers, strict=True))
    call = f"call {convention.returned} @{convention.symbol}({typed})"
    if convention.returned == "void":
        frame.writer.do(call)
        return "0"
    return frame.writer.value(call)


def _result(frame: Frame, convention: Convention, memory: str, returned: str) -> str:
    if convention.gives is None:
        return "0"
    if convention.result is None:
        return from_register(frame.writer, convention.gives, returned)
    place = frame.writer.offset(memory, convention.result)
    return place if is_in_memory(convention.gives) else load_passed(frame.writer, convention.gives, place)
