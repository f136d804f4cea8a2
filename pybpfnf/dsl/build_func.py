"""Calls of an author's functions (`@func`), and `return` in one.

    n = double(x)         becomes        n = double: x.1 = x; result = x.1 *u32 2; leave

The function is built anew for each call, with what is known there: what the packet has, which views are stale. Names of the
callers are hidden meanwhile (`^n` for `n`), so that what the function moves or deletes ends their views too.
"""

from __future__ import annotations

import ast
from functools import reduce

from pybpfnf.abi.headers import HEADERS
from pybpfnf.dsl import ir
from pybpfnf.dsl.arguments import bind
from pybpfnf.dsl.build_assign import Statements, declare
from pybpfnf.dsl.build_events import check_path_end, report_leaks
from pybpfnf.dsl.build_name import from_object
from pybpfnf.dsl.builder import Builder, Called
from pybpfnf.dsl.flow import Binding, Flow, PoisonBinding, ValueBinding, ViewBinding, join
from pybpfnf.dsl.formals import PACKETS, Formal, Signature, build_formals, name_span_of
from pybpfnf.dsl.intervals import known_values
from pybpfnf.dsl.locals import Inferred
from pybpfnf.dsl.operands import article, describe, to_type, zero
from pybpfnf.dsl.slots import HeaderSlot, OptionalSlot, PacketSlot, ValueSlot
from pybpfnf.dsl.surface.functions import Func
from pybpfnf.dsl.types import (
    NONE,
    AddressType,
    BoolType,
    IntType,
    NoneType,
    OptionalType,
    StructType,
    TlvViewType,
    Type,
    ViewType,
    struct_of,
)
from pybpfnf.dsl.values import POISON, HeaderView, Nothing, PacketView, Poison, Typed, Value
from pybpfnf.errors import InternalError

_MOST_PASSES = 400  # each but the last widens a type


def build_func_call(b: Builder, function: Func[..., object], node: ast.Call) -> Value:
    """The call of a function; what it does to the packet and to entries of maps is known after it."""
    cycle = _cycle(b, function)
    if cycle is not None:
        return b.error("unsupported", cycle, node, "write a loop: `for i in range(n)`")
    source = b.scope.source(function.function)
    called = Called(function, b.span(node), b.called, NONE, None)
    first = b.inside(source, called, Inferred(), b.scope.next_instance())
    first.flow = b.flow.copy()
    signature = build_formals(first, function)
    if signature is None:
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            b.expr(argument)
        return POISON
    called.result = signature.result
    arguments = _bind(b, first, signature, node)
    if arguments is None:
        for formal in signature.formals:
            b.flow.bound.pop(_waiting(first, formal.name), None)
        return POISON
    return _inlined(b, first, called, signature, arguments)


def build_as_called(b: Builder, function: Func[..., object]) -> bool:
    """Build a function that nothing calls, for what is said about it; False where it takes the packet of another hook.

    Of its arguments their types are known, and that the packet has the headers that a caller can ask for.
    """
    called = Called(function, name_span_of(b), None, NONE, None)
    first = b.inside(b.scope.source(function.function), called, Inferred(), b.scope.next_instance())
    b.flow.headers = first.flow.headers = frozenset(HEADERS)
    signature = build_formals(first, function)
    if signature is None:
        return True
    here = PACKETS[b.hook.name].__name__
    if any(isinstance(formal.slot, PacketSlot) and formal.slot.name != here for formal in signature.formals):
        return False
    called.result = signature.result
    for formal in signature.formals:
        b.flow.bound[_waiting(first, formal.name)] = _assumed(first, formal)
    _inlined(b, first, called, signature, ())
    return True


def _assumed(b: Builder, formal: Formal) -> Binding:
    """A parameter of which its type is known alone."""
    match formal.slot:
        case PacketSlot():
            return ViewBinding(PacketView())
        case HeaderSlot(header):
            return ViewBinding(HeaderView(header))
        case OptionalSlot(inner):
            type_: Type = _optional(inner)
        case slot:
            type_ = slot
    b.locals.declared[formal.name] = type_
    return ValueBinding(b.locals.of(formal.name, type_))


