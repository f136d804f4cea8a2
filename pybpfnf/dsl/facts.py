"""What a condition says about look-ups that can miss.

n is not None        n was found where it is true
n is None            n was found where it is false
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Facts:
    """Names that were found where the condition is true, and where it is false."""

    true: frozenset[str] = frozenset()
    false: frozenset[str] = frozenset()


def facts(test: ast.expr) -> Facts:
    match test:
        case ast.Compare(left=ast.Name(id=name), ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]):
            return Facts(true=frozenset({name}))
        case ast.Compare(left=ast.Name(id=name), ops=[ast.Is()], comparators=[ast.Constant(value=None)]):
            return Facts(false=frozenset({name}))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = facts(operand)
            return Facts(inner.false, inner.true)
        case ast.BoolOp(op=ast.And(), values=values):
            return Facts(true=frozenset().union(*(facts(value).true for value in values)))
        case ast.BoolOp(op=ast.Or(), values=values):
            return Facts(false=frozenset().union(*(facts(value).false for value in values)))
        case _:
            return Facts()
