"""The packet: its headers and their fields, the fields of the context, and writes to them."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from difflib import get_close_matches

from pybpfnf.abi.contexts import ContextField
from pybpfnf.abi.headers import HEADERS, Field, Header
from pybpfnf.abi.programs import ProgramType
from pybpfnf.dsl import ir
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.hints import PART_OF_ADDRESS
from pybpfnf.dsl.building.hooks import HOOKS, METHODS, PUSHES
from pybpfnf.dsl.building.operands import describe
from pybpfnf.dsl.building.rules import is_gpl_compatible
from pybpfnf.dsl.building.values import (
    POISON,
    Constant,
    EventsPlace,
    HeaderView,
    MapPlace,
    Method,
    PacketView,
    Poison,
    QueuePlace,
    Segments,
    TlvItems,
    Tlvs,
    Typed,
    Value,
)
from pybpfnf.dsl.constructs.events import events_method
from pybpfnf.dsl.constructs.name import member
from pybpfnf.dsl.constructs.queue import queue_method
from pybpfnf.dsl.constructs.redirect import REDIRECTS
from pybpfnf.dsl.constructs.struct import build_member, field_value, has_fields, store_place, update_place
from pybpfnf.dsl.constructs.tlv import build_tlv_field, is_found_tlv, store_tlv, update_tlv
from pybpfnf.dsl.constructs.updates import updated
from pybpfnf.dsl.constructs.view import VIEW_METHODS, build_wire_field, is_header_view, store_wire, update_wire
from pybpfnf.dsl.types import ADDRESS, INT_TYPES, U64, ValueType

# Of the context, what is a pointer in disguise (include/uapi/linux/bpf.h, struct __sk_buff).
_POINTERS = frozenset({"data", "data_end", "data_meta", "sk", "flow_keys"})

_UPPER: Mapping[str, str] = {"udp": "Udp", "tcp": "Tcp", "icmpv6": "Icmpv6"}  # headers that are found, by the name of their class

# What the language is going to have.
_LATER: Mapping[str, frozenset[str]] = {
    "srh": frozenset({"path"}),
}


def build_attribute(b: Builder, node: ast.Attribute) -> Value:
    """`pkt.srh`, `pkt.mark`, `srh.tag`, a method, or a member of a module."""
    holder = b.expr(node.value)
    match holder:
        case PacketView():
            return _of_packet(b, node)
        case HeaderView():
            return _of_header(b, holder, node)
        case MapPlace():
            return Method(holder, node.attr) if node.attr == "get" else _unknown_of_map(b, holder.map, node)
        case QueuePlace():
            return queue_method(b, holder, node)
        case EventsPlace():
            return events_method(b, holder, node)
        case Constant():
            return member(b, holder, node)
        case Typed() if is_found_tlv(holder):
            return build_tlv_field(b, holder, node)
        case Typed() if is_header_view(holder):
            return build_wire_field(b, holder, node)
        case Typed() if has_fields(holder):
            return build_member(b, holder, node)
        case Poison():
            return POISON
        case _:
            is_address = isinstance(holder, Typed) and holder.expr.type == ADDRESS
            hint = PART_OF_ADDRESS if is_address else "read a field of a header"
            return b.error("type", f"`{b.text(node.value)}` is {describe(holder)}, which has no fields", node, hint)


def _of_packet(b: Builder, node: ast.Attribute) -> Value:
    name = node.attr
    if name in HOOKS[b.hook.name].headers:
        return HeaderView(HEADERS[name])
    if name in METHODS or name in PUSHES or name in VIEW_METHODS or name in REDIRECTS:
        return Method(PacketView(), name)
    if name == "received":
        return _received(b, node)
    field = _context_field(b, node)
    if isinstance(field, Poison):
        return POISON
    return Typed(ir.ContextRead(field, _context_type(field), b.span(node)))


def _received(b: Builder, node: ast.Attribute) -> Value:
    """It is in the kernel's structure behind the context, to which a kernel function leads."""
    if not is_gpl_compatible(b.license):
        message = f"`{b.text(node)}` is for GPL programs, and the license is {b.license!r}"
        return b.error("not-here", message, node, 'write `license="GPL"`')
    span = b.span(node)
    return Typed(ir.ReceiveTime(ir.VariableRead(ir.TSTAMP_OFFSET, U64, span), span))


def readable_fields(hook: ProgramType) -> dict[str, ContextField]:
    """The fields of the context that a function of this hook reads as integers: no pointers, no arrays."""
    return {name: field for name, field in hook.context.fields.items() if hook.name in field.readable and _is_integer(field)}


