"""The arguments of a call of an author's function: each goes to its parameter, in the order of the call."""

from __future__ import annotations

import ast

from pybpfnf.dsl import ir
from pybpfnf.dsl.building.arguments import bind
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.flow import Binding, PoisonBinding, ValueBinding, ViewBinding, is_packet_view
from pybpfnf.dsl.building.formals import PACKETS, Formal, Signature
from pybpfnf.dsl.building.intervals import known_values
from pybpfnf.dsl.building.operands import article, describe, to_type
from pybpfnf.dsl.building.slots import HeaderSlot, OptionalSlot, PacketSlot, ValueSlot
from pybpfnf.dsl.building.values import HeaderView, Nothing, PacketView, Poison, Typed, Value
from pybpfnf.dsl.constructs.assign import Statements
from pybpfnf.dsl.constructs.name import from_object
from pybpfnf.dsl.types import (
    AddressType,
    BoolType,
    IntType,
    NoneType,
    OptionalType,
    PacketViewType,
    StructType,
    TlvViewType,
    Type,
    ViewType,
    struct_of,
)
from pybpfnf.errors import InternalError


def bind_arguments(b: Builder, inner: Builder, signature: Signature, node: ast.Call) -> Statements | None:
    """Each parameter gets its argument, in the order of the call; None where the call is wrong, and that was reported.

    Their bindings wait in the caller's flow, so that an argument that moves the packet ends a view that was given before it.
    """
    given = bind(b, node, [formal.parameter for formal in signature.formals], b.text(node.func))
    if given is None:
        return None
    formals = {formal.name: formal for formal in signature.formals}
    statements: Statements = ()
    before = len(b.diagnostics)
    for name, argument in given.items():
        statements += _pass(b, b, inner, formals[name], b.expr(argument), argument)
    for name, formal in formals.items():
        if name not in given and formal.default is not None:
            value = from_object(inner, formal.default.value, formal.default.node, name)
            statements += _pass(b, inner, inner, formal, value, formal.default.node)
    return statements if len(b.diagnostics) == before else None


def _pass(b: Builder, said_by: Builder, inner: Builder, formal: Formal, value: Value, node: ast.expr) -> Statements:
    """One argument to its parameter; `said_by` is who wrote it: the caller, or the function where it is the default."""
    binding, statements = _passed(said_by, inner, formal, value, node)
    b.flow.bound[waiting(inner, formal.name)] = binding
    return statements


def waiting(inner: Builder, parameter: str) -> str:
    """What a parameter is called in the caller's flow while the other arguments are built."""
    return f"({inner.locals.instance}){parameter}"


def _passed(b: Builder, inner: Builder, formal: Formal, value: Value, node: ast.expr) -> tuple[Binding, Statements]:
    slot, place = formal.slot, f"`{formal.name}`"
    if isinstance(slot, PacketSlot | HeaderSlot):
        return _packet_passed(b, slot, place, value, node), ()
    assert not isinstance(slot, NoneType)
    expr = to_slot(b, value, slot, node, place)
    type_ = expr.type
    inner.locals.declared[formal.name] = type_
    local = inner.locals.of(formal.name, type_)
    return ValueBinding(local, values=known_values(expr)), (ir.Assign(local, expr, b.span(node)),)


def _packet_passed(b: Builder, slot: PacketSlot | HeaderSlot, place: str, value: Value, node: ast.expr) -> Binding:
    text = b.text(node)
    match slot, value:
        case PacketSlot(name), PacketView():
            here = PACKETS[b.hook.name].__name__
            if name != here:
                b.error("type", f"{place} is {name}, and `{text}` is {here}", node, "write a function for each hook's packet")
            return ViewBinding(PacketView())
        case HeaderSlot(header), HeaderView(given, _, moved) if header == given:
            return ViewBinding(HeaderView(header), moved)
        case _, Poison():
            return PoisonBinding()
        case _:
            b.error("type", f"{place} is {slot}, and `{text}` is {describe(value)}", node, _packet_hint(slot, value))
            return PoisonBinding()


def _packet_hint(slot: PacketSlot | HeaderSlot, value: Value) -> str:
    if isinstance(slot, PacketSlot):
        return "give it the packet"
    if isinstance(value, Typed) and is_packet_view(value.expr.type) and slot.header.name != "srh":
        return f"annotate it with a class of headers: `from pybpfnf.headers import {slot.header.name.capitalize()}`"
    return f"give it `pkt.{slot.header.name}`"


def to_slot(b: Builder, value: Value, slot: ValueSlot, node: ast.expr, place: str) -> ir.Expr:
    """The value as a parameter or a result takes it. A struct stays a view where it is one."""
    if isinstance(slot, OptionalSlot):
        return _to_optional(b, value, slot, node, place)
    return to_type(b, value, slot, node, place)


def _to_optional(b: Builder, value: Value, slot: OptionalSlot, node: ast.expr, place: str) -> ir.Expr:
    wanted = slot.inner
    match value:
        case Nothing() | Poison():
            return ir.Absent(optional_of_slot(wanted), b.span(node))
        case Typed(expr) if isinstance(expr.type, OptionalType) and wanted in (expr.type.inner, struct_of(expr.type.inner)):
            return expr
        case Typed(expr) if isinstance(expr.type, OptionalType):
            b.error("type", f"{place} is {slot}, and `{b.text(node)}` is {expr.type}", node, f"give it {article(wanted)}, or None")
            return ir.Absent(optional_of_slot(wanted), b.span(node))
    expr = to_type(b, value, wanted, node, place)
    type_ = OptionalType(expr.type) if isinstance(expr.type, StructType) else optional_of_slot(expr.type)
    return ir.Present(expr, type_, b.span(node))


def optional_of_slot(type_: Type) -> OptionalType:
    """Of a struct it is not known yet which map's entry: a place holder, until a `return` tells."""
    inner = ViewType(type_, "", shared=False) if isinstance(type_, StructType) else type_
    if not isinstance(inner, IntType | BoolType | AddressType | ViewType | TlvViewType | PacketViewType):
        raise InternalError(f"{type_} cannot be None")
    return OptionalType(inner)
