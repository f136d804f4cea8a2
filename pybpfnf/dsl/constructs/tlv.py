"""TLVs that are in the packet: `srh.find(T)`, their fields, and writes to those."""

from __future__ import annotations

import ast
from dataclasses import replace
from difflib import get_close_matches

from pybpfnf.dsl import ir
from pybpfnf.dsl.building.arguments import Parameter, bind
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.operands import describe, present, to_type
from pybpfnf.dsl.building.values import POISON, Literal, Poison, TlvClass, TlvItems, Typed, Value
from pybpfnf.dsl.constructs.index import build_index
from pybpfnf.dsl.constructs.octets import octets_value
from pybpfnf.dsl.constructs.updates import updated
from pybpfnf.dsl.types import ANY_TLV, TLV_HEADER, U8, IntType, ItemsType, OctetsType, OptionalType, TlvViewType

_STORE_HELPER = "lwt_seg6_store_bytes"


def find(b: Builder, node: ast.Call) -> Value:
    """`srh.find(T)`: a look-up that may miss."""
    bound = bind(b, node, (Parameter("tlv"),), b.text(node.func))
    if bound is None:
        return POISON
    given = bound["tlv"]
    if isinstance(given, ast.Call) and isinstance(b.expr(given.func), TlvClass):
        cls = b.text(given.func)
        return b.error("type", f"`{b.text(node.func)}` takes a class, and `{b.text(given)}` makes a TLV", given, f"write `find({cls})`")
    wanted = b.expr(given)
    if isinstance(wanted, TlvClass):
        return Typed(ir.FindTlv(OptionalType(TlvViewType(wanted.layout)), b.span(node)))
    if isinstance(wanted, Poison):
        return POISON
    text = b.text(bound["tlv"])
    message = f"`{text}` is {describe(wanted)}, not a class of TLVs"
    return b.error("type", message, bound["tlv"], "write a class derived from Tlv, without its fields")


def is_instance(b: Builder, node: ast.Call) -> Value:
    """`isinstance(tlv, T)`, of a TLV that a loop over `srh.tlvs` goes over: whether it is one that `find(T)` finds."""
    bound = bind(b, node, (Parameter("tlv"), Parameter("cls")), "isinstance")
    if bound is None:
        return POISON
    asked, wanted = b.expr(bound["tlv"]), b.expr(bound["cls"])
    if isinstance(asked, Poison) or isinstance(wanted, Poison):
        return POISON
    if not isinstance(wanted, TlvClass):
        message = f"`{b.text(bound['cls'])}` is {describe(wanted)}, not a class of TLVs"
        return b.error("type", message, bound["cls"], "write one class derived from Tlv")
    if isinstance(asked, Typed) and isinstance(asked.expr, ir.TlvAs):
        asked = Typed(asked.expr.tlv)  # it was asked before
    if not isinstance(asked, Typed) or asked.expr.type != TlvViewType(ANY_TLV) or not isinstance(bound["tlv"], ast.Name):
        message = f"`{b.text(bound['tlv'])}` is {describe(asked)}, and `isinstance` asks a TLV of `srh.tlvs`"
        return b.error("type", message, bound["tlv"], "write `for tlv in pkt.srh.tlvs:` and ask `tlv`")
    b.flow.ask_class(bound["tlv"].id, ast.unparse(bound["cls"]), wanted.layout)
    return Typed(ir.IsTlv(asked.expr, wanted.layout, b.span(node)))


def is_found_tlv(value: Value) -> bool:
    """Whether it is a TLV in the packet, or a look-up that may be."""
    type_ = value.expr.type if isinstance(value, Typed) else None
    return isinstance(type_.inner if isinstance(type_, OptionalType) else type_, TlvViewType)