def _is_integer(field: ContextField) -> bool:
    return field.name not in _POINTERS and field.count == 1


def _context_field(b: Builder, node: ast.Attribute) -> ContextField | Poison:
    readable = readable_fields(b.hook)
    if node.attr in readable:
        return readable[node.attr]
    field = b.hook.context.fields.get(node.attr)
    if field is not None and not _is_integer(field):
        message = f"`{node.attr}` of {b.hook.context.name} is no integer that a function reads"
        return b.error("unsupported", message, node, _not_integer_hint(field, b.text(node.value)))
    if node.attr == "ipv4":
        hint = "the outermost header is `pkt.ipv6`; `pkt.find(Ipv4)`, with `from pybpfnf.headers import Ipv4`, is the packet inside"
        return b.error("not-here", "a packet at a SID is one of IPv6", node, hint)
    if node.attr in _UPPER:
        header = _UPPER[node.attr]
        hint = f"write `{b.text(node.value)}.find({header})`, with `from pybpfnf.headers import {header}`"
        return b.error("name", f"the packet has no `{node.attr}`", node, hint)
    if field is None:
        return _unknown(b, node, "the packet", (*HOOKS[b.hook.name].headers, *VIEW_METHODS, *METHODS, *readable))
    verb = "write" if isinstance(node.ctx, ast.Store) else "read"
    message = f"{b.hook.name} cannot {verb} `{node.attr}` of {b.hook.context.name}"
    return b.error("not-here", message, node, "the kernel keeps this field from this hook")


def _not_integer_hint(field: ContextField, packet: str) -> str:
    if field.count > 1:
        return f"what the next function of a tail call must know goes in `{packet}.mark`, or in a map"
    return f"read the packet with `{packet}.load(u32, at=...)`, or `{packet}.view(Header, at=...)`"


def _context_type(field: ContextField) -> ValueType:
    return INT_TYPES[f"u{field.size * 8}"]


def _of_header(b: Builder, view: HeaderView, node: ast.Attribute) -> Value:
    if isinstance(fresh(b, view, node), Poison) or not _is_there(b, view, node):
        return POISON
    if view.header.name == "srh" and node.attr in ("append", "find", "insert", "remove"):
        return Method(view, node.attr)
    if view.header.name == "srh" and node.attr == "segments":
        return Segments(view)
    if view.header.name == "srh" and node.attr == "tlvs":
        return Tlvs(view)
    field = _header_field(b, view.header, node)
    if isinstance(field, Poison):
        return POISON
    return Typed(ir.HeaderRead(view.header, field, field_type(field), b.span(node)))


def _is_there(b: Builder, view: HeaderView, node: ast.Attribute) -> bool:
    """Whether the packet is known to have the header; reported where it may be without."""
    name = view.header.name
    if name in HOOKS[b.hook.name].always | b.flow.headers:
        return True
    what = {"ipv6": "an IPv4 packet", "ipv4": "an IPv6 packet", "srh": "a packet without an SRH"}[name]
    text = b.text(node.value)
    b.error("maybe-none", f"`{text}` is None for {what}, which {b.hook.name} sees too", node, f"ask `if {text} is None` before")
    return False


def fresh(b: Builder, view: HeaderView, node: ast.expr) -> HeaderView | Poison:
    """The view, unless the packet may have moved since it was read."""
    if view.moved is None:
        return view
    line = b.line_of(view.moved)
    message = f"`{view.local}` was read before line {line} moved the packet"
    return b.error("stale-view", message, node, f"read `{b.packet_name}.{view.header.name}` again after line {line}")


def _header_field(b: Builder, header: Header, node: ast.Attribute) -> Field | Poison:
    field = header.fields.get(node.attr)
    if field is not None:
        return field
    if node.attr in _LATER.get(header.name, ()):
        return _later(b, node)
    methods = ("append", "find", "insert", "remove") if header.name == "srh" else ()
    return _unknown(b, node, f"the {header.name} header", (*header.fields, *methods))


def field_type(field: Field) -> ValueType:
    """The narrowest type that holds the field: a bit field of 20 bits reads as u32."""
    if field.width == ADDRESS.size * 8:
        return ADDRESS
    return next(type_ for type_ in INT_TYPES.values() if not type_.signed and type_.width >= field.width)


