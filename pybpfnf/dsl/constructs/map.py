"""Maps: `m[k]`, `m.get(k)`, `k in m`, `m[k] = v`, `m[k] op= v`, `del m[k]`; and elements of constant tuples."""

from __future__ import annotations

import ast
from ipaddress import IPv6Network

from pybpfnf.dsl import ir
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.hints import one_of_hint
from pybpfnf.dsl.building.operands import article, describe, to_type, zero
from pybpfnf.dsl.building.values import (
    POISON,
    Constant,
    Literal,
    MapPlace,
    PacketView,
    Poison,
    ProgramsPlace,
    Segments,
    TlvItems,
    Typed,
    Value,
)
from pybpfnf.dsl.constructs.name import from_object, is_store_type, refuse_making
from pybpfnf.dsl.constructs.segments import build_segment, store_segment
from pybpfnf.dsl.constructs.struct import build_item, has_items, store_place, update_place
from pybpfnf.dsl.constructs.tails import program_slot
from pybpfnf.dsl.constructs.tlv import build_array_item, store_tlv, update_tlv
from pybpfnf.dsl.constructs.trie import look_up_key, stored_key
from pybpfnf.dsl.constructs.updates import atomic_update, is_atomic, updated
from pybpfnf.dsl.constructs.view import build_wire_item, has_wire_items, store_wire, update_wire
from pybpfnf.dsl.types import ADDRESS, OptionalType, StructType, ValueType, ViewType


def build_subscript(b: Builder, node: ast.Subscript) -> Value:
    """`m[k]`, or an element of a constant tuple."""
    if isinstance(node.slice, ast.Slice):
        return b.refuse(node.slice)
    holder = b.expr(node.value)
    match holder:
        case MapPlace(map_):
            return _read(b, map_, node)
        case ProgramsPlace(array):
            return program_slot(b, array, node)
        case TlvItems():
            return build_array_item(b, holder, node)
        case Segments():
            return build_segment(b, node)
        case Typed() if has_wire_items(holder):
            return build_wire_item(b, holder, node)
        case Typed() if has_items(holder):
            return build_item(b, holder, node)
        case Constant(tuple() as items):
            return _element(b, items, node)
        case Constant(thing) if is_store_type(thing):
            return refuse_making(b, thing, node.value)
        case Poison():
            return POISON
        case PacketView():
            message = f"`{b.text(node.value)}` is {describe(holder)}, which has no elements"
            return b.error("type", message, node, f"write `{b.packet_name}.load(u8, at={b.text(node.slice)})`")
        case _:
            return b.error("type", f"`{b.text(node.value)}` is {describe(holder)}, which has no elements", node, "read a map or a tuple")


def _element(b: Builder, items: tuple[object, ...], node: ast.Subscript) -> Value:
    index = b.expr(node.slice)
    if isinstance(index, Poison):
        return POISON
    if not isinstance(index, Literal) or index.unknown:
        return b.error("unsupported", "the index of a tuple is a constant", node.slice, "write an Array for an index that is computed")
    if not -len(items) <= index.value < len(items):
        return b.error("overflow", f"index {index.value} is out of range: `{b.text(node.value)}` has {len(items)}", node, "count from 0")
    return from_object(b, items[index.value], node, b.text(node))


def _read(b: Builder, map_: ir.Map, node: ast.Subscript) -> Value:
    read = ir.MapRead(map_, _key(b, map_, node.slice), _read_type(map_), b.span(node))
    if map_.row.drops and map_.default is not None:
        b.flow.end_views(map_.name, b.span(node))  # the entry is made where it is missing, and another one dropped for it
    return Typed(read)


def _read_type(map_: ir.Map) -> ValueType | ViewType:
    """What `m[k]` gives: a copy of a scalar, a view of a struct."""
    if isinstance(map_.value, StructType):
        return ViewType(map_.value, map_.name, shared=not map_.row.per_cpu)
    return map_.value