def _cycle(b: Builder, function: Func[..., object]) -> str | None:
    """Recursion in words."""
    functions = b.called.functions if b.called is not None else ()
    if function not in functions:
        return None
    names = [f"`{each.name}`" for each in (*functions[functions.index(function) :], function)]
    if len(names) == 2:
        return f"{names[0]} calls itself, and a program for the kernel has no recursion"
    return f"{names[0]} calls {', which calls '.join(names[1:])}: a program for the kernel has no recursion"


# ---------------------------------------------------------------------------------------------------------- arguments


def _bind(b: Builder, inner: Builder, signature: Signature, node: ast.Call) -> Statements | None:
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
    b.flow.bound[_waiting(inner, formal.name)] = binding
    return statements


def _waiting(inner: Builder, parameter: str) -> str:
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
            b.error("type", f"{place} is {slot}, and `{text}` is {describe(value)}", node, "give it what its type says")
            return PoisonBinding()


def to_slot(b: Builder, value: Value, slot: ValueSlot, node: ast.expr, place: str) -> ir.Expr:
    """The value as a parameter or a result takes it. A struct stays a view where it is one."""
    if isinstance(slot, OptionalSlot):
        return _to_optional(b, value, slot, node, place)
    return to_type(b, value, slot, node, place)


def _to_optional(b: Builder, value: Value, slot: OptionalSlot, node: ast.expr, place: str) -> ir.Expr:
    wanted = slot.inner
    match value:
        case Nothing() | Poison():
            return ir.Absent(_optional(wanted), b.span(node))
        case Typed(expr) if isinstance(expr.type, OptionalType) and wanted in (expr.type.inner, struct_of(expr.type.inner)):
            return expr
        case Typed(expr) if isinstance(expr.type, OptionalType):
            b.error("type", f"{place} is {slot}, and `{b.text(node)}` is {expr.type}", node, f"give it {article(wanted)}, or None")
            return ir.Absent(_optional(wanted), b.span(node))
    expr = to_type(b, value, wanted, node, place)
    if isinstance(expr.type, StructType):
        message = f"{place} is a view of an entry or None, and `{b.text(node)}` is a struct of its own"
        b.error("type", message, node, "look it up in a map")
        return ir.Absent(_optional(wanted), b.span(node))
    return ir.Present(expr, _optional(expr.type), b.span(node))


def _optional(type_: Type) -> OptionalType:
    """Of a struct it is not known yet which map's entry: a place holder, until a `return` tells."""
    inner = ViewType(type_, "", shared=False) if isinstance(type_, StructType) else type_
    if not isinstance(inner, IntType | BoolType | AddressType | ViewType | TlvViewType):
        raise InternalError(f"{type_} cannot be None")
    return OptionalType(inner)


# --------------------------------------------------------------------------------------------------------------- body


def _inlined(b: Builder, first: Builder, called: Called, signature: Signature, arguments: Statements) -> Value:
    """Build the body until its types settle."""
    entry = b.flow.inside({formal.name: b.flow.bound.pop(_waiting(first, formal.name)) for formal in signature.formals})
    declared, locals_ = first.locals.declared, first.locals
    key = (called.function, tuple((name, type_) for name, type_ in sorted(declared.items(), key=lambda item: item[0])))
    inferred, called.gives = b.scope.settled.get(key, (Inferred(), _first_result(called)))
    mark = b.mark()
    for _ in range(_MOST_PASSES):
        b.rewind(mark)
        called.leaves.clear()
        called.seen = None
        inner = b.inside(first.source, called, inferred, locals_.instance)
        inner.locals.declared.update(declared)
        inner.flow = entry.copy()
        body = _body(inner, called, signature)
        after = inferred.after(inner.locals.seen)
        if after == inferred and called.seen in (None, called.gives):
            break
        inferred, called.gives = after, called.seen or called.gives
    else:
        raise InternalError(f"the types of the locals of {called.function.name} do not settle")
    b.scope.settled[key] = inferred, called.gives
    b.flow = _left(called, b.flow)
    name, span = called.function.name, called.place
    local = _result_local(inner, called)
    type_ = NONE if local is None else local.type
    return Typed(ir.InlinedCall(name, name_span_of(inner), (*arguments, *body), local, type_, span))


