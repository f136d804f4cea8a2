"""Keys of tries: an address looks the longest prefix up, a Prefix stores and deletes one."""

from __future__ import annotations

import ast
from ipaddress import IPv6Network

from pybpfnf.dsl import ir
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.operands import describe, to_type, zero
from pybpfnf.dsl.building.values import Constant, Poison, Typed, Value
from pybpfnf.types.layout import ADDRESS, LPM_KEY, U32

_LENGTH, _ADDRESS = LPM_KEY.fields


def look_up_key(b: Builder, map_: ir.Map, value: Value, node: ast.expr) -> ir.Expr:
    """The key that finds the longest prefix that an address is in: all its bits."""
    if isinstance(value, Constant) and isinstance(value.value, IPv6Network):
        message = f"`{map_.name}` is asked for an address, and `{b.text(node)}` is a Prefix"
        b.error("type", message, node, f"read `{map_.name}[address]`; a Prefix is what is stored and deleted")
        return zero(map_.key, node, b)
    address = to_type(b, value, ADDRESS, node, f"what is looked up in `{map_.name}`")
    return ir.StructValue(((_LENGTH, ir.Const(ADDRESS.size * 8, U32, b.span(node))), (_ADDRESS, address)), LPM_KEY, b.span(node))


def stored_key(b: Builder, map_: ir.Map, value: Value, node: ast.expr) -> ir.Expr:
    """The key of a constant Prefix."""
    match value:
        case Constant(IPv6Network() as prefix):
            data = prefix.prefixlen.to_bytes(_LENGTH.type.size, "little") + prefix.network_address.packed
            return ir.Const(data, LPM_KEY, b.span(node))
        case Poison():
            pass
        case Typed(expr) if expr.type == ADDRESS:
            message = f"`{map_.name}` stores and deletes prefixes, and `{b.text(node)}` is an address"
            b.error("type", message, node, 'write `Prefix("fc00::1/128")` for one address')
        case _:
            message = f"`{map_.name}` stores and deletes prefixes, and `{b.text(node)}` is {describe(value)}"
            b.error("type", message, node, 'write `Prefix("fc00::/16")`')
    return zero(map_.key, node, b)
