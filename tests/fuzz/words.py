"""Random lines for the kernel's trace. One production."""

from __future__ import annotations

from pybpfnf.dsl.types import BOOL
from tests.fuzz.expressions import typed
from tests.fuzz.scope import Scope, any_integer

_TEXTS = ("", " ", "tag ", "100% ", "0x", "a", " {{%d}} ", "|")


def says(scope: Scope, depth: int) -> list[str]:
    parts = [f"{scope.random.choice(_TEXTS)}{_value(scope)}" for _ in range(scope.random.choice((0, 1, 1, 2, 4)))]
    return [f'log(f"{"".join(parts)}{scope.random.choice(_TEXTS)}")']


def _value(scope: Scope) -> str:
    kind = scope.random.randrange(8)
    if kind == 0:
        return f"{{{scope.random.choice(('pkt.ipv6.source', 's_address'))}}}"
    if kind == 1:
        flag = typed(scope, BOOL, 1)
        return f"{{{flag}}}" if _fits(flag) else "{s_bool}"
    type_ = any_integer(scope)
    if type_.signed:
        spec = scope.random.choice(("", ":d", ":+", ": ", ":7", ":<7", ":07", ":+06d"))
    else:
        spec = scope.random.choice(("", ":d", ":x", ":X", ":#x", ":#012x", ":9", ":<5x", ":04"))
    value = typed(scope, type_, 2)
    return f"{{{value}{spec}}}" if _fits(value) else "{s_bool}"


def _fits(expression: str) -> bool:
    """Text in quotes would end the line's own, before Python 3.12."""
    return '"' not in expression
