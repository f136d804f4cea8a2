"""Assignments to locals and to State: plain, annotated, augmented, of several targets; other places go to their own modules."""

from __future__ import annotations

import ast
from types import FunctionType
from typing import TypeAlias

from pybpfnf.diagnostics import Span
from pybpfnf.dsl import ir
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.flow import PoisonBinding, ValueBinding, ViewBinding
from pybpfnf.dsl.building.intervals import known_values
from pybpfnf.dsl.building.locals import bound_names, optional_of
from pybpfnf.dsl.building.operands import default_typed, describe, settle, to_type, why_missing
from pybpfnf.dsl.building.scope import ScopeError
from pybpfnf.dsl.building.signature import unquoted
from pybpfnf.dsl.building.values import (
    Appended,
    Choice,
    Constant,
    Effect,
    HeaderView,
    Literal,
    Nothing,
    PacketView,
    Poison,
    Reserving,
    Typed,
    Value,
)
from pybpfnf.dsl.constructs.events import check_name_end, refuse_second_name, store_reserved
from pybpfnf.dsl.constructs.map import store_item, update_item
from pybpfnf.dsl.constructs.packet import fresh, store_attribute, update_attribute
from pybpfnf.dsl.constructs.struct import copied, listed
from pybpfnf.dsl.constructs.updates import atomic_update, is_atomic, updated
from pybpfnf.dsl.surface.calls import HelperFunction
from pybpfnf.dsl.surface.packets import Verdict
from pybpfnf.dsl.surface.scalars import value_type
from pybpfnf.dsl.surface.stores import StateVariable
from pybpfnf.dsl.types import S64, U32, VERDICT, IntType, NoneType, OptionalType, Type, is_reserved, struct_of

Statements: TypeAlias = tuple[ir.Stmt, ...]


def build_assign(b: Builder, node: ast.Assign) -> Statements:
    """`x = e`, `x = y = e`, `a, b = b, a`."""
    if len(node.targets) == 1 and not isinstance(node.targets[0], ast.Tuple | ast.List):
        target = node.targets[0]
        value = b.expr(node.value) if isinstance(target, ast.Name) else listed(b, node.value)
        return store(b, target, value, node.value)
    if any(isinstance(target, ast.Tuple | ast.List) for target in node.targets):
        return _assign_several(b, node)
    held, statements = hold(b, b.expr(node.value), node.value)
    for target in node.targets:
        statements += store(b, target, held, node.value)
    return statements


def _assign_several(b: Builder, node: ast.Assign) -> Statements:
    """All values first, then all targets."""
    target, value = node.targets[0], node.value
    places = target.elts if isinstance(target, ast.Tuple | ast.List) else []
    items = value.elts if isinstance(value, ast.Tuple | ast.List) else []
    if len(node.targets) > 1 or not places or len(places) != len(items):
        b.error("unsupported", "values are unpacked only from as many, written out", node, "write `a, b = x, y`, or one line for each")
        b.flow.give_up(bound_names(node))
        return ()
    statements: Statements = ()
    held = []
    for place, item in zip(places, items, strict=True):
        taken, before = hold(b, b.expr(item), item, whole=not isinstance(place, ast.Name))
        held.append(taken)
        statements += before
    for place, taken, item in zip(places, held, items, strict=True):
        statements += store(b, place, taken, item)
    return statements


def hold(b: Builder, value: Value, node: ast.expr, *, whole: bool = False) -> tuple[Value, Statements]:
    """The value in a local of its own, so that it is evaluated once, and before the targets change. `whole`: a view is copied."""
    if isinstance(value, Choice):
        return _hold_choice(b, value, node)
    if not isinstance(value, Typed) or isinstance(value.expr, ir.Const):
        return value, ()
    if whole and struct_of(value.expr.type) is not None:
        copies, copy = copied(b, value.expr)
        return Typed(copy), copies
    local = b.locals.temporary(value.expr.type)
    span = b.span(node)
    return Typed(ir.LocalRead(local, local.type, span), value.counter), (ir.Assign(local, value.expr, span),)


