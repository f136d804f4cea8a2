"""Packets that leave by another device: `return pkt.redirect(ifindex)`, `pkt.clone_redirect(ifindex)`."""

from __future__ import annotations

import ast

from pybpfnf.dsl import ir
from pybpfnf.dsl.building.arguments import Parameter, bind
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.hints import helper_hint
from pybpfnf.dsl.building.operands import to_type
from pybpfnf.dsl.building.values import POISON, Redirecting, Typed, Value
from pybpfnf.dsl.constructs.octets import octets_value
from pybpfnf.dsl.types import U32, VERDICT, OctetsType

REDIRECTS = ("redirect", "clone_redirect")
_MAC = OctetsType(6)
_IFINDEX = Parameter("ifindex")
_ADDRESSES = ("destination", "source")


def build_redirect(b: Builder, name: str, node: ast.Call) -> Value:
    """A call of one of `REDIRECTS`."""
    addresses = tuple(Parameter(each, required=False, keyword_only=True) for each in _ADDRESSES) if name == "redirect" else ()
    bound = bind(b, node, (_IFINDEX, *addresses), b.text(node.func))
    if bound is None:
        return POISON
    if name not in b.hook.helpers:
        return b.error("not-here", f"{b.hook.name} has no `{name}`", node, helper_hint(name))
    ifindex = to_type(b, b.expr(bound["ifindex"]), U32, bound["ifindex"], "`ifindex`")
    if name == "clone_redirect":
        return Typed(ir.CloneRedirect(ifindex, b.span(node)))
    link = _link(b, bound, node)
    b.flow.move_packet(b.span(node))
    return Redirecting(ir.Redirect(ifindex, link, VERDICT, b.span(node)))


def _link(b: Builder, bound: dict[str, ast.expr], node: ast.Call) -> tuple[ir.Expr, ir.Expr] | None:
    given = [each for each in _ADDRESSES if each in bound]
    if len(given) == 1:
        missing = next(each for each in _ADDRESSES if each not in bound)
        message = f"an Ethernet header has two addresses, and `{missing}` is missing"
        b.error("arguments", message, node, f"write `{missing}=...`, or neither")
        return None
    if not given:
        return None
    destination, source = (_address(b, bound[each], each) for each in _ADDRESSES)
    return destination, source


def _address(b: Builder, node: ast.expr, name: str) -> ir.Expr:
    value = octets_value(b, _MAC, b.expr(node), node, f"`{name}`")
    return ir.Const(value, _MAC, b.span(node)) if isinstance(value, bytes) else value


def returned(value: Value) -> Value:
    """What a `return` gives: a redirect is one there alone, where nothing can come between it and the packet's way out."""
    return Typed(value.call) if isinstance(value, Redirecting) else value


def chooses_device(b: Builder) -> bool:
    """Whether the function says to which device, by this or by the helper's name: REDIRECT alone leads nowhere."""
    return any(isinstance(node, ast.Attribute) and node.attr == "redirect" for node in ast.walk(b.source.definition))
