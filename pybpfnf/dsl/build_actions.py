"""What a seg6local function does to a packet as a whole: `append`, and the seg6 actions."""

from __future__ import annotations

import ast

from pybpfnf.dsl import ir
from pybpfnf.dsl.arguments import Parameter, bind
from pybpfnf.dsl.build_wire import as_srh, as_tlv
from pybpfnf.dsl.builder import Builder
from pybpfnf.dsl.hooks import ACTION_HELPER, APPEND_HELPER, METHODS
from pybpfnf.dsl.operands import as_number, convert, settle, to_type
from pybpfnf.dsl.types import ADDRESS, S32, U32, VERDICT, IntType
from pybpfnf.dsl.values import POISON, Appended, Choice, Literal, Poison, Typed, Value


def append(b: Builder, node: ast.Call) -> Value:
    """`srh.append(tlv)`. The packet moves."""
    bound = bind(b, node, (Parameter("tlv"),), b.text(node.func))
    if bound is None or not _has_helper(b, APPEND_HELPER, node):
        return POISON
    tlv = as_tlv(b, b.expr(bound["tlv"]), bound["tlv"])
    b.flow.move_packet(b.span(node))
    return POISON if tlv is None else Appended(tlv)


def run_action(b: Builder, name: str, node: ast.Call) -> Value:
    """`pkt.end_t(table=...)` and its like: the verdict REDIRECT. The packet moves."""
    row = METHODS[name]
    bound = bind(b, node, (Parameter(row.parameter, keyword_only=row.keyword_only),), b.text(node.func))
    if bound is None or not _has_helper(b, ACTION_HELPER, node):
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
    if type_.width <= S32.width:
        return convert(number.expr, S32)
    return convert(to_type(b, number, U32, node, "`table`"), S32)


def _has_helper(b: Builder, helper: str, node: ast.Call) -> bool:
    if helper in b.hook.helpers:
        return True
    b.error("not-here", f"{b.hook.name} has no helper `{helper}`", node, "the kernel keeps this helper from this hook")
    return False
