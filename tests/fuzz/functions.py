"""Random functions that others call (`@func`): parameters and results of every type, returns in branches and loops."""

from __future__ import annotations

from pybpfnf.dsl.types import U32
from tests.fuzz import structs
from tests.fuzz.expressions import condition, type_name, typed
from tests.fuzz.scope import Callee, Scope, any_type
from tests.fuzz.statements import block

_INDENT = "    "
_CHOSEN = ("records[key & 1]", "own_records[1]", "done.pop()", "pairs.get(Pair(tag=1, source=pkt.ipv6.source))")


def functions(scope: Scope) -> list[str]:
    """The definitions of some functions, as lines; the scope can call them afterwards."""
    lines: list[str] = []
    for _ in range(scope.random.choice((0, 1, 2, 3))):
        callee = _callee(scope)
        lines += _definition(scope, callee)
        scope.callees = (*scope.callees, callee)
    if scope.chance(2):
        lines += _chooser(scope)
    return lines


def _chooser(scope: Scope) -> list[str]:
    """A function that gives a struct of its own, a copy of one, or None."""
    name = scope.fresh("choose")
    inner = scope.inside(Callee(name, (U32,), None, optional=True, moves=False, apart=scope.chance(2)))
    inner.locals["key"] = U32
    body = []
    for given in scope.random.sample(("None", "None", *_CHOSEN), 3):
        body += [f"if {condition(inner, 1)}:", f"{_INDENT}return {given}"]
    scope.choosers = (*scope.choosers, name)
    body.append(f"return {structs.made(inner)}")  # else all entries would have to be of one map
    decorator = "@func(inline=False)" if inner.of is not None and inner.of.apart else "@func"
    return ["", "", decorator, f"def {name}(pkt: Seg6Packet, key: u32) -> Record | None:", *(_INDENT + line for line in body)]


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