def build_tlv_field(b: Builder, holder: Value, node: ast.Attribute) -> Value:
    """`dm.session`."""
    holder = present(b, holder, node.value)
    if not isinstance(holder, Typed):
        return POISON
    view = holder.expr.type
    assert isinstance(view, TlvViewType)
    fields = {field.name: field for field in (*TLV_HEADER, *view.layout.fields)}
    field = fields.get(node.attr)
    if field is None:
        near = get_close_matches(node.attr, fields, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"it has {', '.join(fields)}"
        return b.error("name", f"`{view.layout.name}` has no field `{node.attr}`", node, hint)
    if isinstance(field.type, ItemsType):
        return TlvItems(holder.expr, field, field.type)
    return Typed(ir.TlvRead(holder.expr, field, field.type, b.span(node)))


def as_items(value: Value) -> Value:
    """Raw bytes of a TLV in the packet, as so many u8."""
    if isinstance(value, Typed) and isinstance(value.expr, ir.TlvRead) and isinstance(value.expr.type, OctetsType):
        return TlvItems(value.expr.base, value.expr.field, ItemsType(U8, value.expr.type.size, trailing=False))
    return value


def item_count(b: Builder, holder: TlvItems, node: ast.expr) -> Value:
    """`len(tlv.values)`."""
    if not holder.items.trailing:
        return Literal(holder.items.most)
    return Typed(ir.TlvLength(holder.base, holder.field, b.span(node)))


def build_array_item(b: Builder, holder: TlvItems, node: ast.Subscript) -> Value:
    """`tlv.values[i]`."""
    index = build_index(b, node, holder.items.most)
    if isinstance(index, Poison):
        return POISON
    return Typed(ir.TlvItem(holder.base, holder.field, index, holder.items.item, b.span(node)))


def build_tlv_item(b: Builder, holder: ir.TlvRead, index: ir.Expr, node: ast.Subscript) -> Value:
    """`tlv.value[i]`: a byte."""
    return Typed(ir.TlvItem(holder.base, holder.field, index, U8, b.span(node)))


def store_tlv(b: Builder, place: ir.TlvPlace, value: Value, target: ast.expr, node: ast.expr) -> tuple[ir.Stmt, ...]:
    """`dm.t2 = value`, `tlv.value[i] = value`."""
    where = f"`{b.text(target)}`"
    if isinstance(place.type, OctetsType):
        given = octets_value(b, place.type, value, node, where)
        stored = ir.Const(given, place.type, b.span(node)) if isinstance(given, bytes) else given
    else:
        stored = to_type(b, value, place.type, node, where)
    return (ir.SetTlv(place, stored, b.span(target)),) if _is_writable(b, place, target) else ()


def update_tlv(b: Builder, place: ir.TlvPlace, target: ast.expr, node: ast.AugAssign) -> tuple[ir.Stmt, ...]:
    """`dm.hops += 1`, `tlv.value[i] ^= 1`."""
    if not isinstance(place.type, IntType):
        b.error("type", f"`{b.text(target)}` is {describe(Typed(place))}, and this changes integers", node, "assign the new value")
        return ()
    before, held = _held(b, place)
    value = updated(b, held, node)
    if isinstance(value, Poison) or not _is_writable(b, place, target):
        return ()
    return (*before, ir.SetTlv(held, value, b.span(node)))


def _held(b: Builder, place: ir.TlvPlace) -> tuple[tuple[ir.Stmt, ...], ir.TlvPlace]:
    """The place with its index in a local, so that it is evaluated once though it is used twice."""
    if not isinstance(place, ir.TlvItem) or isinstance(place.index, ir.Const | ir.LocalRead):
        return (), place
    local = b.locals.temporary(place.index.type)
    read = ir.LocalRead(local, local.type, place.index.span)
    return (ir.Assign(local, place.index, place.index.span),), replace(place, index=read)


def _is_writable(b: Builder, place: ir.TlvPlace, target: ast.expr) -> bool:
    if place.field in TLV_HEADER:
        b.error("read-only", f"a TLV keeps its {place.field.name}", target, "append another TLV, and leave this one")
        return False
    if isinstance(place, ir.TlvItem) and isinstance(place.field.type, OctetsType):
        whole = b.text(target.value) if isinstance(target, ast.Subscript) else b.text(target)
        b.error("read-only", f"`{whole}` is bytes, which Python does not change one by one", target, f"assign all of them: `{whole} = ...`")
        return False
    if _STORE_HELPER in b.hook.helpers:
        return True
    b.error("read-only", f"{b.hook.name} cannot write TLVs", target, "only a seg6local function can")
    return False
