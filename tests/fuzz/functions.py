"""Random functions that others call (`@func`): parameters and results of every type, returns in branches and loops."""

from __future__ import annotations

from tests.fuzz.expressions import condition, type_name, typed
from tests.fuzz.scope import Callee, Scope, any_type
from tests.fuzz.statements import block

_INDENT = "    "


def functions(scope: Scope) -> list[str]:
    """The definitions of some functions, as lines; the scope can call them afterwards."""
    lines: list[str] = []
    for _ in range(scope.random.choice((0, 1, 2, 3))):
        callee = _callee(scope)
        lines += _definition(scope, callee)
        scope.callees = (*scope.callees, callee)
    return lines


def _callee(scope: Scope) -> Callee:
    random = scope.random
    result = any_type(scope) if random.randrange(6) else None
    moves = random.randrange(3) == 0
    parameters = tuple(any_type(scope) for _ in range(random.randint(0, 6)))
    optional = result is not None and random.randrange(4) == 0
    return Callee(scope.fresh("f"), parameters, result, optional, moves, apart=random.randrange(2) == 0)


def _definition(scope: Scope, callee: Callee) -> list[str]:
    inner = scope.inside(callee)
    names = [inner.fresh("p") for _ in callee.parameters]
    inner.locals.update(zip(names, callee.parameters, strict=True))
    written = ", ".join(f"{name}: {type_name(type_)}" for name, type_ in inner.locals.items())
    early = [f"if {condition(inner, 1)}:", f"{_INDENT}return None"] if callee.optional else []  # before the body has names of its own
    body = block(inner, inner.random.randint(1, 4), 1)
    last = typed(inner, callee.result, 2) if callee.result is not None else None
    states = [each.name for each in scope.globals if each.kind == "State"]
    head = [*([f"global {', '.join(states)}"] if states else []), *early]
    return [
        "",
        "",
        "@func(inline=False)" if callee.apart else "@func",
        f"def {callee.name}(pkt: Seg6Packet{', ' if written else ''}{written}) -> {_gives(callee)}:",
        *(_INDENT + line for line in [*head, *body, f"return {last}" if last is not None else "return"]),
    ]


def _gives(callee: Callee) -> str:
    if callee.result is None:
        return "None"
    return type_name(callee.result) + (" | None" if callee.optional else "")
