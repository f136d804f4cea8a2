"""Calls of an author's functions that are to be there once (`@func(inline=False)`).

    n = double(x)         becomes        n = double(x.1 = x)        and beside the program        double: result = x.1 *u32 2; leave

Such a function is built apart from its callers, with nothing known but the types of its parameters, and once for each hook and each
such types: a view of another map's entries is another type. What it does to the packet and to maps is known after each call.
"""

from __future__ import annotations

import ast

from pybpfnf.diagnostics import Span
from pybpfnf.dsl import ir
from pybpfnf.dsl.building.builder import Builder, Called
from pybpfnf.dsl.building.flow import IMPLIED, Binding, Flow, ValueBinding, ViewBinding, is_in_packet
from pybpfnf.dsl.building.formals import Signature, name_span_of
from pybpfnf.dsl.building.scope import BuiltSubprogram
from pybpfnf.dsl.building.slots import HeaderSlot, PacketSlot
from pybpfnf.dsl.building.values import HeaderView, PacketView, Typed, Value
from pybpfnf.dsl.constructs.assign import Statements
from pybpfnf.dsl.constructs.body import build_settled, left, result_local
from pybpfnf.dsl.constructs.func_arguments import waiting
from pybpfnf.dsl.types import NONE, Type


def build_subprogram_call(b: Builder, first: Builder, called: Called, signature: Signature, given: Statements, node: ast.Call) -> Value:
    """`given` assigns the parameters of `first`, as `bind_arguments` has bound them."""
    declared = first.locals.declared
    for formal in signature.formals:
        _refuse_stale(b, formal.name, b.flow.bound.pop(waiting(first, formal.name)), node)
    types = {formal.name: declared[formal.name] for formal in signature.formals if formal.name in declared}
    built = _built(b, called, signature, types)
    b.diagnostics += (each for each in built.diagnostics if each not in b.diagnostics)
    span, parameters = b.span(node), {local.name: local for local in built.subprogram.parameters}
    _note_effects(b, built.after, span)
    arguments = tuple((parameters[each.local.name], each.value) for each in given if isinstance(each, ir.Assign))
    result = built.subprogram.result
    return Typed(ir.SubprogramCall(built.subprogram, arguments, NONE if result is None else result.type, span))


def _refuse_stale(b: Builder, name: str, binding: Binding, node: ast.Call) -> None:
    """What is given is looked at by the subprogram, which does not know what became of it before."""
    moved: Span | None = None
    if isinstance(binding, ViewBinding):
        moved = binding.moved
    elif isinstance(binding, ValueBinding):
        moved = binding.ended
    if moved is None:
        return
    line = b.line_of(moved)
    what = f"moved the packet that `{name}` is a view of"
    if isinstance(binding, ValueBinding) and not is_in_packet(binding.local.type):
        what = f"may have deleted or replaced the entry that `{name}` is a view of"
    b.error("stale-view", f"line {line} {what}", node, f"read or find it again after line {line}, and give it then")


def _built(b: Builder, called: Called, signature: Signature, types: dict[str, Type]) -> BuiltSubprogram:
    """As it was built before, for the same types."""
    key = (called.function, b.hook.name, tuple(sorted(types.items(), key=lambda item: item[0])))
    if key not in b.scope.subprograms:
        b.scope.subprograms[key] = _build(b, called, signature, types, b.scope.subprogram_name(called.function.name, key))
    return b.scope.subprograms[key]


def _build(b: Builder, called: Called, signature: Signature, types: dict[str, Type], name: str) -> BuiltSubprogram:
    first = b.apart(b.scope.source(called.function.function), called)
    first.locals.declared.update(types)
    parameters = tuple(first.locals.of(name, type_) for name, type_ in types.items())
    entry = _entry(signature, parameters)
    inner, body = build_settled(first, first, called, signature, entry)
    subprogram = ir.Subprogram(
        name,
        called.function.name,
        b.hook,
        inner.packet_name,
        parameters,
        body,
        result_local(inner, called),
        first.locals.all,
        name_span_of(inner),
    )
    return BuiltSubprogram(subprogram, tuple(first.diagnostics), left(called))


def _entry(signature: Signature, parameters: tuple[ir.Local, ...]) -> Flow:
    """What is known where it begins: a header, and a TLV, that it is given is there."""
    locals_ = {local.name: local for local in parameters}
    flow = Flow()
    for formal in signature.formals:
        match formal.slot:
            case PacketSlot():
                flow.bound[formal.name] = ViewBinding(PacketView())
            case HeaderSlot(header):
                flow.bound[formal.name] = ViewBinding(HeaderView(header))
                flow.headers |= IMPLIED[header.name]
            case _:
                flow.bound[formal.name] = ValueBinding(locals_[formal.name])
    return flow


def _note_effects(b: Builder, after: Flow | None, span: Span) -> None:
    """What the caller knows no more after the call."""
    if after is None:
        return
    if after.moved is not None:
        b.flow.move_packet(span)
    for map_name in sorted(after.ended):
        b.flow.end_views(map_name, span)