def _hold_choice(b: Builder, choice: Choice, node: ast.expr) -> tuple[Value, Statements]:
    """Which of its literals it is, as a number in a local: they stay literals, of whatever type a target takes."""
    span = b.span(node)
    literals: list[Literal] = []
    number = b.locals.temporary(U32)
    statement = ir.Assign(number, _numbered(choice, literals, span), span)
    held: Literal | Choice = literals[-1]
    for index, literal in reversed(list(enumerate(literals[:-1]))):
        is_it = ir.Compare(ir.CompareOp.EQ, ir.LocalRead(number, U32, span), ir.Const(index, U32, span), span)
        held = Choice(is_it, literal, held, span)
    return held, (statement,)


def _numbered(choice: Literal | Choice, literals: list[Literal], span: Span) -> ir.Expr:
    """The literals in order, each as its index in the list that is filled."""
    if isinstance(choice, Literal):
        literals.append(choice)
        return ir.Const(len(literals) - 1, U32, span)
    then, orelse = _numbered(choice.then, literals, span), _numbered(choice.orelse, literals, span)
    return ir.Conditional(choice.test, then, orelse, U32, span)


def store(b: Builder, target: ast.expr, value: Value, node: ast.expr) -> Statements:
    """`target = value`; `node` is where the value stands."""
    match target:
        case ast.Name():
            return _store_name(b, target, value, node)
        case ast.Attribute():
            return store_attribute(b, target, value, node)
        case ast.Subscript():
            return store_item(b, target, value, node)
        case _:
            b.refuse(target)
            return ()


def _store_name(b: Builder, target: ast.Name, value: Value, node: ast.expr) -> Statements:
    if target.id in b.locals.globals:
        return _set_state(b, target, value, node)
    if target.id == b.packet_name:
        b.error("read-only", f"`{target.id}` is the packet", target, "choose another name")
        return ()
    if isinstance(b.source.captured.get(target.id), StateVariable):
        # Python would make a local, and the State would never change: what nobody means who writes a State's name.
        message = f"without `global`, this makes a local `{target.id}` and leaves the State as it is"
        b.error("name", message, target, f"write `global {target.id}` at the start of the function, or choose another name")
        b.flow.bound[target.id] = PoisonBinding()
        return ()
    check_name_end(b, target)
    match value:
        case Reserving(buffer):
            return store_reserved(b, target, buffer, node)
        case Typed(expr) if is_reserved(expr.type):
            refuse_second_name(b, target, node)
        case Typed(expr) if isinstance(expr.type, NoneType):
            b.flow.bound[target.id] = PoisonBinding()
            b.error("type", f"`{b.text(node)}` gives nothing", node, "leave out the assignment")
        case Typed(expr) if isinstance(expr.type, OptionalType):
            return _store_look_up(b, target, expr, node)
        case Typed() | Literal() | Choice():
            return _store_value(b, target, value, node)
        case HeaderView() | PacketView():
            return _store_view(b, target, value, node)
        case Poison():
            b.flow.bound[target.id] = PoisonBinding()
        case _:
            b.flow.bound[target.id] = PoisonBinding()
            _refuse_value(b, value, node)
    return ()


def _refuse_value(b: Builder, value: Value, node: ast.expr) -> None:
    text = b.text(node)
    match value:
        case Nothing():
            b.error("type", "None is not a value: it is what `m.get(k)` answers for a missing key", node, "use 0, or a bool beside it")
        case Appended() | Effect():
            b.error("type", f"`{text}` gives nothing", node, "leave out the assignment")
        case Constant():
            message = f"`{text}` is {describe(value)}, and a local holds integers, bools and addresses"
            b.error("unsupported", message, node, _constant_hint(value, text))
        case _:
            b.error("unsupported", f"`{text}` is {describe(value)}, which a local cannot hold", node, "write it where it is used")


def _constant_hint(value: Constant, text: str) -> str:
    if isinstance(value.value, FunctionType | HelperFunction):
        return f"call it: `{text}(...)`"
    return "write it where it is used, or give it a name at module level"