def _key(b: Builder, map_: ir.Map, node: ast.expr, *, stored: bool = False) -> ir.Expr:
    """`stored`: what an entry is made or deleted under, where that is something else than what is looked up."""
    value = b.expr(node)
    if map_.is_trie:
        return stored_key(b, map_, value, node) if stored else look_up_key(b, map_, value, node)
    if map_.row.indexed and isinstance(value, Literal) and not 0 <= value.value < map_.max_entries:
        last = map_.max_entries - 1
        b.error("overflow", f"index {value.value} is out of range: `{map_.name}` has {map_.max_entries}", node, f"write 0 to {last}")
        return zero(map_.key, node, b)
    return to_type(b, value, map_.key, node, f"the key of `{map_.name}`")


def _as_map(b: Builder, node: ast.expr) -> ir.Map | None:
    """The map that an expression names; None when it names none, and that was reported."""
    place = b.expr(node)
    if isinstance(place, MapPlace):
        return place.map
    if not isinstance(place, Poison):
        b.error("type", f"`{b.text(node)}` is {describe(place)}, not a map", node, "write the name of a map")
    return None


def contains(b: Builder, key: ast.expr, holder: ast.expr, node: ast.expr) -> ir.Expr | Poison:
    if isinstance(holder, ast.Tuple | ast.List | ast.Set):
        return b.error("unsupported", "`in` asks a Hash or a Prefix", holder, one_of_hint(b.text(key), holder))
    place = b.expr(holder)
    if isinstance(place, Constant) and isinstance(place.value, IPv6Network):
        address = to_type(b, b.expr(key), ADDRESS, key, f"what is in `{b.text(holder)}`")
        return ir.InPrefix(address, place.value.network_address.packed, place.value.prefixlen, b.span(node))
    if isinstance(place, Constant):
        text = b.text(key)
        hint = f"write `Prefix({b.text(holder)})`" if isinstance(place.value, str) else f"write `{text} == a or {text} == b`"
        return b.error("unsupported", "`in` asks a Hash or a Prefix", node, hint)
    if isinstance(place, Typed) and place.expr.type == ADDRESS:
        text = b.text(holder)
        hint = f"write `{b.text(key)} == {text}`, or `in` a Prefix"
        return b.error("type", f"`{text}` is one address, and holds no others", holder, hint)
    if not isinstance(place, MapPlace):
        _as_map(b, holder)
        return POISON
    if not _is_hash(b, place.map, "`in`", node):
        return POISON
    return ir.MapContains(place.map, _key(b, place.map, key), b.span(node))


def get(b: Builder, map_: ir.Map, key: ast.expr, node: ast.Call) -> Value:
    """`m.get(key)`."""
    if not _is_hash(b, map_, "`get`", node):
        return POISON
    return Typed(ir.MapGet(map_, _key(b, map_, key), OptionalType(_read_type(map_)), b.span(node)))


def _is_hash(b: Builder, map_: ir.Map, what: str, node: ast.expr | ast.stmt, hint: str | None = None) -> bool:
    if not map_.row.indexed:
        return True
    hint = f"write `{map_.name}[index]`" if hint is None else hint
    b.error("not-here", f"{what} is for a Hash: every index of `{map_.name}` is there", node, hint)
    return False


def store_item(b: Builder, target: ast.Subscript, value: Value, node: ast.expr) -> tuple[ir.Stmt, ...]:
    """`m[k] = value`."""
    place = _item(b, target)
    if isinstance(place, Poison):
        return ()
    if isinstance(place, ir.TlvItem):
        return store_tlv(b, place, value, target, node)
    if isinstance(place, ir.WireItem):
        return store_wire(b, place, value, target, node)
    if place is not None:
        return store_place(b, place, value, target, node)
    map_ = _target_map(b, target)
    if map_ is None:
        return ()
    stored = to_type(b, value, map_.value, node, f"a value of `{map_.name}`")
    statement = ir.SetMap(map_, _key(b, map_, target.slice, stored=True), stored, b.span(target))
    if not map_.row.indexed:
        b.flow.end_views(map_.name, b.span(target))
    return (statement,)