def _unknown(b: Builder, node: ast.Attribute, holder: str, known: tuple[str, ...]) -> Poison:
    near = get_close_matches(node.attr, known, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"it has {', '.join(known)}"
    return b.error("name", f"{holder} has no `{node.attr}`", node, hint)


def _unknown_of_map(b: Builder, map_: ir.Map, node: ast.Attribute) -> Poison:
    name = map_.name
    forms = (f"`{name}[key]`", *((f"`{name}.get(key)`", f"`key in {name}`", f"`del {name}[key]`") if map_.kind == "hash" else ()))
    return b.error("name", f"the map `{name}` has no `{node.attr}`", node, f"there is {', '.join(forms)}")


def _later(b: Builder, node: ast.Attribute) -> Poison:
    return b.error("unsupported", f"`{node.attr}` is not lowered yet", node, "leave it out")


def store_attribute(b: Builder, target: ast.Attribute, value: Value, node: ast.expr) -> tuple[ir.Stmt, ...]:
    """`pkt.srh.tag = value`, `pkt.mark = value`."""
    place = _writable(b, target)
    if isinstance(place, Poison):
        return ()
    if isinstance(place, ir.Member):
        return store_place(b, place, value, target, node)
    if isinstance(place, ir.TlvRead):
        return store_tlv(b, place, value, target, node)
    if isinstance(place, ir.WireRead):
        return store_wire(b, place, value, target, node)
    bits = place.field.width % (place.field.storage * 8) if isinstance(place, ir.HeaderRead) else 0
    stored = field_value(b, place.type, bits, value, node, f"`{b.text(target)}`")
    return () if isinstance(stored, bytes) else (_write(b, place, stored, target),)


def update_attribute(b: Builder, target: ast.Attribute, node: ast.AugAssign) -> tuple[ir.Stmt, ...]:
    """`pkt.srh.tag op= e`."""
    place = _writable(b, target)
    if isinstance(place, Poison):
        return ()
    if isinstance(place, ir.Member):
        return update_place(b, place, target, node)
    if isinstance(place, ir.TlvRead):
        return update_tlv(b, place, target, node)
    if isinstance(place, ir.WireRead):
        return update_wire(b, place, target, node)
    value = updated(b, place, node)
    return () if isinstance(value, Poison) else (_write(b, place, value, node),)


def _write(b: Builder, place: ir.HeaderRead | ir.ContextRead, value: ir.Expr, node: ast.expr | ast.stmt) -> ir.Stmt:
    if isinstance(place, ir.HeaderRead):
        return ir.SetHeader(place.header, place.field, value, b.span(node))
    return ir.SetContext(place.field, value, b.span(node))


def _writable(b: Builder, target: ast.Attribute) -> ir.HeaderRead | ir.ContextRead | ir.Member | ir.TlvRead | ir.WireRead | Poison:
    """The place that an attribute names, where the hook may write it."""
    place = b.expr(target)
    match place:
        case Typed(ir.Member() as member_):
            return member_
        case Typed(ir.TlvRead() as field_of_tlv):
            return field_of_tlv
        case Typed(ir.WireRead() as field_of_view):
            return field_of_view
        case Typed(ir.HeaderRead(header, field) as read):
            writable = HOOKS[b.hook.name].writable.get(header.name, ())
            if field.name in writable:
                return read
            return _read_only(b, target, f"{header.name}.{field.name}", tuple(f"{header.name}.{name}" for name in writable))
        case Typed(ir.ContextRead(field) as read):
            if b.hook.name in field.writable:
                return read
            writable = tuple(name for name, row in readable_fields(b.hook).items() if b.hook.name in row.writable)
            return _read_only(b, target, field.name, writable)
        case Poison():
            return POISON
        case Segments():
            text = b.text(target)
            return b.error(
                "read-only", f"{b.hook.name} cannot write `{text}`", target, "the kernel's helpers write flags, tag and TLVs alone"
            )
        case TlvItems():
            text = b.text(target)
            return b.error("read-only", f"the array `{text}` is not assigned as a whole", target, f"assign its items: `{text}[i] = ...`")
        case _:
            return b.error("read-only", f"`{b.text(target)}` cannot be assigned", target, "bind it to a local with another name")


_WRITES: Mapping[str, str] = {
    "lwt_seg6local": "it may write flags, tag and TLVs of the SRH, and run actions",
    "lwt_in": "it may put an encapsulation on the packet",
    "lwt_out": "it may read, count and drop",
    "lwt_xmit": "write it through a view: `pkt.view(Ipv6, at=0)`, with `from pybpfnf.headers import Ipv6`",
}


def _read_only(b: Builder, target: ast.Attribute, name: str, writable: tuple[str, ...]) -> Poison:
    hint = f"it may write {', '.join(writable)}" if writable else _WRITES[b.hook.name]
    return b.error("read-only", f"{b.hook.name} cannot write `{name}`", target, hint)
