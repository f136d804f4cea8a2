"""Indexes into arrays, octets and lists of the packet: integers that are not below 0 and not past the end, as far as one can see."""

from __future__ import annotations

import ast

from pybpfnf.dsl import ir
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.operands import to_type
from pybpfnf.dsl.building.values import POISON, Literal, Poison, Typed
from pybpfnf.dsl.types import U32, IntType


def build_index(b: Builder, node: ast.Subscript, count: int) -> ir.Expr | Poison:
    """The index, of any integer type; a constant one that no item of at most `count` has is reported."""
    index = b.expr(node.slice)
    if isinstance(index, Literal) and not index.unknown and not 0 <= index.value < count:
        text = b.text(node.value)
        return b.error("overflow", f"index {index.value} is out of range: `{text}` has {count}", node.slice, f"write 0 to {count - 1}")
    if isinstance(index, Typed) and isinstance(index.expr.type, IntType):
        return index.expr
    from_literal = to_type(b, index, U32, node.slice, "an index")
    return POISON if isinstance(index, Poison) else from_literal
