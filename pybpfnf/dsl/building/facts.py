"""What a condition says about look-ups that can miss, and about headers that a packet may be without.

n is not None        n was found where it is true
n is None            n was found where it is false
pkt.srh is None      the same of "pkt.srh"
isinstance(t, T)     "t:T" where it is true
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import final

from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Facts:
    """Names that were found where the condition is true, and where it is false; and those that are None there."""

    true: frozenset[str] = frozenset()
    false: frozenset[str] = frozenset()
    true_none: frozenset[str] = frozenset()
    false_none: frozenset[str] = frozenset()


def _asked(op: ast.cmpop, names: frozenset[str]) -> Facts:
    if isinstance(op, ast.IsNot):
        return Facts(true=names, false_none=names)
    return Facts(false=names, true_none=names) if isinstance(op, ast.Is) else Facts()


def _all(parts: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*parts)


def found_class(asked: ast.Name, cls: ast.expr) -> str:
    """How it is said that a name is of a class: among what was found."""
    return f"{asked.id}:{ast.unparse(cls)}"


def facts(test: ast.expr) -> Facts:
    match test:
        case ast.Compare(left=ast.Name() | ast.Attribute(value=ast.Name()) as asked, ops=[op], comparators=[ast.Constant(value=None)]):
            return _asked(op, frozenset({ast.unparse(asked)}))
        case ast.Call(func=ast.Name("isinstance"), args=[ast.Name() as asked, cls]):
            return Facts(true=frozenset({found_class(asked, cls)}))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = facts(operand)
            return Facts(inner.false, inner.true, inner.false_none, inner.true_none)
        case ast.BoolOp(op=ast.And(), values=values):
            known = [facts(value) for value in values]
            return Facts(true=_all(each.true for each in known), true_none=_all(each.true_none for each in known))
        case ast.BoolOp(op=ast.Or(), values=values):
            known = [facts(value) for value in values]
            return Facts(false=_all(each.false for each in known), false_none=_all(each.false_none for each in known))
        case _:
            return Facts()