def _store_value(b: Builder, target: ast.Name, value: Value, node: ast.expr) -> Statements:
    name = target.id
    declared = b.locals.declared.get(name)
    if isinstance(declared, OptionalType):
        declared = declared.inner
    if declared is None and not _record(b, name, value, target, node):
        b.flow.bound[name] = PoisonBinding()
        return ()
    type_ = declared if declared is not None else b.locals.type_of((name, False))
    if declared is None and name in b.locals.inferred.literal_only:
        value = default_typed(b, value, node)
    expr = to_type(b, value, type_, node, f"`{name}`")
    local = b.locals.of(name, type_)
    b.flow.bound[name] = ValueBinding(local, values=known_values(expr))
    return (ir.Assign(local, expr, b.span(target)),)


def _record(b: Builder, name: str, value: Value, target: ast.Name, node: ast.expr) -> bool:
    """Join the value's type into the local's. False, and reported, for a type that does not go with those before."""
    # What counts a loop over constants is assigned as a literal is.
    type_ = value.expr.type if isinstance(value, Typed) and value.counter is None else None
    before = b.locals.seen.get((name, False))
    if name in b.locals.views:
        b.error("type", f"`{name}` is a view of the packet elsewhere, and {describe(value)} here", target, "use two names")
        return False
    if b.locals.record((name, False), type_):
        return True
    signs = isinstance(before, IntType) and isinstance(type_, IntType)
    hint = f"cast one of them: `{before}({b.text(node)})`" if signs else "use two names"
    b.error("sign" if signs else "type", f"`{name}` is {before} before, and {type_} here", target, hint)
    return False


def _store_look_up(b: Builder, target: ast.Name, expr: ir.Expr, node: ast.expr) -> Statements:
    """`n = m.get(k)`: what can be None has a local of its own."""
    name = target.id
    assert isinstance(expr.type, OptionalType)
    declared = b.locals.declared.get(name)
    if declared is not None and declared != expr.type:
        hint = f"write `{name}: {expr.type}`" if not isinstance(declared, OptionalType) else "give both one type"
        b.error("maybe-none", f"`{name}` is {declared}, and `{b.text(node)}` is {expr.type}", node, hint)
        b.flow.bound[name] = PoisonBinding()
        return ()
    if name in b.locals.views or not b.locals.record((name, True), expr.type) or not b.locals.record((name, False), expr.type.inner):
        b.error("type", f"`{name}` has another type before, and is {expr.type} here", target, "use two names")
    local = b.locals.of(name, expr.type)
    b.flow.bound[name] = ValueBinding(local)
    return (ir.Assign(local, expr, b.span(target)),)


def _store_view(b: Builder, target: ast.Name, view: HeaderView | PacketView, node: ast.expr) -> Statements:
    """`srh = pkt.srh`: a name for the place, no copy."""
    if isinstance(view, HeaderView) and isinstance(fresh(b, view, node), Poison):
        b.flow.bound[target.id] = PoisonBinding()
        return ()
    if (target.id, False) in b.locals.seen or target.id in b.locals.declared:
        b.error("type", f"`{target.id}` is a value elsewhere, and {describe(view)} here", target, "use two names")
    b.locals.views.add(target.id)
    b.flow.bound[target.id] = ViewBinding(HeaderView(view.header) if isinstance(view, HeaderView) else view)
    return ()


def build_annotated(b: Builder, node: ast.AnnAssign) -> Statements:
    """`x: u32 = e`: the type is given, not inferred; without a value nothing is assigned."""
    if not isinstance(node.target, ast.Name):
        b.error("unsupported", "a type is written for a local alone", node, "leave the type out")
        return ()
    if node.value is None:
        return ()
    return store(b, node.target, b.expr(node.value), node.value)


