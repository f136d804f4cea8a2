"""How a random function is left: a program with a verdict, a function that others call with what it gives."""

from __future__ import annotations

from tests.fuzz.expressions import condition, placed
from tests.fuzz.scope import Scope


def leave(scope: Scope) -> str:
    """Out of the function, with what it gives."""
    if scope.of is None:
        return "return " + scope.random.choice(("OK", "DROP", f"OK if {condition(scope, 1)} else DROP"))
    if scope.of.result is None:
        return "return"
    if scope.of.optional and scope.chance(2):
        return "return None"
    return f"return {placed(scope, scope.of.result, 1)}"
