"""Names and constants: locals, what a function captures, and what a module has."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches
from enum import EnumMeta
from ipaddress import IPv6Address
from types import ModuleType
from typing import Any, TypeAlias, TypeGuard

from pybpfnf.diagnostics import Span
from pybpfnf.dsl import ir
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.flow import MixedBinding, PoisonBinding, ValueBinding, ViewBinding, is_packet_view, is_tlv_view
from pybpfnf.dsl.building.operands import convert
from pybpfnf.dsl.building.scope import ScopeError
from pybpfnf.dsl.building.values import (
    POISON,
    Constant,
    EventsPlace,
    HeaderClass,
    HeaderView,
    Literal,
    MapPlace,
    Nothing,
    Poison,
    ProgramsPlace,
    QueuePlace,
    StructClass,
    TlvClass,
    Typed,
    Value,
)
from pybpfnf.dsl.constructs.redirect import chooses_device
from pybpfnf.dsl.surface.calls import Helpers
from pybpfnf.dsl.surface.events import PerfEventArray, RingBuf
from pybpfnf.dsl.surface.header import is_header
from pybpfnf.dsl.surface.packets import Verdict
from pybpfnf.dsl.surface.queues import QueueDefinition
from pybpfnf.dsl.surface.stores import ConfigVariable, MapDefinition, StateVariable
from pybpfnf.dsl.surface.structs import Struct, is_struct, pack
from pybpfnf.dsl.surface.tails import ProgArray
from pybpfnf.dsl.surface.wire import Tlv
from pybpfnf.dsl.types import ADDRESS, BOOL, VERDICT, IntType, OptionalType, TlvViewType, is_reserved


def build_name(b: Builder, node: ast.Name) -> Value:
    """A local, else what the function captures."""
    if node.id in b.locals.names:
        return _local(b, node)
    if node.id in b.source.captured:
        return from_object(b, b.source.captured[node.id], node, node.id)
    return unknown_name(b, node, node.id, {**b.source.captured, **b.flow.bound}, "here")


def build_constant(b: Builder, node: ast.Constant) -> Value:
    return from_object(b, node.value, node, repr(node.value))


def _local(b: Builder, node: ast.Name) -> Value:
    match b.flow.bound.get(node.id):
        case ValueBinding(local, found, ended, values, counter, _, layout):
            if ended is not None:
                return _ended(b, node, local, ended)
            if b.locals.is_unknown(node.id) and not isinstance(local.type, OptionalType):
                return Literal(0, unknown=True)
            read = ir.LocalRead(local, local.type, b.span(node), None if values is None else (values.low, values.high))
            if layout is not None:
                return Typed(ir.TlvAs(read, TlvViewType(layout), b.span(node)))
            return Typed(found_value(b, read, node.id) if found else read, values if counter else None)
        case ViewBinding(view, moved):
            return replace(view, local=node.id, moved=moved) if isinstance(view, HeaderView) else view
        case MixedBinding():
            message = f"`{node.id}` is a look-up that can miss on one path to here, and a value on another"
            return b.error("maybe-none", message, node, f"ask `if {node.id} is None` on the path where it is looked up")
        case PoisonBinding():
            return POISON
        case None:
            return _unbound(b, node)


def _ended(b: Builder, node: ast.Name, local: ir.Local, ended: Span) -> Value:
    if is_tlv_view(local.type):
        message = f"`{node.id}` was found before line {b.line_of(ended)} moved the packet"
        return b.error("stale-view", message, node, f"find it again after line {b.line_of(ended)}")
    if is_reserved(local.type):
        message = f"`{node.id}` was submitted or discarded in line {b.line_of(ended)}"
        return b.error("stale-view", message, node, f"use it before line {b.line_of(ended)}, or reserve another record")
    if is_packet_view(local.type):
        message = f"`{node.id}` was read before line {b.line_of(ended)} moved the packet"
        return b.error("stale-view", message, node, f"read it again after line {b.line_of(ended)}")
    message = f"`{node.id}` is a view of an entry that line {b.line_of(ended)} may have deleted or replaced"
    return b.error("stale-view", message, node, f"look the entry up again after line {b.line_of(ended)}")


def found_value(b: Builder, read: ir.LocalRead, name: str) -> ir.Expr:
    """What a look-up found, in the type that the name has where it is a value."""
    if not isinstance(read.type, OptionalType):
        return read
    value = ir.Unwrap(read, read.type.inner, read.span)
    type_ = b.locals.type_of((name, False))
    return convert(value, type_) if isinstance(type_, IntType) and isinstance(read.type.inner, IntType) else value


def _unbound(b: Builder, node: ast.Name) -> Value:
    if not b.flow.reachable:
        return POISON
    if isinstance(b.source.captured.get(node.id), StateVariable):
        message = f"`{node.id}` is a local here, because the function assigns it"
        return b.error("name", message, node, f"write `global {node.id}` at the start of the function: then it is the State")
    message = f"`{node.id}` is not bound on every path to here"
    return b.error("name", message, node, f"assign `{node.id}` before, on every path")


def from_object(b: Builder, thing: object, node: ast.expr, name: str) -> Value:
    """A Python object that the function captures or writes, as a value; `name` is how the function calls it."""
    span = b.span(node)
    match thing:
        case bool():
            return Typed(ir.Const(int(thing), BOOL, span))
        case Verdict():
            return _verdict(b, thing, node)
        case int():
            return Literal(int(thing))
        case IPv6Address():
            return Typed(ir.Const(thing.packed, ADDRESS, span))
        case None:
            return Nothing()
        case MapDefinition() | ConfigVariable() | StateVariable() | RingBuf() | PerfEventArray() | QueueDefinition():
            return _store(b, thing, node, name)
        case ProgArray():
            return _programs(b, thing, node, name)
        case type() if issubclass(thing, Tlv) and thing is not Tlv:
            return TlvClass(thing.layout)
        case type() if is_struct(thing):
            return StructClass(thing.layout)
        case type() if is_header(thing):
            return HeaderClass(thing.layout)
        case Struct():
            return Typed(ir.Const(pack(thing), thing.layout, span))
        case float() | complex():
            return b.error("unsupported", "floats are not part of the language", node, "count in smaller units, as integers")
        case list() | dict() | set() | bytearray():
            kind = type(thing).__name__
            return b.error("unsupported", f"`{b.text(node)}` is a {kind}, which may change", node, "write a tuple, or a map")
        case _ if kind := _kind_of_store(thing):
            message = f"`{b.text(node)}` is the type {kind}[...] alone: none was made"
            return b.error("type", message, node, f"write `{name} = {kind}[...](...)` at module level")
        case _:
            return Constant(thing)


def _kind_of_store(thing: object) -> str:
    """The name of what `Array[u32]` would make if it were called; empty for anything else."""
    origin = getattr(thing, "__origin__", None)
    return origin.__name__ if is_store_type(origin) else ""


def is_store_type(thing: object) -> TypeGuard[type]:
    """Whether a module makes what outlives a packet by calling that: a kind of map, Config, State."""
    stores = (MapDefinition, ConfigVariable, StateVariable, RingBuf, PerfEventArray, QueueDefinition, ProgArray)
    return isinstance(thing, type) and issubclass(thing, stores)


def refuse_making(b: Builder, made: type, node: ast.expr) -> Poison:
    """A function that makes a store: it would be there before the first packet, so it is made where the module is."""
    kind = b.text(node)
    of = "" if issubclass(made, ConfigVariable | StateVariable) else "[...]"
    message = f"`{kind}` outlives the packet, and is made at module level"
    return b.error("unsupported", message, node, f"write `NAME = {kind}{of}(...)` above the function, and `NAME` here")


def _verdict(b: Builder, verdict: Verdict, node: ast.expr) -> Value:
    if verdict.value not in b.hook.verdicts.values():
        names = ", ".join(b.hook.verdicts)
        return b.error("not-here", f"{b.hook.name} has no verdict {verdict.name}", node, f"its verdicts are {names}")
    if verdict is Verdict.REDIRECT and "redirect" in b.hook.helpers and not chooses_device(b):
        hint = f"write `return {b.packet_name}.redirect(ifindex)`"
        return b.error("not-here", f"{b.hook.name} drops what is redirected to no device", node, hint)
    return Typed(ir.Const(verdict.value, VERDICT, b.span(node)))


_Store: TypeAlias = (
    MapDefinition[Any, Any] | ConfigVariable | StateVariable | RingBuf[Struct] | PerfEventArray[Struct] | QueueDefinition[Any]
)


def _store(b: Builder, thing: _Store, node: ast.expr, name: str) -> Value:
    try:
        if isinstance(thing, QueueDefinition):
            return QueuePlace(b.scope.queue(thing, name))
        if isinstance(thing, RingBuf | PerfEventArray):
            return EventsPlace(b.scope.events(thing, name))
        if isinstance(thing, ConfigVariable | StateVariable):
            variable = b.scope.variable(thing, name)
            return Typed(ir.VariableRead(variable, variable.type, b.span(node)))
        return MapPlace(b.scope.map(thing, name))
    except ScopeError as error:
        return b.error("name", str(error), node, "give it another name at module level")


def _programs(b: Builder, array: ProgArray[Any], node: ast.expr, name: str) -> Value:
    """A program array that a function names: one of its own hook."""
    if array.hook.name != b.hook.name:
        message = f"the programs of `{name}` are those of {array.hook!r}, and this function is of {b.hook.name}"
        return b.error("not-here", message, node, "make a ProgArray for each hook")
    try:
        return ProgramsPlace(b.scope.programs(array, name))
    except ScopeError as error:
        return b.error("name", str(error), node, "give it another name at module level")


def member(b: Builder, holder: Constant, node: ast.Attribute) -> Value:
    """`module.name`, `Verdict.OK`, `helpers.name`; other objects have no attributes here."""
    thing = holder.value
    if is_store_type(thing):
        text, kind = b.text(node.value), thing.__name__
        name = "NAME" if text == kind else text
        return b.error("type", f"`{text}` is the type {kind} alone: none was made", node, f"write `{name} = {kind}(...)` at module level")
    if not isinstance(thing, ModuleType | EnumMeta | Helpers):
        return b.error("type", f"`{b.text(node.value)}` has no attributes here", node, "bind what is needed to a name at module level")
    try:
        found = getattr(thing, node.attr)
    except AttributeError:
        return unknown_name(b, node, node.attr, dir(thing), f"in `{b.text(node.value)}`", _offered(b, thing, node.attr))
    return from_object(b, found, node, node.attr)


def _offered(b: Builder, thing: ModuleType | EnumMeta | Helpers, name: str) -> str:
    """What there is instead, where no name is near."""
    if isinstance(thing, EnumMeta):
        return f"there is {', '.join(name for name in thing.__members__ if thing is not Verdict or name in b.hook.verdicts)}"
    if isinstance(thing, ModuleType):
        return "look at its spelling"
    words = name.split("_")
    alike = [each for each in dir(thing) if each in b.hook.helpers and any(len(word) > 2 and word in each for word in words)]
    return f"there is {', '.join(alike[:4])}" if alike else "`dir(helpers)` lists them, and the reference says what each does"


def unknown_name(
    b: Builder, node: ast.expr, name: str, known: Iterable[str], where: str, otherwise: str = "look at its spelling, or import it"
) -> Value:
    """Report a name that is not there, with the nearest one that is."""
    near = get_close_matches(name, [other for other in known if other.isidentifier() and not hasattr(builtins, other)], n=1)
    return b.error("name", f"`{name}` is not known {where}", node, f"did you mean `{near[0]}`?" if near else otherwise)