def declare(b: Builder, definition: ast.FunctionDef) -> None:
    """Collect the types that annotations give to locals, for the whole function."""
    for node in ast.walk(definition):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            type_ = _annotation(b, node.annotation)
            if type_ is None:
                continue
            before = b.locals.declared.setdefault(node.target.id, type_)
            if before != type_:
                b.error("type", f"`{node.target.id}` is {before} before, and {type_} here", node.annotation, "use two names")


def _annotation(b: Builder, annotation: ast.expr) -> Type | None:
    """The type that is written; None where it is none, and that was reported."""
    node = unquoted(annotation)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr) and isinstance(node.right, ast.Constant) and node.right.value is None:
        inner = _annotation(b, node.left)
        return None if inner is None else optional_of(inner)
    written = b.expr(node)
    if isinstance(written, Poison):
        return None
    thing = written.value if isinstance(written, Constant) else None
    if thing is Verdict:
        return VERDICT
    type_ = value_type(thing)
    if type_ is None:
        b.error("type", f"`{b.text(node)}` is no type of a local", node, "write u8 to u64, s8 to s64, bool, IPv6Address or Verdict")
    return type_


def build_augmented(b: Builder, node: ast.AugAssign) -> Statements:
    """`place op= e`: reduced to the place's type."""
    target = node.target
    if isinstance(target, ast.Attribute):
        return update_attribute(b, target, node)
    if isinstance(target, ast.Subscript):
        return update_item(b, target, node)
    return _update_state(b, target, node) if target.id in b.locals.globals else _update_local(b, target, node)


def _update_local(b: Builder, target: ast.Name, node: ast.AugAssign) -> Statements:
    value = b.expr(target)
    if isinstance(value, Literal):  # nothing but literals so far: s64 until a pass knows better
        value = Typed(settle(b, value, S64, target))
    if not isinstance(value, Typed) or not isinstance(value.expr.type, IntType):
        _refuse_update(b, value, target, node)
        return ()
    result = updated(b, value.expr, node)
    if isinstance(result, Poison):
        return ()
    type_ = result.type
    local = b.locals.of(target.id, type_)
    b.flow.bound[target.id] = ValueBinding(local, values=known_values(result))
    return (ir.Assign(local, result, b.span(node)),)


def _refuse_update(b: Builder, value: Value, target: ast.expr, node: ast.AugAssign) -> None:
    b.expr(node.value)
    if isinstance(value, Poison):
        return
    if isinstance(value, Typed) and isinstance(value.expr.type, OptionalType):
        text = b.text(target)
        why = why_missing(b, value, target)
        b.error("maybe-none", f"`{text}` can be None here: {why}", target, f"write `if {text} is None: return DROP` first")
    else:
        b.error("type", f"`{b.text(target)}` is {describe(value)}, and this changes integers", node, "assign the new value")


def _state(b: Builder, target: ast.Name) -> ir.State | None:
    thing = b.source.captured.get(target.id)
    if not isinstance(thing, StateVariable):
        return None  # reported where it is declared global
    try:
        variable = b.scope.variable(thing, target.id)
    except ScopeError as error:
        b.error("name", str(error), target, "give it another name at module level")
        return None
    assert isinstance(variable, ir.State)
    return variable


def _set_state(b: Builder, target: ast.Name, value: Value, node: ast.expr) -> Statements:
    state = _state(b, target)
    if state is None:
        return ()
    return (ir.SetState(state, to_type(b, value, state.type, node, f"`{state.name}`"), b.span(target)),)


def _update_state(b: Builder, target: ast.Name, node: ast.AugAssign) -> Statements:
    state = _state(b, target)
    if state is None:
        return ()
    read = ir.VariableRead(state, state.type, b.span(target))
    if not isinstance(state.type, IntType):
        _refuse_update(b, Typed(read), target, node)
        return ()
    if is_atomic(node.op):
        update = atomic_update(b, read, node, state.name, shared=True)
        return () if isinstance(update, Poison) else (ir.UpdateState(state, update.op, update.operand, b.span(node)),)
    value = updated(b, read, node)
    return () if isinstance(value, Poison) else (ir.SetState(state, value, b.span(node)),)
