"""The table of result types: what two integers give, what a local's assignments join to, and what may go where.

Pure functions on types; what is said to the author when they answer None is in `operands`.
"""

from __future__ import annotations

from pybpfnf.dsl.types import S64, IntType, Type


def common_type(left: IntType, right: IntType) -> IntType | None:
    """The wider one; of an unsigned and a *wider* signed the signed one; None for every other mix of signs."""
    if left.signed == right.signed:
        return left if left.width >= right.width else right
    signed, unsigned = (left, right) if left.signed else (right, left)
    return signed if signed.width > unsigned.width else None


def join_types(one: Type, other: Type) -> Type | None:
    """The type of a local that is assigned both; None where there is none."""
    if isinstance(one, IntType) and isinstance(other, IntType):
        return common_type(one, other)
    return one if one == other else None


def widens(source: IntType, target: IntType) -> bool:
    """Whether `target` holds every value of `source`, so that no cast need be written."""
    return target.minimum <= source.minimum and source.maximum <= target.maximum


def literal_type(value: int) -> IntType | None:
    """The type of a literal that meets no other type: s64."""
    return S64 if S64.holds(value) else None
