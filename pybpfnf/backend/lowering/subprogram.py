"""Subprograms: functions of their own in `.text`, for the callers within the object.

define internal i32 @f(ptr %ctx, ptr %memory, i32 %n) {       what it takes is what its body turned out to use
  ...
  store i64 (result), ptr (in %memory)
  ret i32 0                                                   1 after a fault, which is counted here
}
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pybpfnf.backend.building.calling import Convention, convention, is_wide, register_type
from pybpfnf.backend.building.debuginfo import DebugInfo
from pybpfnf.backend.building.frame import CONTEXT, Frame, Shared
from pybpfnf.backend.building.hide import accumulators, walks_at_all
from pybpfnf.backend.building.values import is_in_memory, llvm_type
from pybpfnf.backend.lowering.function import ALL_EXPRESSIONS, ATTRIBUTES, lower_body
from pybpfnf.backend.lowering.passing import from_register, load_passed, store_passed, to_register
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import S32, U64, BoolType, IntType, OptionalType, Type, VerdictType, ViewType

_MEMORY, _GROWTH, _RESULT = "%memory", "%growth", "%result"
_FAULTED = 1


def lower_subprogram(subprogram: ir.Subprogram, debug: DebugInfo, shared: Shared, *, grows: bool) -> str:
    """The definition, as text; how it is called is in `shared` after it. `grows`: a function of the module changes TLVs."""
    function = debug.static_function(subprogram.name, subprogram.span)
    frame = Frame(subprogram, ALL_EXPRESSIONS, debug, function, shared, _FAULTED)
    frame.accumulators = accumulators(subprogram.body)
    frame.walks_often = walks_at_all(subprogram.body)
    frame.grows = grows
    _give_places(frame, subprogram, grows)
    gives = None if subprogram.result is None else subprogram.result.type
    end = frame.writer.label("left")
    frame.leaves.append(end)
    lower_body(frame, subprogram.body)
    frame.place(end)
    faults = frame.exits.used
    if not frame.writer.terminated:
        _return(frame, subprogram.result, faults=faults)
    frame.finish()
    text = "\n".join(frame.writer.lines())
    called = convention(
        subprogram.name, subprogram.parameters, gives, context=_uses(text, CONTEXT), faults=faults, growth=_uses(text, _GROWTH)
    )
    shared.subprograms[subprogram.name] = called
    _enter(frame, subprogram, called)
    frame.begin()
    debug.define_static(function, subprogram.span, _result_type(called, debug), tuple(_described(subprogram, called, debug)))
    parameters = ", ".join(f"{type_} {name}" for type_, name in zip(called.parameter_types, _names(called), strict=True))
    head = f"define internal {called.returned} @{subprogram.name}({parameters}) noinline {ATTRIBUTES} !dbg {function} {{"
    return "\n".join([head, *frame.writer.lines(), "}"]) + "\n"


def _uses(text: str, name: str) -> bool:
    return re.search(rf"{name}\b", text) is not None


def _names(called: Convention) -> tuple[str, ...]:
    """Of the registers."""
    values = (f"%given.{number}" for number in range(len(called.registers)))
    return (*((CONTEXT,) if called.context else ()), *((_MEMORY,) if called.size else ()), *values)


# ------------------------------------------------------------------------------------------------------- in and out


def _give_places(frame: Frame, subprogram: ir.Subprogram, grows: bool) -> None:
    """What lies in the caller's memory is used there."""
    for number, local in enumerate(subprogram.parameters):
        if is_in_memory(local.type):
            frame.give(local, _place(number))
    if subprogram.result is not None and is_in_memory(subprogram.result.type):
        frame.give(subprogram.result, _RESULT)
    if grows:
        frame.give_register("srh_growth", _GROWTH)


def _place(number: int) -> str:
    """Of the parameter of that number, which is in memory."""
    return f"%place.{number}"


def _enter(frame: Frame, subprogram: ir.Subprogram, called: Convention) -> None:
    """Put what was given where the body looks for it."""
    w = frame.writer
    with w.in_entry():
        for name, offset in ((_GROWTH, called.growth), (_RESULT, called.result)):
            if offset is not None:
                w.do(f"{name} = getelementptr i8, ptr {_MEMORY}, i64 {offset}")
        for number, local in enumerate(subprogram.parameters):
            if is_in_memory(local.type):
                w.do(f"{_place(number)} = getelementptr i8, ptr {_MEMORY}, i64 {called.stored[local]}")
            elif local in called.stored:
                value = load_passed(w, local.type, w.offset(_MEMORY, called.stored[local]))
                w.store(llvm_type(local.type), value, frame.local(local))
        for number, local in enumerate(called.registers):
            w.store(llvm_type(local.type), from_register(w, local.type, f"%given.{number}"), frame.local(local))


def _return(frame: Frame, result: ir.Local | None, *, faults: bool) -> None:
    w = frame.writer
    if result is None or is_in_memory(result.type):
        w.ret("i32 0" if faults else "void")
        return
    value = w.load(llvm_type(result.type), frame.local(result))
    if faults or is_wide(result.type):
        store_passed(w, result.type, value, _RESULT)
        w.ret("i32 0" if faults else "void")
    else:
        w.ret(f"{register_type(result.type)} {to_register(w, result.type, value)}")


# ------------------------------------------------------------------------------------------------ for who reads the BTF


def _result_type(called: Convention, debug: DebugInfo) -> str:
    if called.faults:
        return debug.type_of(S32)
    return "null" if called.gives is None or called.result is not None else _type(called.gives, debug)


def _described(subprogram: ir.Subprogram, called: Convention, debug: DebugInfo) -> Iterator[tuple[str, str]]:
    """Name and type of each register. A name that C could not have would make the kernel refuse the BTF."""
    context = subprogram.hook.context
    if called.context:
        yield _name(subprogram.packet_name or "ctx", "ctx"), debug.pointer_to(debug.opaque_structure(context.name, context.size))
    if called.size:
        yield "memory", debug.pointer_to("null")
    for number, local in enumerate(called.registers):
        yield _name(local.name, f"argument{number}"), _type(local.type, debug)


def _name(given: str, otherwise: str) -> str:
    return given if given.isascii() else otherwise


def _type(type_: Type, debug: DebugInfo) -> str:
    match type_:
        case VerdictType():
            return debug.type_of(S32)
        case ViewType(struct) | OptionalType(inner=ViewType(struct)):
            return debug.pointer_to(debug.type_of(struct))
        case IntType() | BoolType():
            return debug.type_of(type_)
        case _:
            return debug.type_of(U64)  # where it is in the packet
