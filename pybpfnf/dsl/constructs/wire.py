"""TLVs and SRHs that a function makes."""

from __future__ import annotations

import ast
from typing import TypeAlias

from pybpfnf.dsl import ir
from pybpfnf.dsl.building.arguments import Parameter, bind
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.operands import describe, to_type
from pybpfnf.dsl.building.values import POISON, Built, Constant, Literal, Poison, Value
from pybpfnf.dsl.constructs.name import from_object
from pybpfnf.dsl.constructs.octets import octets_value
from pybpfnf.dsl.types import ADDRESS, U8, U16, ItemsType, OctetsType, TlvField, TlvLayout

TlvPart: TypeAlias = ir.Expr | bytes | tuple[ir.Expr, ...]

# The header's length field counts units of 8 bytes after the first 8, in 8 bits (RFC 8754 section 2).
_LARGEST_SRH = 8 + 255 * 8


def build_tlv(b: Builder, layout: TlvLayout, node: ast.Call) -> Value:
    """`Blob(flags=0, value=b"...")`."""
    parameters = [Parameter(field.name, required=field.default is None, keyword_only=True) for field in layout.fields]
    bound = bind(b, node, parameters, layout.name)
    if bound is None:
        return POISON
    values = tuple((field, _field_value(b, layout, field, bound.get(field.name), node)) for field in layout.fields)
    return Built(ir.TlvValue(layout, values, b.span(node)))


def _field_value(b: Builder, layout: TlvLayout, field: TlvField, given: ast.expr | None, node: ast.Call) -> TlvPart:
    if given is None:
        assert field.default is not None
        assert not isinstance(field.type, ItemsType)
        if isinstance(field.type, OctetsType) and isinstance(field.default, bytes):
            return field.default
        return ir.Const(field.default, field.type, b.span(node))
    if isinstance(field.type, ItemsType):
        return _array(b, field.type, given, f"`{field.name}` of {layout.name}")
    value = b.expr(given)
    where = f"`{field.name}` of {layout.name}"
    if isinstance(field.type, OctetsType):
        return octets_value(b, field.type, value, given, where)
    return to_type(b, value, field.type, given, where)


def _array(b: Builder, type_: ItemsType, given: ast.expr, where: str) -> tuple[ir.Expr, ...]:
    """The items of an array, written out or a constant tuple."""
    items = _items(b, given)
    if items is None:
        return ()
    if not type_.trailing and len(items) != type_.most:
        b.error("type", f"{where} has {type_.most} items, and this has {len(items)}", given, f"write {type_.most} items")
    if type_.trailing and len(items) > type_.most:
        b.error("overflow", f"{where} has at most {type_.most} items, and this has {len(items)}", given, "write fewer, or append two TLVs")
    return tuple(to_type(b, value, type_.item, item, f"an item of {where}") for value, item in items)


def build_srh(b: Builder, node: ast.Call) -> Value:
    """`Srh(path=[A, B], tlvs=[...], tag=0, flags=0)`."""
    parameters = [Parameter(name, required=name == "path", keyword_only=True) for name in ("path", "tlvs", "tag", "flags")]
    bound = bind(b, node, parameters, "Srh")
    if bound is None:
        return POISON
    hops, given = _items(b, bound["path"]), _items(b, bound.get("tlvs"))
    if hops is None or given is None:
        return POISON
    path = tuple(to_type(b, value, ADDRESS, item, "an element of `path`") for value, item in hops)
    tlvs = tuple(tlv for value, item in given if (tlv := as_tlv(b, value, item)) is not None)
    tag = to_type(b, _optional(b, bound.get("tag")), U16, bound.get("tag", node), "`tag`")
    flags = to_type(b, _optional(b, bound.get("flags")), U8, bound.get("flags", node), "`flags`")
    made = ir.SrhValue(path, tlvs, tag, flags, b.span(node))
    if not path:
        return b.error("arguments", "`path` is empty, and a packet goes somewhere", bound["path"], "give at least one address")
    if srh_size(made) > _LARGEST_SRH:
        return b.error("overflow", f"an SRH of {srh_size(made)} bytes: the largest has {_LARGEST_SRH}", node, "give a shorter path")
    return Built(made)


def _optional(b: Builder, node: ast.expr | None) -> Value:
    return Literal(0) if node is None else b.expr(node)


def _items(b: Builder, node: ast.expr | None) -> list[tuple[Value, ast.expr]] | None:
    """The elements of a list or a tuple that is written out, or of a constant tuple; None where it is neither, which was reported."""
    if node is None:
        return []
    if isinstance(node, ast.List | ast.Tuple):
        return [(b.expr(item), item) for item in node.elts]
    value = b.expr(node)
    if isinstance(value, Constant) and isinstance(value.value, tuple):
        return [(from_object(b, item, node, b.text(node)), node) for item in value.value]
    if not isinstance(value, Poison):
        b.error("type", f"`{b.text(node)}` is {describe(value)}, not a list", node, "write the elements out: [A, B]")
    return None


def as_tlv(b: Builder, value: Value, node: ast.expr) -> ir.TlvValue | None:
    """A TLV that the function makes; anything else is reported."""
    if isinstance(value, Built) and isinstance(value.value, ir.TlvValue):
        return value.value
    if not isinstance(value, Poison):
        b.error("type", f"`{b.text(node)}` is {describe(value)}, not a TLV", node, "write a class derived from Tlv, with its fields")
    return None


def as_srh(b: Builder, value: Value, node: ast.expr) -> ir.SrhValue | None:
    """An SRH that the function makes; anything else is reported."""
    if isinstance(value, Built) and isinstance(value.value, ir.SrhValue):
        return value.value
    if not isinstance(value, Poison):
        b.error("type", f"`{b.text(node)}` is {describe(value)}, not a new Srh", node, "write Srh(path=[...])")
    return None


def srh_size(srh: ir.SrhValue) -> int:
    """Bytes on the wire, padding included."""
    tlvs = sum(tlv.size for tlv in srh.tlvs)
    return 8 + ADDRESS.size * len(srh.path) + padded(tlvs)


def padded(size: int) -> int:
    """A TLV area of `size` bytes, padded to a multiple of 8: PadN has at least 2 bytes (RFC 8754 section 2.1.1.2), so 7 take 9 more."""
    missing = -size % 8
    return size + (9 if missing == 1 else missing)
