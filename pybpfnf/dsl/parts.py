"""Locals that stand for a part of a header: `report = datagram.report`.

By its name alone such a part does not say whose checksum covers it, so what is written there must be written by the whole.
"""

from __future__ import annotations

import ast

from pybpfnf.dsl import ir
from pybpfnf.dsl.builder import Builder
from pybpfnf.dsl.checksums import Part, checksum_over, whole_of


def note_part(b: Builder, name: str, expr: ir.Expr, node: ast.expr) -> None:
    """What a local stands for from here on, where that is such a part."""
    whole = whole_of(expr)
    if whole is not None:
        b.locals.parts[name] = Part(b.text(node), whole)
    elif isinstance(expr, ir.LocalRead) and expr.local.name in b.locals.parts:
        b.locals.parts[name] = b.locals.parts[expr.local.name]
    else:
        b.locals.parts.pop(name, None)


def refuse_part(b: Builder, place: ir.WirePlace, target: ast.expr) -> bool:
    """Whether the write is one whose checksum would not follow, which is reported."""
    if checksum_over(place) is not None:
        return False
    base: ir.Expr = place
    while isinstance(base, ir.WireRead | ir.WireItem):
        base = base.base
    part = b.locals.parts.get(base.local.name) if isinstance(base, ir.LocalRead) else None
    if part is None:
        return False
    text = b.text(target)
    message = f"the checksum of {part.whole} would not follow: `{text}` is a part of it, by a name of its own"
    rest = text[len(base.local.name) :] if isinstance(base, ir.LocalRead) else ""
    b.error("read-only", message, target, f"write `{part.text}{rest}`")
    return True
