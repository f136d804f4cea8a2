"""What a condition says about look-ups that can miss, and about headers that a packet may be without.

n is not None        n was found where it is true
n is None            n was found where it is false
pkt.srh is None      the same of "pkt.srh"
"""

from __future__ import annotations

import ast
from typing import final

from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Facts:
    """Names that were found where the condition is true, and where it is false."""

    true: frozenset[str] = frozenset()
    false: frozenset[str] = frozenset()


def _asked(op: ast.cmpop, names: frozenset[str]) -> Facts:
    if isinstance(op, ast.IsNot):
        return Facts(true=names)
    return Facts(false=names) if isinstance(op, ast.Is) else Facts()


def facts(test: ast.expr) -> Facts:
    match test:
        case ast.Compare(left=ast.Name() | ast.Attribute(value=ast.Name()) as asked, ops=[op], comparators=[ast.Constant(value=None)]):
            return _asked(op, frozenset({ast.unparse(asked)}))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = facts(operand)
            return Facts(inner.false, inner.true)
        case ast.BoolOp(op=ast.And(), values=values):
            return Facts(true=frozenset().union(*(facts(value).true for value in values)))
        case ast.BoolOp(op=ast.Or(), values=values):
            return Facts(false=frozenset().union(*(facts(value).false for value in values)))
        case _:
            return Facts()
