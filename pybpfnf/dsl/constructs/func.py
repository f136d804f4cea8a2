"""Calls of an author's functions (`@func`).

    n = double(x)         becomes        n = double: x.1 = x; result = x.1 *u32 2; leave

The function is built anew for each call, with what is known there: what the packet has, which views are stale. Names of the
callers are hidden meanwhile (`^n` for `n`), so that what the function moves or deletes ends their views too. One that is to be
a subprogram is built apart (`build_subprogram`).
"""

from __future__ import annotations

import ast

from pybpfnf.abi.headers import HEADERS
from pybpfnf.dsl import ir
from pybpfnf.dsl.building.builder import Builder, Called
from pybpfnf.dsl.building.flow import Binding, Flow, ValueBinding, ViewBinding
from pybpfnf.dsl.building.formals import PACKETS, Formal, Signature, build_formals, name_span_of
from pybpfnf.dsl.building.locals import Inferred
from pybpfnf.dsl.building.slots import HeaderSlot, OptionalSlot, PacketSlot
from pybpfnf.dsl.building.values import POISON, HeaderView, PacketView, Typed, Value
from pybpfnf.dsl.constructs.assign import Statements
from pybpfnf.dsl.constructs.body import build_settled, left, result_local
from pybpfnf.dsl.constructs.func_arguments import bind_arguments, optional_of_slot, waiting
from pybpfnf.dsl.constructs.subprogram import build_subprogram_call
from pybpfnf.dsl.surface.functions import Func
from pybpfnf.dsl.types import NONE, Type


def build_func_call(b: Builder, function: Func[..., object], node: ast.Call) -> Value:
    """The call of a function; what it does to the packet and to entries of maps is known after it."""
    cycle = _cycle(b, function)
    if cycle is not None:
        return b.error("unsupported", cycle, node, "write a loop: `for i in range(n)`")
    source = b.scope.source(function.function)
    called = Called(function, b.span(node) if function.inline else None, b.called, NONE, None)
    first = b.inside(source, called, Inferred(), b.scope.next_instance()) if function.inline else b.apart(source, called)
    first.diagnostics = b.diagnostics
    first.flow = b.flow.copy()
    signature = build_formals(first, function)
    if signature is None:
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            b.expr(argument)
        return POISON
    called.result = signature.result
    arguments = bind_arguments(b, first, signature, node)
    if arguments is None:
        for formal in signature.formals:
            b.flow.bound.pop(waiting(first, formal.name), None)
        return POISON
    if function.inline:
        return _inlined(b, first, called, signature, arguments)
    return build_subprogram_call(b, first, called, signature, arguments, node)


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
        b.flow.bound[waiting(first, formal.name)] = _assumed(first, formal)
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
            type_: Type = optional_of_slot(inner)
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


# -------------------------------------------------------------------------------------------------------------- inlined


def _inlined(b: Builder, first: Builder, called: Called, signature: Signature, arguments: Statements) -> Value:
    entry = b.flow.inside({formal.name: b.flow.bound.pop(waiting(first, formal.name)) for formal in signature.formals})
    inner, body = build_settled(b, first, called, signature, entry)
    b.flow = _left(called, b.flow)
    name, span = called.function.name, called.place
    assert span is not None
    local = result_local(inner, called)
    type_ = NONE if local is None else local.type
    return Typed(ir.InlinedCall(name, name_span_of(inner), (*arguments, *body), local, type_, span))


def _left(called: Called, before: Flow) -> Flow:
    """What is known after the call, of the names of the caller; a function that never comes back leaves what was known before."""
    known = left(called)
    if known is None:
        return before
    after = known.outside()
    after.reachable = before.reachable
    return after
