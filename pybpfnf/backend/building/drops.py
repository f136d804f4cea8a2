"""Where a function's source returns DROP: what a runner says of a packet that the function dropped without a fault."""

from __future__ import annotations

from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.dsl import ir
from pybpfnf.dsl.ir.walk import walk


def drop_places(function: ir.Function) -> str:
    """`FILE:LINE`, or `FILE:LINE or LINE`: the returns whose value is DROP, or may be. "" where it cannot be told: another program can have
    gone on in its place."""
    drop = PROGRAM_TYPES[function.hook.name].verdicts.get("DROP")
    nodes = list(walk(function.body))
    if any(isinstance(node, ir.TailCall) for node in nodes):
        return ""
    places = {(node.span.file, node.span.line) for node in nodes if isinstance(node, ir.Return) and _may_be(node.value, drop)}
    files: dict[str, list[str]] = {}
    for file, line in sorted(places):
        files.setdefault(file, []).append(str(line))
    return " or ".join(f"{file}:{' or '.join(lines)}" for file, lines in files.items())


def _may_be(value: ir.Expr, verdict: int | None) -> bool:
    """Of what is returned. A redirect gives REDIRECT, or faults."""
    match value:
        case ir.Const():
            return value.value == verdict
        case ir.Conditional():
            return _may_be(value.then, verdict) or _may_be(value.orelse, verdict)
        case _:
            return not isinstance(value, ir.Redirect)
