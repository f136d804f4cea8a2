"""`srh.insert(tlv, at=found)` and `srh.remove(found)`: the SRH's TLVs changed at a TLV that was found."""

from __future__ import annotations

import ast

from pybpfnf.dsl import ir
from pybpfnf.dsl.building.arguments import Parameter, bind
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.hooks import APPEND_HELPER
from pybpfnf.dsl.building.operands import describe, present
from pybpfnf.dsl.building.values import POISON, Effect, Poison, Typed, Value
from pybpfnf.dsl.constructs.actions import has_helper
from pybpfnf.dsl.constructs.wire import as_tlv
from pybpfnf.dsl.types import TlvViewType


def insert(b: Builder, node: ast.Call) -> Value:
    """`srh.insert(Hop(...), at=found)`. The packet moves."""
    bound = bind(b, node, (Parameter("tlv"), Parameter("at", keyword_only=True)), b.text(node.func))
    if bound is None or not has_helper(b, APPEND_HELPER, node):
        return POISON
    tlv = as_tlv(b, b.expr(bound["tlv"]), bound["tlv"])
    at = _found(b, bound["at"])
    b.flow.move_packet(b.span(node))
    return POISON if tlv is None or at is None else Effect((ir.InsertTlv(tlv, at, b.span(node)),))


def remove(b: Builder, node: ast.Call) -> Value:
    """`srh.remove(found)`. The packet moves."""
    bound = bind(b, node, (Parameter("tlv"),), b.text(node.func))
    if bound is None or not has_helper(b, APPEND_HELPER, node):
        return POISON
    at = _found(b, bound["tlv"])
    b.flow.move_packet(b.span(node))
    return POISON if at is None else Effect((ir.RemoveTlv(at, b.span(node)),))


def _found(b: Builder, node: ast.expr) -> ir.Expr | None:
    """A TLV in the packet; anything else is reported."""
    value = present(b, b.expr(node), node)
    if isinstance(value, Typed) and isinstance(value.expr.type, TlvViewType):
        return value.expr
    if not isinstance(value, Poison):
        message = f"`{b.text(node)}` is {describe(value)}, not a TLV of the packet"
        b.error("type", message, node, "find it before: `found = pkt.srh.find(T)`")
    return None