def _left(called: Called, before: Flow) -> Flow:
    """What is known after the call, of the names of the caller; a function that never comes back leaves what was known before."""
    if not called.leaves:
        return before
    after = reduce(lambda one, other: join(one, other).flow, called.leaves).outside()
    after.reachable = before.reachable
    return after


def _first_result(called: Called) -> Type | None:
    """The type of the result before a `return` was seen."""
    match called.result:
        case OptionalSlot(inner):
            return _optional(inner)
        case PacketSlot() | HeaderSlot():
            raise InternalError("a result that is no value")
        case NoneType():
            return None
        case type_:
            return type_


def _body(b: Builder, called: Called, signature: Signature) -> Statements:
    for formal in signature.formals:
        if isinstance(formal.slot, PacketSlot):
            b.packet_name = formal.name
        elif isinstance(formal.slot, HeaderSlot):
            b.locals.views.add(formal.name)
    declare(b, b.source.definition)
    body = b.block(b.source.definition.body)
    if not b.flow.reachable:
        return body
    if not isinstance(called.result, NoneType):
        message = f"`{called.function.name}` can end without a result"
        b.error("type", message, name_span_of(b), f"end every path with a `return` of {result_text(called)}")
    report_leaks(b, b.flow.end_path(), f"where `{called.function.name}` ends")
    called.leaves.append(b.flow)
    return (*body, ir.Leave(name_span_of(b)))


def result_text(called: Called) -> str:
    return f"`{called.result}`"


def _result_local(b: Builder, called: Called) -> ir.Local | None:
    return None if called.gives is None else b.locals.of("return", called.gives)


# ------------------------------------------------------------------------------------------------------------- return


def build_leave(b: Builder, called: Called, node: ast.Return) -> Statements:
    """`return` in a function that was called: its result, and out."""
    statements = _give(b, called, node)
    check_path_end(b, node)
    if b.flow.reachable:
        called.leaves.append(b.flow.copy())
    b.flow.reachable = False
    return (*statements, ir.Leave(b.span(node)))


def _give(b: Builder, called: Called, node: ast.Return) -> Statements:
    name = called.function.name
    if isinstance(called.result, NoneType):
        if node.value is not None and not isinstance(b.expr(node.value), Nothing | Poison):
            b.error("type", f"`{name}` gives nothing, as its first line says", node, "leave out the value, or write its type after `->`")
        return ()
    assert not isinstance(called.result, PacketSlot | HeaderSlot)
    if node.value is None:
        b.error("type", f"`{name}` gives {result_text(called)}", node, "write a value after `return`")
        return ()
    expr = to_slot(b, b.expr(node.value), called.result, node.value, f"what `{name}` gives")
    if b.flow.reachable:
        called.seen = expr.type if called.seen is None else _joined(b, called.seen, expr.type, node.value)
    local = _result_local(b, called)
    assert local is not None
    if isinstance(expr, ir.Absent) and isinstance(local.type, OptionalType):
        expr = ir.Absent(local.type, expr.span)
    fitting = expr if _fits(expr.type, local.type) else zero(local.type, node.value, b)  # another pass knows better
    return (ir.Assign(local, fitting, b.span(node.value)),)


def _fits(value: Type, place: Type) -> bool:
    return value == place or (isinstance(place, StructType) and struct_of(value) == place)


def _joined(b: Builder, one: Type, other: Type, node: ast.expr) -> Type:
    """The type of a result that two `return`s give: a view where both are of one map."""
    if one == other:
        return one
    if isinstance(one, OptionalType) and isinstance(other, OptionalType):
        return _joined_views(b, one, other, node)
    struct = struct_of(one)
    return struct if struct is not None else one


def _joined_views(b: Builder, one: OptionalType, other: OptionalType, node: ast.expr) -> Type:
    views = [view for view in (one.inner, other.inner) if isinstance(view, ViewType) and view.map]
    if len(views) == 2:
        message = f"`{b.text(node)}` is a view of an entry of `{views[1].map}`, and another `return` gives one of `{views[0].map}`"
        b.error("type", message, node, "write a function for each map")
    return OptionalType(views[0]) if views else one
