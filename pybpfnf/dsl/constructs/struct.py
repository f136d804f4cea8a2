"""Structs: making one, their fields and items, writes to those, and what ends a view."""

from __future__ import annotations

import ast
from dataclasses import replace
from difflib import get_close_matches
from typing import TypeVar

from pybpfnf.diagnostics import Span
from pybpfnf.dsl import ir
from pybpfnf.dsl.building.arguments import Parameter, bind
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.operands import describe, present, to_type, zero
from pybpfnf.dsl.building.values import POISON, Constant, Listed, Literal, Poison, Typed, Value
from pybpfnf.dsl.constructs.index import build_index
from pybpfnf.dsl.constructs.name import from_object
from pybpfnf.dsl.constructs.octets import octets_value
from pybpfnf.dsl.constructs.tlv import build_tlv_item
from pybpfnf.dsl.constructs.updates import atomic_update, is_atomic, updated
from pybpfnf.dsl.types import U8, ArrayType, IntType, NoneType, OctetsType, StructField, StructType, Type, ViewType, struct_of
from pybpfnf.types.layout import shown_fields


def build_struct(b: Builder, type_: StructType, node: ast.Call) -> Value:
    """`Path(sid=..., weight=1)`: a struct of its own."""
    parameters = [Parameter(field.name, required=field.default is None, keyword_only=True) for field in shown_fields(type_)]
    bound = bind(b, node, parameters, type_.name)
    if bound is None:
        return POISON
    values = tuple((field, _field_value(b, type_, field, bound.get(field.name), node)) for field in type_.fields)
    return Typed(ir.StructValue(values, type_, b.span(node)))


def _field_value(b: Builder, type_: StructType, field: StructField, given: ast.expr | None, node: ast.Call) -> ir.Expr | bytes:
    if given is None:
        assert field.default is not None
        if isinstance(field.default, bytes) and isinstance(field.type, StructType | OctetsType):
            return field.default
        return ir.Const(field.default, field.type, b.span(node))
    return field_value(b, field.type, field.bits, listed(b, given), given, f"`{field.name}` of {type_.name}")


def listed(b: Builder, node: ast.expr) -> Value:
    """What goes to a field: a list or a tuple that is written out is its items."""
    if isinstance(node, ast.List | ast.Tuple):
        return Listed(tuple((listed(b, item), item) for item in node.elts))
    return b.expr(node)


def field_value(b: Builder, type_: Type, bits: int, value: Value, node: ast.expr, where: str) -> ir.Expr | bytes:
    """What a field or an item of `type_` takes; anything else is reported. `bits`: of a bit field, else 0."""
    if isinstance(type_, OctetsType):
        return octets_value(b, type_, value, node, where)
    if isinstance(type_, ArrayType):
        return _array(b, type_, value, node, where)
    if bits and isinstance(value, Literal) and not 0 <= value.value < 1 << bits:
        b.error("overflow", f"{value.value} does not fit the {bits} bits of {where}", node, f"write 0 to {(1 << bits) - 1}")
        return zero(type_, node, b)
    return to_type(b, value, type_, node, where)


def _array(b: Builder, type_: ArrayType, value: Value, node: ast.expr, where: str) -> ir.Expr | bytes:
    if isinstance(value, Typed) and value.expr.type == type_:
        return value.expr
    items = _items(b, value, node)
    if items is not None and len(items) == type_.count:
        return _together(type_, tuple(field_value(b, type_.item, 0, item, at, f"an item of {where}") for item, at in items), b.span(node))
    if items is not None:
        rest = ", with zeros for the rest" if len(items) < type_.count and isinstance(type_.item, IntType) else ""
        b.error("type", f"{where} has {type_.count} items, and this has {len(items)}", node, f"write {type_.count} items{rest}")
    elif not isinstance(value, Poison):
        hint = "write the items out, [a, b], or the name of a tuple of constants"
        b.error("type", f"{where} is {type_}, and `{b.text(node)}` is {describe(value)}", node, hint)
    return bytes(type_.size)


def _items(b: Builder, value: Value, node: ast.expr) -> tuple[tuple[Value, ast.expr], ...] | None:
    """The items of a list that is written out, or of a constant tuple; None of anything else."""
    match value:
        case Listed(items):
            return items
        case Constant(tuple() as constants):
            return tuple((_constant(b, item, node), node) for item in constants)
        case _:
            return None


def _constant(b: Builder, item: object, node: ast.expr) -> Value:
    if isinstance(item, tuple):
        return Constant(item)
    return from_object(b, item, node, b.text(node))


def _together(type_: ArrayType, items: tuple[ir.Expr | bytes, ...], span: Span) -> ir.Expr | bytes:
    """The array; of constants its bytes."""
    known = [_bytes(item) for item in items]
    data = [each for each in known if each is not None]
    return b"".join(data) if len(data) == len(known) else ir.ArrayValue(items, type_, span)


def _bytes(item: ir.Expr | bytes) -> bytes | None:
    """A constant as it lies in memory; None of what is computed."""
    match item:
        case bytes():
            return item
        case ir.Const(bytes() as data):
            return data
        case ir.Const(int() as number, type_) if not isinstance(type_, NoneType):
            return (number & (1 << 8 * type_.size) - 1).to_bytes(type_.size, "little")
        case _:
            return None


# ------------------------------------------------------------------------------------------------------------- places


def has_fields(value: Value) -> bool:
    """Whether it is a struct or a view of one, or a look-up that may be."""
    return isinstance(value, Typed) and _looked_up(value.expr.type) is not None


def _looked_up(type_: Type) -> StructType | None:
    inner = getattr(type_, "inner", None)
    return struct_of(type_ if inner is None else inner)


