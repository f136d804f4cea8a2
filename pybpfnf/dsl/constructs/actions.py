"""What a function does to a packet as a whole: `append`, the seg6 actions, encapsulations."""

from __future__ import annotations

import ast

from pybpfnf.abi.headers import HEADERS
from pybpfnf.dsl import ir
from pybpfnf.dsl.building.arguments import Parameter, bind
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.conversions import widens
from pybpfnf.dsl.building.hints import helper_hint
from pybpfnf.dsl.building.hooks import ACTION_HELPER, APPEND_HELPER, LARGEST_PUSH, METHODS, PUSHES, PushRow
from pybpfnf.dsl.building.operands import as_number, convert, settle, to_type
from pybpfnf.dsl.building.values import POISON, Appended, Choice, Literal, Poison, Typed, Value
from pybpfnf.dsl.constructs.wire import as_srh, as_tlv, srh_size
from pybpfnf.dsl.types import ADDRESS, S32, U8, U32, VERDICT, IntType

_HOP_LIMIT = 64  # of an outer header that the function makes (net.ipv6.conf.*.hop_limit)


def append(b: Builder, node: ast.Call) -> Value:
    """`srh.append(tlv)`. The packet moves."""
    bound = bind(b, node, (Parameter("tlv"),), b.text(node.func))
    if bound is None or not has_helper(b, APPEND_HELPER, node):
        return POISON
    tlv = as_tlv(b, b.expr(bound["tlv"]), bound["tlv"])
    b.flow.move_packet(b.span(node))
    return POISON if tlv is None else Appended(tlv)


def run_action(b: Builder, name: str, node: ast.Call) -> Value:
    """`pkt.end_t(table=...)` and its like: the verdict REDIRECT. The packet moves."""
    row = METHODS[name]
    bound = bind(b, node, (Parameter(row.parameter, keyword_only=row.keyword_only),), b.text(node.func))
    if bound is None or not has_helper(b, ACTION_HELPER, node):
        return POISON
    argument = bound[row.parameter]
    parameter = _parameter(b, row.parameter, argument)
    b.flow.move_packet(b.span(node))
    return POISON if parameter is None else Typed(ir.Seg6ActionCall(row.action, parameter, VERDICT, b.span(node)))


def _parameter(b: Builder, name: str, node: ast.expr) -> ir.Expr | ir.SrhValue | None:
    value = b.expr(node)
    if name == "srh":
        return as_srh(b, value, node)
    if name == "nexthop":
        return to_type(b, value, ADDRESS, node, "`nexthop`")
    return _table(b, value, node)


def _table(b: Builder, value: Value, node: ast.expr) -> ir.Expr | None:
    """A routing table's number is 32 bits without a sign; the helper takes an int (net/core/filter.c, bpf_lwt_seg6_action)."""
    number = as_number(b, value, node, "`table`")
    if isinstance(number, Poison):
        return None
    if isinstance(number, Literal | Choice):
        return convert(settle(b, number, U32, node), S32)
    type_ = number.expr.type
    assert isinstance(type_, IntType)
    if widens(type_, U32):
        return convert(number.expr, S32)
    return convert(to_type(b, number, U32, node, "`table`"), S32)


def push(b: Builder, name: str, node: ast.Call) -> Value:
    """`pkt.push_encap(Srh(path=[...]))` and its like. The packet moves, and has other headers."""
    row = PUSHES[name]
    outer = (Parameter("source", keyword_only=True), Parameter("hop_limit", required=False, keyword_only=True))
    bound = bind(b, node, (Parameter("srh"), *(outer if row.kind is ir.EncapKind.IP else ())), b.text(node.func))
    if bound is None or not _can_push(b, name, row, node):
        return POISON
    srh = as_srh(b, b.expr(bound["srh"]), bound["srh"])
    source = to_type(b, b.expr(bound["source"]), ADDRESS, bound["source"], "`source`") if "source" in bound else None
    hop_limit = None
    if source is not None:
        given = bound.get("hop_limit")
        hop_limit = to_type(b, Literal(_HOP_LIMIT) if given is None else b.expr(given), U8, given or node, "`hop_limit`")
    b.flow.move_packet(b.span(node))
    if srh is None:
        return POISON
    size = HEADERS["ipv6"].size + srh_size(srh)
    if source is not None and size > LARGEST_PUSH:
        return b.error("overflow", f"headers of {size} bytes: the kernel takes at most {LARGEST_PUSH}", node, "give a shorter path")
    return Typed(ir.PushEncap(row.kind, srh, source, hop_limit, b.span(node)))


def _can_push(b: Builder, name: str, row: PushRow, node: ast.Call) -> bool:
    if b.hook.name not in row.hooks:
        others = [other for other, each in PUSHES.items() if b.hook.name in each.hooks]
        hint = f"it has {', '.join(others)}" if others else f"it is in {', '.join(row.hooks)}"
        b.error("not-here", f"{b.hook.name} has no `{name}`", node, hint)
        return False
    if row.ipv6_alone and "ipv6" not in b.flow.headers:
        packet = b.packet_name
        message = f"`{name}` would break an IPv4 packet, and the packet may be one"
        b.error("not-here", message, node, f"ask `if {packet}.ipv6 is None` before; `{packet}.push_ip(...)` takes both")
        return False
    return True


def has_helper(b: Builder, helper: str, node: ast.Call) -> bool:
    """Whether the hook has the helper that a method is made of; reported where it has not."""
    if helper in b.hook.helpers:
        return True
    method = node.func.attr if isinstance(node.func, ast.Attribute) else helper
    b.error("not-here", f"{b.hook.name} has no `{method}`", node, helper_hint(helper))
    return False
