"""`with path.lock:`, and what may not happen inside."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Any

from pybpfnf.diagnostics import Span
from pybpfnf.dsl import ir
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.locals import bound_names
from pybpfnf.dsl.building.operands import describe, present
from pybpfnf.dsl.building.values import Poison, Reserving, Typed
from pybpfnf.dsl.constructs.struct import local_of
from pybpfnf.dsl.ir.walk import children, walk
from pybpfnf.dsl.types import OptionalType, StructType, ViewType, struct_of
from pybpfnf.types.layout import is_lock, lock_field

# What is computed and moved without a call. The kernel takes no call of a helper while a lock is held, so no look-up in a map and
# nothing that writes the packet (kernel/bpf/verifier.c, "function calls are not allowed while holding a lock").
_QUIET = (
    ir.Const, ir.LocalRead, ir.VariableRead, ir.ContextRead, ir.Convert, ir.Binary, ir.Unary, ir.Compare, ir.Logical, ir.Not, ir.Let,
    ir.Conditional, ir.InPrefix, ir.Member, ir.Item, ir.StructValue, ir.ArrayValue, ir.Unwrap, ir.IsNone, ir.InlinedCall, ir.Absent,
    ir.Present, ir.Assign, ir.SetState, ir.UpdateState, ir.SetContext, ir.SetPlace, ir.UpdatePlace, ir.If, ir.ForRange, ir.Break,
    ir.Exhausted, ir.Continue, ir.Return, ir.Leave, ir.Assert, ir.Evaluate,
)  # fmt: skip


_MAP_NODES = (ir.MapRead, ir.MapGet, ir.MapContains, ir.SetMap, ir.UpdateMap, ir.DeleteMap)


def build_with(b: Builder, node: ast.With) -> tuple[ir.Stmt, ...]:
    """The statement, for the lock of an entry that has a name."""
    place = _lock_of(b, node)
    if place is None:
        b.flow.give_up(bound_names(node))
        return ()
    before, b.locked = b.locked, local_of(place.base)
    body = b.block(node.body)
    for wrong, what in _refused(body, b.locked):
        b.error("not-here", f"{what} while the lock is held", wrong, "do it before the `with`, or after it")
    b.locked = before
    return (ir.Locked(place.base, place.field, body, place.span),)


def _lock_of(b: Builder, node: ast.With) -> ir.Member | None:
    """The lock that is taken; None where it is none, which was reported."""
    item = node.items[0]
    text = b.text(item.context_expr)
    value = present(b, b.expr(item.context_expr), item.context_expr)
    match value:
        case Poison():
            return None
        case Typed(ir.Member() as place) if is_lock(place.field.type):
            return place if _is_taken(b, node, place, text) else None
        case Reserving(buffer):
            hint = f"write `record = {buffer.name}.reserve()`, and `{buffer.name}.submit(record)` at the end"
        case _:
            hint = "write `with entry.lock:`, of a Struct with `lock: SpinLock = SpinLock()`"
    b.error("unsupported", f"`with` takes a lock, and `{text}` is {describe(value)}", item.context_expr, hint)
    return None


def _is_taken(b: Builder, node: ast.With, place: ir.Member, text: str) -> bool:
    """Whether it is one lock, of an entry that has a name; else it is reported."""
    if len(node.items) > 1 or node.items[0].optional_vars is not None:
        b.error("unsupported", "`with` takes one lock, and gives it no name", place.span, f"write `with {text}:`")
        return False
    if not isinstance(place.base.type, ViewType) or local_of(place.base) is None:
        b.error(
            "type", f"`{text}` is no lock of an entry that has a name", place.span, "write `entry = m[k]` before, and `with entry.lock:`"
        )
        return False
    return True


def _refused(nodes: Iterable[Any], locked: ir.Local | None) -> Iterator[tuple[Span, str]]:
    """The outermost nodes that may not stand there, and what they do."""
    for node in nodes:
        if isinstance(node, ir.Assign) and node.local == locked:
            yield node.span, f"`{node.local.name}` is given another entry"
        elif isinstance(node, _QUIET):
            yield from _refused(children(node), locked)
        elif isinstance(node, ir.Locked):
            yield node.span, "a second lock is taken"
        elif isinstance(node, ir.SubprogramCall):
            yield node.span, f"the subprogram `{node.subprogram.function}` is called"
        elif isinstance(node, _MAP_NODES):
            yield node.span, f"the map `{node.map.name}` is asked or changed"
        else:
            yield node.span, "the packet or the kernel is asked"


def _is_copied(node: ir.Assign | ir.Present) -> bool:
    type_ = node.local.type if isinstance(node, ir.Assign) else node.type.inner
    return isinstance(type_, StructType)


def check_locks(function: ir.Function | ir.Subprogram) -> Iterator[tuple[Span, str, str]]:
    """Entries that have a lock and are copied or compared whole, and locks that are read: the kernel lets nobody read or write a lock."""
    for node in walk(function.body):
        if isinstance(node, ir.Member | ir.Locked | ir.Unwrap | ir.IsNone | ir.InlinedCall | ir.SubprogramCall):
            inner: tuple[Any, ...] = ()
        elif isinstance(node, ir.Assign | ir.Present) and not _is_copied(node):
            inner = ()
        else:
            inner = tuple(children(node))
        for each in inner:
            type_ = getattr(each, "type", None)
            struct = struct_of(type_.inner if isinstance(type_, OptionalType) else type_) if type_ is not None else None
            if isinstance(each, ir.Member) and is_lock(each.field.type):
                yield each.span, "a lock is taken with `with`, and has no value", "leave it out"
            elif struct is not None and lock_field(struct) is not None and not isinstance(type_, StructType):
                yield each.span, f"an entry of {struct} has a lock, and is not copied or compared whole", "use its fields"
