"""TLVs that are in the packet: `srh.find(T)`, their fields, and writes to those."""

from __future__ import annotations

import ast
from difflib import get_close_matches

from pybpfnf.dsl import ir
from pybpfnf.dsl.arguments import Parameter, bind
from pybpfnf.dsl.builder import Builder
from pybpfnf.dsl.operands import describe, present, to_type
from pybpfnf.dsl.types import IntType, OptionalType, TlvViewType
from pybpfnf.dsl.updates import updated
from pybpfnf.dsl.values import POISON, Poison, TlvClass, Typed, Value

_STORE_HELPER = "lwt_seg6_store_bytes"


def find(b: Builder, node: ast.Call) -> Value:
    """`srh.find(T)`: a look-up that may miss."""
    bound = bind(b, node, (Parameter("tlv"),), b.text(node.func))
    if bound is None:
        return POISON
    wanted = b.expr(bound["tlv"])
    if isinstance(wanted, TlvClass):
        return Typed(ir.FindTlv(OptionalType(TlvViewType(wanted.layout)), b.span(node)))
    if isinstance(wanted, Poison):
        return POISON
    text = b.text(bound["tlv"])
    message = f"`{text}` is {describe(wanted)}, not a class of TLVs"
    return b.error("type", message, bound["tlv"], "write a class derived from Tlv, without its fields")


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
    fields = {field.name: field for field in view.layout.fields}
    field = fields.get(node.attr)
    if field is None:
        near = get_close_matches(node.attr, fields, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"it has {', '.join(fields)}"
        return b.error("name", f"`{view.layout.name}` has no field `{node.attr}`", node, hint)
    if field.type is None:
        message = f"`{node.attr}` is raw bytes, and those of a TLV in the packet are not lowered yet"
        return b.error("unsupported", message, node, "write its parts as fields of u8 to u64")
    return Typed(ir.TlvRead(holder.expr, field, field.type, b.span(node)))


def store_tlv(b: Builder, place: ir.TlvRead, value: Value, target: ast.expr, node: ast.expr) -> tuple[ir.Stmt, ...]:
    """`dm.t2 = value`."""
    stored = to_type(b, value, place.type, node, f"`{b.text(target)}`")
    return (ir.SetTlv(place, stored, b.span(target)),) if _is_writable(b, target) else ()


def update_tlv(b: Builder, place: ir.TlvRead, target: ast.expr, node: ast.AugAssign) -> tuple[ir.Stmt, ...]:
    """`dm.hops += 1`."""
    if not isinstance(place.type, IntType):
        b.error("type", f"`{b.text(target)}` is {describe(Typed(place))}, and this changes integers", node, "assign the new value")
        return ()
    value = updated(b, place, node)
    if isinstance(value, Poison) or not _is_writable(b, target):
        return ()
    return (ir.SetTlv(place, value, b.span(node)),)


def _is_writable(b: Builder, target: ast.expr) -> bool:
    if _STORE_HELPER in b.hook.helpers:
        return True
    b.error("read-only", f"{b.hook.name} cannot write TLVs", target, "only a seg6local function can")
    return False
