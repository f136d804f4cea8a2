"""Records to user space: `events.emit(Record(...))`, and records that are reserved, filled in place, and submitted or discarded.

What is reserved has one name, and that name is asked (`is None`) and released on every path; `Flow.reserved` says which are not yet.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from pybpfnf.abi.helpers import HELPERS
from pybpfnf.diagnostics import Span
from pybpfnf.dsl import ir
from pybpfnf.dsl.building.arguments import Parameter, bind
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.flow import Leak, PoisonBinding, ValueBinding
from pybpfnf.dsl.building.operands import describe, to_type
from pybpfnf.dsl.building.rules import is_gpl_compatible
from pybpfnf.dsl.building.values import POISON, Effect, EventsPlace, Literal, Method, Poison, Reserving, Typed, Value
from pybpfnf.dsl.types import U32, OptionalType, ViewType, is_reserved

_METHODS = {"ringbuf": ("emit", "try_emit", "reserve", "submit", "discard"), "perf_event_array": ("emit", "try_emit")}
_NO_ROOM = {"ringbuf": "the ring buffer is full", "perf_event_array": "no reader of the perf events, or its ring is full"}
_PERF_HELPER = "perf_event_output"


def events_method(b: Builder, holder: EventsPlace, node: ast.Attribute) -> Value:
    """`events.emit` and its like, to be called."""
    names = _METHODS[holder.buffer.kind]
    if node.attr in names:
        return Method(holder, node.attr)
    message = f"`{holder.buffer.name}` has no `{node.attr}`"
    if node.attr in _METHODS["ringbuf"]:
        return b.error("not-here", message, node, "a RingBuf has it; records of a PerfEventArray are emitted whole")
    return b.error("name", message, node, f"it has {', '.join(names)}")


def call_events(b: Builder, buffer: ir.EventBuffer, name: str, node: ast.Call) -> Value:
    match name:
        case "emit" | "try_emit":
            return _emit(b, buffer, node, faults=name == "emit")
        case "reserve":
            bound = bind(b, node, (), b.text(node.func))
            return POISON if bound is None else Reserving(buffer)
        case _:
            return _release(b, buffer, node, submitted=name == "submit")


def _emit(b: Builder, buffer: ir.EventBuffer, node: ast.Call, *, faults: bool) -> Value:
    perf = buffer.kind == "perf_event_array"
    packet = (Parameter("packet", required=False, keyword_only=True),) if perf else ()
    bound = bind(b, node, (Parameter("record"), *packet), b.text(node.func))
    if bound is None or (perf and not may_call(b, _PERF_HELPER, node)):
        return POISON
    record = to_type(b, b.expr(bound["record"]), buffer.record, bound["record"], f"a record of `{buffer.name}`")
    octets = _packet_octets(b, bound["packet"]) if "packet" in bound else None
    emit = ir.Emit(buffer, record, octets, b.span(node))
    return Effect((ir.Assert(emit, _NO_ROOM[buffer.kind], b.span(node)),)) if faults else Typed(emit)


def _packet_octets(b: Builder, node: ast.expr) -> ir.Expr | None:
    value = b.expr(node)
    octets = to_type(b, value, U32, node, "`packet`")
    return None if isinstance(value, Literal) and value.value == 0 and not value.unknown else octets


def may_call(b: Builder, helper: str, node: ast.Call) -> bool:
    """Whether the hook and the license have the helper; reported where not."""
    if helper not in b.hook.helpers:
        b.error("not-here", f"{b.hook.name} has no helper `{helper}`", node, "the kernel keeps this helper from this hook")
        return False
    if HELPERS[helper].gpl_only and not is_gpl_compatible(b.license):
        message = f"the helper `{helper}` is for GPL programs, and the license is {b.license!r}"
        b.error("not-here", message, node, 'write `license="GPL"`')
        return False
    return True


# ------------------------------------------------------------------------------------------------- reserve and release


def store_reserved(b: Builder, target: ast.Name, buffer: ir.EventBuffer, node: ast.expr) -> tuple[ir.Stmt, ...]:
    """`record = events.reserve()`."""
    name, type_ = target.id, OptionalType(ViewType(buffer.record, buffer.name, shared=False, reserved=True))
    if name in b.locals.views or name in b.locals.declared or not b.locals.record((name, True), type_):
        b.error("type", f"`{name}` has another type elsewhere, and is {type_} here", target, "use two names")
        b.flow.bound[name] = PoisonBinding()
        return ()
    b.locals.record((name, False), type_.inner)
    local = b.locals.of(name, type_)
    b.flow.bound[name] = ValueBinding(local)
    b.flow.reserve(name, b.span(node))
    return (ir.Reserve(buffer, local, b.span(node)),)


def refuse_second_name(b: Builder, target: ast.Name, node: ast.expr) -> None:
    """A record that had two names could be submitted by one and used by the other."""
    b.error("type", f"`{b.text(node)}` is a reserved record, which has one name", node, f"write `{b.text(node)}` instead of `{target.id}`")
    b.flow.bound[target.id] = PoisonBinding()


def refuse_unnamed(b: Builder, buffer: ir.EventBuffer, node: ast.expr) -> None:
    """`events.reserve()` where no name keeps what it gives."""
    hint = f"write `record = {buffer.name}.reserve()` on a line of its own"
    b.error("leak", "the record that is reserved here has no name, and can never be submitted", node, hint)


def _release(b: Builder, buffer: ir.EventBuffer, node: ast.Call, *, submitted: bool) -> Value:
    """`events.submit(record)`, `events.discard(record)`: the record is not this function's any more."""
    bound = bind(b, node, (Parameter("record"),), b.text(node.func))
    if bound is None:
        return POISON
    argument = bound["record"]
    value = b.expr(argument)
    match value:
        case Poison():
            return POISON
        case Reserving(reserved_in):
            refuse_unnamed(b, reserved_in, argument)
            return POISON
        case Typed(ir.Unwrap(ir.LocalRead(local))) if is_reserved(local.type):
            return _released(b, buffer, local, submitted, node)
        case Typed(ir.LocalRead(local)) if isinstance(local.type, ViewType) and local.type.reserved:
            message = f"`{local.name}` was reserved by who called this function"
            return b.error("leak", message, argument, "submit or discard it in the function that reserved it")
        case Typed(ir.LocalRead(local)) if is_reserved(local.type):
            b.flow.end_names((local.name,))
            message = f"`{local.name}` can be None here: the ring may be full"
            return b.error("maybe-none", message, argument, f"write `if {local.name} is None: return DROP` first")
        case _:
            what = "submitted" if submitted else "discarded"
            message = f"`{b.text(argument)}` is {describe(value)}, and only a reserved record is {what}"
            hint = f"write `{buffer.name}.emit({b.text(argument)})`, or `record = {buffer.name}.reserve()` before"
            return b.error("type", message, argument, hint)


