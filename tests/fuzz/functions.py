"""Random functions that others call (`@func`): parameters and results of every type, returns in branches and loops."""

from __future__ import annotations

from pybpfnf.dsl.types import U32
from tests.fuzz import structs, views
from tests.fuzz.expressions import condition, type_name, typed
from tests.fuzz.scope import Callee, Looker, Scope, any_type
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
    if scope.chance(3):
        lines += _looker(scope)
    if scope.chance(4):
        lines += _seeker(scope)
    return lines


def _looker(scope: Scope) -> list[str]:
    """A function of a header in the packet, which may be None."""
    kind, field, type_ = views.any_field(scope)
    looker = Looker(scope.fresh("look"), kind, scope.chance(2), type_)
    inner = scope.inside(Callee(looker.name, (), type_, optional=False, moves=False, apart=scope.chance(2)))
    early = ["if header is None:", f"{_INDENT}return {typed(inner, type_, 1)}"] if looker.optional else []
    body = [*_global(scope), *early, *block(inner, 1, 1), f"return header.{field}"]
    scope.lookers = (*scope.lookers, looker)
    gives = f"{kind}{' | None' if looker.optional else ''}) -> {type_name(type_)}"
    return ["", "", _decorator(inner), f"def {looker.name}(pkt: Seg6Packet, header: {gives}:", *(_INDENT + line for line in body)]


def _seeker(scope: Scope) -> list[str]:
    """A function that gives a header in the packet, or None."""
    kind, _, _ = views.any_field(scope)
    looker = Looker(scope.fresh("seek"), kind, optional=not scope.raw or scope.chance(2))
    inner = scope.inside(Callee(looker.name, (), None, optional=False, moves=False, apart=scope.chance(2)))
    early = [f"if {condition(inner, 1)}:", f"{_INDENT}return None"] if looker.optional else []
    body = [*early, f"return pkt.{views.taken(inner, kind, optional=looker.optional)}"]
    scope.lookers = (*scope.lookers, looker)
    gives = f"{kind}{' | None' if looker.optional else ''}"
    return ["", "", _decorator(inner), f"def {looker.name}(pkt: Seg6Packet) -> {gives}:", *(_INDENT + line for line in body)]


def _decorator(inner: Scope) -> str:
    return "@func(inline=False)" if inner.of is not None and inner.of.apart else "@func"


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
    return ["", "", _decorator(inner), f"def {name}(pkt: Seg6Packet, key: u32) -> Record | None:", *(_INDENT + line for line in body)]


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
    head = [*_global(scope), *early]
    return [
        "",
        "",
        "@func(inline=False)" if callee.apart else "@func",
        f"def {callee.name}(pkt: Seg6Packet{', ' if written else ''}{written}) -> {_gives(callee)}:",
        *(_INDENT + line for line in [*head, *body, f"return {last}" if last is not None else "return"]),
    ]


def _global(scope: Scope) -> list[str]:
    states = [each.name for each in scope.globals if each.kind == "State"]
    return [f"global {', '.join(states)}"] if states else []


def _gives(callee: Callee) -> str:
    if callee.result is None:
        return "None"
    return type_name(callee.result) + (" | None" if callee.optional else "")