def build_member(b: Builder, holder: Value, node: ast.Attribute) -> Value:
    """`path.credit`."""
    holder = present(b, holder, node.value)
    if not isinstance(holder, Typed):
        return POISON
    struct = struct_of(holder.expr.type)
    assert struct is not None
    field = struct.field(node.attr)
    if field is not None:
        return Typed(ir.Member(holder.expr, field, field.type, b.span(node)))
    if isinstance(holder.expr.type, ViewType) and holder.expr.type.reserved and node.attr in ("submit", "discard"):
        name = b.text(node.value)
        b.flow.end_names((name,))
        return b.error("name", f"`{struct}` has no method `{node.attr}`", node, f"write `{holder.expr.type.map}.{node.attr}({name})`")
    names = [other.name for other in struct.fields]
    near = get_close_matches(node.attr, names, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"it has {', '.join(names)}"
    return b.error("name", f"`{struct}` has no field `{node.attr}`", node, hint)


def has_items(value: Value) -> bool:
    return isinstance(value, Typed) and isinstance(value.expr.type, ArrayType | OctetsType)


def build_item(b: Builder, holder: Value, node: ast.Subscript) -> Value:
    """`path.hops[i]`, and a byte of octets."""
    assert isinstance(holder, Typed)
    type_ = holder.expr.type
    assert isinstance(type_, ArrayType | OctetsType)
    count = type_.count if isinstance(type_, ArrayType) else type_.size
    number = build_index(b, node, count)
    if isinstance(number, Poison):
        return POISON
    if isinstance(holder.expr, ir.TlvRead):
        return build_tlv_item(b, holder.expr, number, node)
    item = type_.item if isinstance(type_, ArrayType) else U8
    return Typed(ir.Item(holder.expr, number, item, b.span(node)))


def store_place(b: Builder, place: ir.Place, value: Value, target: ast.expr, node: ast.expr) -> tuple[ir.Stmt, ...]:
    """`path.credit = value`."""
    stored = field_value(b, place.type, _bits(place), value, node, f"`{b.text(target)}`")
    if isinstance(stored, bytes):
        stored = ir.Const(stored, place.type, b.span(node))
    return (ir.SetPlace(place, stored, b.span(target)),)


def update_place(b: Builder, place: ir.Place, target: ast.expr, node: ast.AugAssign) -> tuple[ir.Stmt, ...]:
    """`path.credit op= e`: one atomic update where there is an instruction for it, else read, compute, write."""
    text = b.text(target)
    if not isinstance(place.type, IntType):
        b.error("type", f"`{text}` is {describe(Typed(place))}, and this changes integers", node, "assign the new value")
        return ()
    locked = b.locked is not None and local_of(root_of(place)) == b.locked
    shared = is_shared(place) and not locked
    if is_atomic(node.op) and not _bits(place) and not locked:
        update = atomic_update(b, place, node, text, shared=shared)
        return () if isinstance(update, Poison) else (ir.UpdatePlace(place, update.op, update.operand, b.span(node)),)
    if shared and is_atomic(node.op):
        b.error(
            "type",
            f"`{text}` is shared by all CPUs, and a bit field cannot change atomically",
            node,
            f"widen `{text}` to u32 without bits(...)",
        )
        return ()
    before, held = hold_place(b, place)
    value = updated(b, held, node)
    return () if isinstance(value, Poison) else (*before, ir.SetPlace(held, value, b.span(node)))


def _bits(place: ir.Place) -> int:
    return place.field.bits if isinstance(place, ir.Member) else 0


def root_of(place: ir.Expr) -> ir.Expr:
    """The struct or view that a place is in."""
    while isinstance(place, ir.Member | ir.Item):
        place = place.base
    return place


def local_of(view: ir.Expr) -> ir.Local | None:
    """The local that a view is read from."""
    read = view.operand if isinstance(view, ir.Unwrap) else view
    return read.local if isinstance(read, ir.LocalRead) else None


def is_shared(place: ir.Expr) -> bool:
    """Whether it lies in an entry of a map that CPUs share."""
    type_ = root_of(place).type
    return isinstance(type_, ViewType) and type_.shared


Held = TypeVar("Held", ir.Place, ir.WirePlace)


def hold_place(b: Builder, place: Held) -> tuple[tuple[ir.Stmt, ...], Held]:
    """The place with what leads to it in locals, so that it is evaluated once though it is used twice."""
    statements: list[ir.Stmt] = []

    def hold(expr: ir.Expr) -> ir.Expr:
        if isinstance(expr, ir.Const | ir.LocalRead) or (isinstance(expr, ir.Unwrap) and isinstance(expr.operand, ir.LocalRead)):
            return expr
        local = b.locals.temporary(expr.type)
        statements.append(ir.Assign(local, expr, expr.span))
        return ir.LocalRead(local, local.type, expr.span)

    def walk(expr: ir.Expr) -> ir.Expr:
        match expr:
            case ir.Member() | ir.WireRead():
                return replace(expr, base=walk(expr.base))
            case ir.Item() | ir.WireItem():
                return replace(expr, base=walk(expr.base), index=hold(expr.index))
            case _:
                return hold(expr)

    held = walk(place)
    assert isinstance(held, type(place))
    return tuple(statements), held


def copied(b: Builder, expr: ir.Expr) -> tuple[tuple[ir.Stmt, ...], ir.Expr]:
    """A struct's value in a local of its own, apart from where it was read."""
    struct = struct_of(expr.type)
    assert struct is not None
    local = b.locals.temporary(struct)
    return (ir.Assign(local, expr, expr.span),), ir.LocalRead(local, struct, expr.span)
