"""Random uses of structs: views and copies, fields of every kind, structs as keys. One production, a few lines each time."""

from __future__ import annotations

from pybpfnf.dsl.types import ADDRESS, BOOL, S16, U8, U16, U32, U64, IntType, ValueType
from tests.fuzz.expressions import placed, typed
from tests.fuzz.scope import SHARED_UPDATES, Scope

DECLARATIONS = """\
class Inner(Struct):
    small: s16
    flag: bool = True


class Record(Struct):
    kind: u8
    where: IPv6Address
    count: u32
    low: u32 = bits(11)
    high: u32 = bits(20, default=5)
    inner: Inner = Inner(small=-2)
    raw: bytes = octets(3, default=b"abc")
    numbers: list[u16] = array(u16, 3)
    total: u64 = 1 << 40


class Pair(Struct):
    tag: u8
    source: IPv6Address


THREE = (1, 2, 65535)
records = Array(Record, 2)
own_records = PerCpuArray(Record, 2)
pairs = Hash(Pair, Record, 3)
counted = Hash(Pair, Inner, 2, default=Inner(small=7))


"""
_FIELDS: dict[str, ValueType] = {
    "kind": U8,
    "where": ADDRESS,
    "count": U32,
    "low": U32,
    "high": U32,
    "inner.small": S16,
    "inner.flag": BOOL,
    "raw[1]": U8,
    "numbers[2]": U16,
    "total": U64,
}
_INDENT = "    "


def uses(scope: Scope, depth: int) -> list[str]:
    """A struct under a new name, changed, and some of it read and stored."""
    name = scope.fresh("struct")
    kind = scope.random.choice(("view", "own view", "copy", "look-up", *(["chosen"] * bool(scope.choosers and scope.calls))))
    lines = _BINDINGS[kind](scope, name)
    body = [line for _ in range(scope.random.randint(1, 4)) for line in change(scope, name, shared=kind in ("view", "look-up"))]
    body += _stored(scope, name)
    if kind in ("look-up", "chosen"):
        return [*lines, f"if {name} is not None:", *(_INDENT + line for line in body)]
    field = scope.random.choice(list(_FIELDS))
    local = scope.fresh("v")
    lines = [*lines, *body, f"{local} = {name}.{field}"]
    scope.locals[local] = _FIELDS[field]
    return lines


def made(scope: Scope) -> str:
    given = f"kind={placed(scope, U8, 1)}, where={typed(scope, ADDRESS, 1)}, count={placed(scope, U32, 1)}, low={typed(scope, U32, 1)}"
    return f"Record({given}, numbers={scope.random.choice(('THREE', numbers(scope)))})"


def numbers(scope: Scope) -> str:
    return f"[{', '.join(placed(scope, U16, 1) for _ in range(3))}]"


def _pair(scope: Scope) -> str:
    return f"Pair(tag={typed(scope, U8, 1)} & 1, source={scope.random.choice(('pkt.ipv6.source', 's_address'))})"


def _index(scope: Scope) -> str:
    return scope.random.choice(("0", "1", f"{typed(scope, U32, 1)} & 1", f"{typed(scope, U8, 1)} % 3"))


def _choice(scope: Scope, name: str) -> str:
    scope.calls -= 1
    return f"{name} = {scope.random.choice(scope.choosers)}(pkt, {typed(scope, U32, 1)})"


_BINDINGS = {
    "view": lambda scope, name: [f"{name} = records[{_index(scope)}]"],
    "own view": lambda scope, name: [f"{name} = own_records[{_index(scope)}]"],
    "copy": lambda scope, name: [f"{name} = {made(scope)}"],
    "chosen": lambda scope, name: [_choice(scope, name)],
    "look-up": lambda scope, name: [f"{name} = pairs.get({_pair(scope)})"],
}


def change(scope: Scope, name: str, *, shared: bool) -> list[str]:
    field = scope.random.choice(list(_FIELDS))
    type_ = _FIELDS[field]
    number = f"numbers[{typed(scope, U8, 1)} & 3]"  # one of four is out of range
    choices = [
        [f"{name}.{field} = {typed(scope, type_, 2)}"],
        [f"{name}.{number} = {placed(scope, U16, 1)}"],
        [f"counted[{_pair(scope)}].small = {placed(scope, S16, 1)}"],
        [f"if {name} {scope.random.choice(('==', '!='))} records[0]:", f"{_INDENT}pkt.mark = 5"],
        [f"{name}.inner = Inner(small={placed(scope, S16, 1)})"],
        [f'{name}.raw = b"xyz"'],
        [f"{name}.numbers = {scope.random.choice((numbers(scope), f'[{name}.numbers[2], {placed(scope, U16, 1)}, {name}.numbers[0]]'))}"],
    ]
    if isinstance(type_, IntType) and (not shared or (type_.width >= 32 and field not in ("low", "high"))):
        choices.append([f"{name}.{field} {scope.random.choice(SHARED_UPDATES)}= {placed(scope, type_, 1)}"])
    return scope.random.choice(choices)


def _stored(scope: Scope, name: str) -> list[str]:
    """After it the views of `pairs` are stale, so it comes last."""
    return scope.random.choice(
        (
            [f"records[{_index(scope)}] = {name}"],
            [f"pairs[{_pair(scope)}] = {name}"],
            ["records[0], records[1] = records[1], records[0]"],
            [f"if {_pair(scope)} in pairs:", f"{_INDENT}del pairs[{_pair(scope)}]"],
        )
    )