def _item(b: Builder, target: ast.Subscript) -> ir.Item | ir.TlvItem | ir.WireItem | Poison | None:
    """The item of an array in a struct, a TLV or a header that a target names; None where it names an entry of a map, or what has no
    entries."""
    if not isinstance(target.value, ast.Attribute) and not (isinstance(target.value, ast.Name) and target.value.id in b.locals.names):
        return None
    found = b.expr(target)
    if isinstance(found, Typed) and isinstance(found.expr, ir.SegmentRead):
        store_segment(b, target)
        return POISON
    if isinstance(found, Typed) and isinstance(found.expr, ir.Item | ir.TlvItem | ir.WireItem):
        return found.expr
    return found if isinstance(found, Poison) else None


def update_item(b: Builder, target: ast.Subscript, node: ast.AugAssign) -> tuple[ir.Stmt, ...]:
    """`m[k] op= e`: one atomic update where there is an instruction for it, else read, compute, write."""
    place = _item(b, target)
    if isinstance(place, Poison):
        return ()
    if isinstance(place, ir.TlvItem):
        return update_tlv(b, place, target, node)
    if isinstance(place, ir.WireItem):
        return update_wire(b, place, target, node)
    if place is not None:
        return update_place(b, place, target, node)
    map_ = _target_map(b, target)
    if map_ is None:
        return ()
    if isinstance(map_.value, StructType):
        b.error("type", f"`{b.text(target)}` is {article(map_.value)}, and this changes integers", node, "change one of its fields")
        return ()
    if not map_.row.indexed and map_.default is None and not map_.is_trie:
        message = f"`{map_.name}` has no default, so a missing key has no value to change"
        b.error("type", message, node, f"write `default=0` where `{map_.name}` is made, or ask `in` and assign")
        return ()
    key = _key(b, map_, target.slice)
    if is_atomic(node.op):
        read = ir.MapRead(map_, key, map_.value, b.span(target))
        update = atomic_update(b, read, node, map_.name, shared=not map_.row.per_cpu)
        return () if isinstance(update, Poison) else (ir.UpdateMap(map_, key, update.op, update.operand, b.span(node)),)
    if map_.is_trie:
        message = f"`{b.text(target)}` changes by += -= &= |= ^= alone: which prefix matched is not known any more when it is written"
        b.error("unsupported", message, node, "store a Struct, and change its field")
        return ()
    return _rewrite_item(b, map_, key, target, node)


def _rewrite_item(b: Builder, map_: ir.Map, key: ir.Expr, target: ast.Subscript, node: ast.AugAssign) -> tuple[ir.Stmt, ...]:
    """Read, compute, write: no instruction does it at once. The key is evaluated once."""
    held = b.locals.temporary(map_.key)
    again = ir.LocalRead(held, held.type, key.span)
    value = updated(b, ir.MapRead(map_, again, map_.value, b.span(target)), node)
    if isinstance(value, Poison):
        return ()
    return (ir.Assign(held, key, key.span), ir.SetMap(map_, again, value, b.span(node)))


def _target_map(b: Builder, target: ast.Subscript) -> ir.Map | None:
    holder = b.expr(target.value)
    if isinstance(holder, Constant):
        b.error("read-only", f"`{b.text(target.value)}` is a constant", target, "write an Array at module level")
        return None
    if isinstance(holder, MapPlace):
        return holder.map
    if isinstance(holder, ProgramsPlace):
        name = holder.array.name
        b.error("read-only", f"the programs of `{name}` are there from load on", target, f"write `{name}[...] = ...` at module level")
        return None
    return _as_map(b, target.value)


def delete_item(b: Builder, target: ast.expr) -> tuple[ir.Stmt, ...]:
    """`del m[k]`."""
    if not isinstance(target, ast.Subscript):
        b.error("unsupported", "`del` takes an entry of a Hash", target, "write `del m[key]`")
        return ()
    map_ = _as_map(b, target.value)
    if map_ is None or not _is_hash(b, map_, "`del`", target, f"write `{b.text(target)} = 0`"):
        return ()
    statement = ir.DeleteMap(map_, _key(b, map_, target.slice, stored=True), b.span(target))
    b.flow.end_views(map_.name, b.span(target))
    return (statement,)
