"""Headers anywhere in the packet: `pkt.view`, `pkt.get`, `pkt.find`, `pkt.load`, their fields and items, and writes to those."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from difflib import get_close_matches

from pybpfnf.abi.programs import PacketRights
from pybpfnf.dsl import ir
from pybpfnf.dsl.building.arguments import Parameter, bind
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.operands import as_number, convert, describe, present, to_type
from pybpfnf.dsl.building.values import POISON, Constant, HeaderClass, Literal, Poison, Typed, Value
from pybpfnf.dsl.constructs.index import build_index
from pybpfnf.dsl.constructs.struct import field_value, hold_place
from pybpfnf.dsl.constructs.updates import updated
from pybpfnf.dsl.surface.packets import Ipv6, Srh
from pybpfnf.dsl.surface.route_headers import Ipv4, XmitIpv4, XmitIpv6
from pybpfnf.dsl.surface.scalars import value_type
from pybpfnf.dsl.types import (
    U8,
    U64,
    HeaderType,
    IntType,
    OctetsType,
    OptionalType,
    PacketViewType,
    Type,
    WireArrayType,
    WireField,
    WireType,
)

VIEW_METHODS = ("view", "get", "find", "load")
_FARTHEST = 0x7FFF  # an offset that the verifier follows (include/linux/bpf_verifier.h: MAX_PACKET_OFF is 0xffff, for its sum)
_DERIVED = "write a class derived from Header"
# What annotates a packet's own headers; the first has the name of a class of headers.
_NOT_HEADERS: Mapping[object, str] = {
    **dict.fromkeys((Ipv6, XmitIpv6), "write `from pybpfnf.headers import Ipv6`: the one of `pybpfnf` is the type of `pkt.ipv6`"),
    **dict.fromkeys((Ipv4, XmitIpv4), "write `from pybpfnf.headers import Ipv4`: the one of `pybpfnf` is the type of `pkt.ipv4`"),
    Srh: "read `pkt.srh`",
}
_AT = Parameter("at", keyword_only=True)


def build_view(b: Builder, name: str, node: ast.Call) -> Value:
    """A call of one of `VIEW_METHODS`."""
    what = Parameter("kind" if name == "load" else "header")
    bound = bind(b, node, (what,) if name == "find" else (what, _AT), b.text(node.func))
    if bound is None:
        return POISON
    if name == "load":
        return _load(b, bound[what.name], bound["at"], node)
    header = _header(b, bound[what.name])
    if name == "find":
        return POISON if header is None else _find(b, header, bound[what.name], node)
    offset = _offset(b, bound["at"])
    if header is None or offset is None:
        return POISON
    view = PacketViewType(header)
    return Typed(ir.ViewAt(offset, OptionalType(view) if name == "get" else view, b.span(node)))


def _header(b: Builder, node: ast.expr) -> HeaderType | None:
    value = b.expr(node)
    if isinstance(value, HeaderClass):
        return value.type
    if not isinstance(value, Poison):
        kind = value.value if isinstance(value, Constant) else None
        hint = f"write `pkt.load({b.text(node)}, at=...)`" if value_type(kind) is not None else _NOT_HEADERS.get(kind, _DERIVED)
        b.error("type", f"`{b.text(node)}` is {describe(value)}, not a class of headers", node, hint)
    return None


def _find(b: Builder, header: HeaderType, node: ast.expr, call: ast.Call) -> Value:
    if header.number is not None:
        return Typed(ir.FindHeader(OptionalType(PacketViewType(header)), b.span(call)))
    message = f"`{header}` has no number, by which the header before it would announce it"
    return b.error("type", message, node, f"write `class {header}(Header, number=17)`, or view it at an offset")


def _load(b: Builder, kind: ast.expr, at: ast.expr, node: ast.Call) -> Value:
    value, offset = b.expr(kind), _offset(b, at)
    type_ = value_type(value.value) if isinstance(value, Constant) else None
    if type_ is None:
        if not isinstance(value, Poison):
            message = f"`{b.text(kind)}` is {describe(value)}, and this reads one value"
            hint = f"write `pkt.view({b.text(kind)}, at=...)`" if isinstance(value, HeaderClass) else "write u8 to u64, or IPv6Address"
            b.error("type", message, kind, hint)
        return POISON
    if offset is None:
        return POISON
    field = WireField(str(type_), 0, type_, type_.size)
    view = PacketViewType(HeaderType(str(type_), type_.size, (field,)))
    return Typed(ir.WireRead(ir.ViewAt(offset, view, b.span(node)), field, type_, b.span(node)))


def _offset(b: Builder, node: ast.expr) -> ir.Expr | None:
    """A u64: what is negative is then past the end of every packet."""
    number = as_number(b, b.expr(node), node, "`at`")
    match number:
        case Poison():
            return None
        case Typed(expr):
            return convert(expr, U64)
        case Literal(value, unknown) if not unknown and not 0 <= value <= _FARTHEST:
            b.error("overflow", f"{value} is no offset in a packet", node, f"count bytes from the IP header: 0 to {_FARTHEST}")
            return None
        case _:
            return to_type(b, number, U64, node, "`at`")


# ------------------------------------------------------------------------------------------------------------- places


def is_header_view(value: Value) -> bool:
    """Whether it is a header in the packet, or a look-up that may be."""
    type_ = value.expr.type if isinstance(value, Typed) else None
    inner = type_.inner if isinstance(type_, OptionalType) else type_
    return isinstance(inner, PacketViewType) and isinstance(inner.of, HeaderType)


def build_wire_field(b: Builder, holder: Value, node: ast.Attribute) -> Value:
    """`udp.source_port`."""
    holder = present(b, holder, node.value)
    if not isinstance(holder, Typed):
        return POISON
    view = holder.expr.type
    assert isinstance(view, PacketViewType)
    assert isinstance(view.of, HeaderType)
    field = view.of.field(node.attr)
    if field is not None:
        return Typed(ir.WireRead(holder.expr, field, _read_type(field.type), b.span(node)))
    names = [other.name for other in view.of.fields]
    near = get_close_matches(node.attr, names, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"it has {', '.join(names)}"
    return b.error("name", f"`{view.of}` has no field `{node.attr}`", node, hint)


def _read_type(type_: WireType) -> Type:
    """What reading gives: a view of what has fields or items of its own, else the value."""
    return PacketViewType(type_) if isinstance(type_, HeaderType | WireArrayType) else type_


def has_wire_items(value: Value) -> bool:
    return isinstance(value, Typed) and _items(value.expr) is not None


def _items(expr: ir.Expr) -> tuple[WireType, int] | None:
    """The type and number of the items of an array or of octets in the packet; None for anything else."""
    match expr.type:
        case PacketViewType(WireArrayType(item, count)):
            return item, count
        case OctetsType(size) if isinstance(expr, ir.WireRead):
            return U8, size
        case _:
            return None


def build_wire_item(b: Builder, holder: Typed, node: ast.Subscript) -> Value:
    """`header.hops[i]`, and a byte of octets."""
    items = _items(holder.expr)
    assert items is not None
    item, count = items
    index = build_index(b, node, count)
    return index if isinstance(index, Poison) else Typed(ir.WireItem(holder.expr, index, _read_type(item), b.span(node)))


# ------------------------------------------------------------------------------------------------------------- writes


def store_wire(b: Builder, place: ir.WirePlace, value: Value, target: ast.expr, node: ast.expr) -> tuple[ir.Stmt, ...]:
    """`udp.checksum = value`."""
    if isinstance(place.type, PacketViewType):
        b.error("type", f"`{b.text(target)}` is {describe(Typed(place))}, and is not assigned as a whole", target, "assign its parts")
        return ()
    bits = place.field.bits if isinstance(place, ir.WireRead) else 0
    stored = field_value(b, place.type, bits, value, node, f"`{b.text(target)}`")
    if isinstance(stored, bytes):
        stored = ir.Const(stored, place.type, b.span(node))
    return (ir.SetWire(place, stored, b.span(target)),) if _is_writable(b, target) else ()


def update_wire(b: Builder, place: ir.WirePlace, target: ast.expr, node: ast.AugAssign) -> tuple[ir.Stmt, ...]:
    """`ip.ttl -= 1`."""
    if not isinstance(place.type, IntType):
        b.error("type", f"`{b.text(target)}` is {describe(Typed(place))}, and this changes integers", node, "assign the new value")
        return ()
    before, held = hold_place(b, place)
    value = updated(b, held, node)
    if isinstance(value, Poison) or not _is_writable(b, target):
        return ()
    return (*before, ir.SetWire(held, value, b.span(node)))


def _is_writable(b: Builder, target: ast.expr) -> bool:
    if b.hook.packet is PacketRights.READ_WRITE:
        return True
    b.error("read-only", f"{b.hook.name} cannot write `{b.text(target)}`", target, "only an lwt_xmit function writes the packet itself")
    return False
