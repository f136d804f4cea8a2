"""The body of an author's function, built until its types settle, and `return` in it."""

from __future__ import annotations

import ast
from functools import reduce

from pybpfnf.diagnostics import Span
from pybpfnf.dsl import ir
from pybpfnf.dsl.building.builder import Builder, Called
from pybpfnf.dsl.building.flow import Flow, join
from pybpfnf.dsl.building.formals import Signature, name_span_of
from pybpfnf.dsl.building.locals import Inferred
from pybpfnf.dsl.building.operands import zero
from pybpfnf.dsl.building.slots import HeaderSlot, OptionalSlot, PacketSlot
from pybpfnf.dsl.building.values import Nothing, Poison
from pybpfnf.dsl.constructs.assign import Statements, declare
from pybpfnf.dsl.constructs.events import check_path_end, report_leaks
from pybpfnf.dsl.constructs.func_arguments import optional_of_slot, to_slot
from pybpfnf.dsl.constructs.redirect import returned
from pybpfnf.dsl.types import NoneType, OptionalType, StructType, Type, ViewType, struct_of
from pybpfnf.errors import InternalError

_MOST_PASSES = 400  # each but the last widens a type


def build_settled(b: Builder, first: Builder, called: Called, signature: Signature, entry: Flow) -> tuple[Builder, Statements]:
    """The body and who built it. `first` has the parameters' types; what is said goes to `b`, whose marks tell what to build again."""
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
    return inner, body


def left(called: Called) -> Flow | None:
    """What is known where the function that was built comes back; None where it never does."""
    if not called.leaves:
        return None
    return reduce(lambda one, other: join(one, other).flow, called.leaves)


def _first_result(called: Called) -> Type | None:
    """The type of the result before a `return` was seen."""
    match called.result:
        case OptionalSlot(inner):
            return optional_of_slot(inner)
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


def result_local(b: Builder, called: Called) -> ir.Local | None:
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
    expr = to_slot(b, returned(b.expr(node.value)), called.result, node.value, f"what `{name}` gives")
    if b.flow.reachable:
        called.seen = expr.type if called.seen is None else _joined(b, called, called.seen, expr.type, node.value)
    local = result_local(b, called)
    assert local is not None
    return _assigned(b, local, expr, node.value)


def _assigned(b: Builder, local: ir.Local, expr: ir.Expr, node: ast.expr) -> Statements:
    """The result assigned; a view of an entry is copied where another `return` gives a struct of its own or None."""
    span = b.span(node)
    if isinstance(local.type, OptionalType):
        match expr:
            case ir.Absent():
                expr = ir.Absent(local.type, expr.span)
            case ir.Present(operand) if struct_of(operand.type) == local.type.inner:
                expr = ir.Present(operand, local.type, expr.span)
            case _ if expr.type != local.type and isinstance(expr.type, OptionalType) and struct_of(expr.type.inner) == local.type.inner:
                return _copied(b, local, local.type, expr, span)
    fitting = expr if _fits(expr.type, local.type) else zero(local.type, node, b)  # another pass knows better
    return (ir.Assign(local, fitting, span),)


def _copied(b: Builder, local: ir.Local, type_: OptionalType, expr: ir.Expr, span: Span) -> Statements:
    """A look-up of an entry as a struct of its own, or None."""
    assert isinstance(expr.type, OptionalType)
    looked_up = ir.LocalRead(held := b.locals.temporary(expr.type), expr.type, span)
    copy = ir.Present(ir.Unwrap(looked_up, expr.type.inner, span), type_, span)
    absent, present = (ir.Assign(local, value, span) for value in (ir.Absent(type_, span), copy))
    return ir.Assign(held, expr, span), ir.If(ir.IsNone(looked_up, span), (absent,), (present,), span)


def _fits(value: Type, place: Type) -> bool:
    return value == place or (isinstance(place, StructType) and struct_of(value) == place)


def _joined(b: Builder, called: Called, one: Type, other: Type, node: ast.expr) -> Type:
    """The type of a result that two `return`s give: a view where both are of one map."""
    if one == other:
        return one
    if isinstance(one, OptionalType) and isinstance(other, OptionalType):
        return _joined_views(b, called, one, other, node)
    struct = struct_of(one)
    return struct if struct is not None else one


def _joined_views(b: Builder, called: Called, one: OptionalType, other: OptionalType, node: ast.expr) -> Type:
    """A view or None where both are of one map; a struct of its own or None where one is that."""
    for type_ in (one, other):
        if isinstance(type_.inner, StructType):
            return type_
    views = [view for view in (one.inner, other.inner) if isinstance(view, ViewType) and view.map]
    copied = isinstance(called.gives, OptionalType) and isinstance(called.gives.inner, StructType)  # the pass before knows
    if len(views) == 2 and not copied:
        message = f"`{b.text(node)}` is a view of an entry of `{views[1].map}`, and another `return` gives one of `{views[0].map}`"
        b.error("type", message, node, "write a function for each map")
    return OptionalType(views[0]) if views else one