def _released(b: Builder, buffer: ir.EventBuffer, local: ir.Local, submitted: bool, node: ast.Call) -> Value:
    assert isinstance(local.type, OptionalType)
    assert isinstance(local.type.inner, ViewType)
    if local.type.inner.map != buffer.name:
        other = local.type.inner.map
        method = "submit" if submitted else "discard"
        b.flow.end_names((local.name,))
        return b.error("type", f"`{local.name}` was reserved in `{other}`", node, f"write `{other}.{method}({local.name})`")
    b.flow.release(local.name, b.span(node))
    return Effect((ir.Release(buffer, local, submitted, b.span(node)),))


# --------------------------------------------------------------------------------------------------------------- leaks


def report_leaks(b: Builder, leaks: Iterable[Leak], end: str) -> None:
    """A diagnostic at each reserve whose record is still reserved at the `end` of a path."""
    for leak in leaks:
        _report(b, leak.name, leak.span, end)


def check_path_end(b: Builder, node: ast.stmt) -> None:
    """Nothing is reserved where the function returns."""
    report_leaks(b, b.flow.end_path(), f"where line {b.span(node).line} returns")


def check_name_end(b: Builder, target: ast.Name) -> None:
    """A name that gets another value has no reserved record."""
    report_leaks(b, b.flow.end_names((target.id,)), f"where line {b.span(target).line} gives `{target.id}` another value")


def _report(b: Builder, name: str, span: Span, end: str) -> None:
    view = b.locals.type_of((name, False))
    buffer = view.map if isinstance(view, ViewType) else "events"
    message = f"`{name}` is neither submitted nor discarded on every path"
    if any(known.code == "leak" and known.span == span for known in b.diagnostics):
        return  # one of the paths is enough
    b.error("leak", message, span, f"it is still reserved {end}: write `{buffer}.submit({name})` or `{buffer}.discard({name})` before")
