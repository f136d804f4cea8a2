"""Random views of headers: at constant and computed offsets, found and perhaps not there, their fields of every kind and their items."""

from __future__ import annotations

from pybpfnf.dsl.types import ADDRESS, BOOL, S16, U8, U16, U32, IntType, ValueType
from tests.fuzz.expressions import literal, placed, typed
from tests.fuzz.scope import Scope

DECLARATIONS = """\
class Port(Header):
    number: u16


class Datagram(Header, number=17):
    ports: list[Port] = array(Port, 2)
    length: u16
    checksum: u16


class Cell(Header):
    low: u8 = bits(3)
    high: u16 = bits(13)
    wide: u32 = bits(24)
    flag: bool
    skew: s16
    raw: bytes = octets(3)
    words: list[u16] = array(u16, 3)
    port: Port
    where: IPv6Address


"""
_FIELDS: dict[str, dict[str, ValueType]] = {
    "Datagram": {"length": U16, "checksum": U16, "ports[1].number": U16},
    "Cell": {
        "low": U8, "high": U16, "wide": U32, "flag": BOOL, "skew": S16, "raw[2]": U8, "words[0]": U16, "port.number": U16, "where": ADDRESS
    },
}  # fmt: skip
_INDENT = "    "


def view(scope: Scope, depth: int) -> list[str]:
    """A header, and some of its fields, the SRH written in between now and then, which moves nothing."""
    name, local = scope.fresh("view"), scope.fresh("v")
    kind = scope.random.choice(list(_FIELDS)) if scope.raw else "Datagram"
    field, type_ = scope.random.choice(list(_FIELDS[kind].items()))
    taken = scope.random.choice((f"view({kind}, at={_offset(scope)})", f"get({kind}, at={_offset(scope)})", "find(Datagram)"))
    if taken.startswith("find") and kind != "Datagram":
        taken = f"get({kind}, at={_offset(scope)})"
    if not scope.raw:
        taken = "find(Datagram)"
    first = literal(scope, type_) if isinstance(type_, IntType) else typed(scope, type_, 0)
    lines = [f"{name} = pkt.{taken}", f"{local} = {typed(scope, type_, 1)}", f"{local} = {first}"]
    body = [f"{local} = {name}.{field}", *_more(scope, name, kind)]
    scope.random.shuffle(body)
    if scope.chance(3):
        body.insert(1, f"pkt.srh.tag = {placed(scope, U16, 1)}")
    scope.locals[local] = type_
    if taken.startswith("view"):
        return [*lines, *body]
    return [*lines, f"if {name} is not None:", *(_INDENT + line for line in body)]


def load(scope: Scope, depth: int) -> list[str] | None:
    """One value from anywhere."""
    if not scope.raw:
        return None
    local = scope.fresh("v")
    type_ = scope.random.choice((U8, U16, U32, S16, ADDRESS))
    line = f"{local} = pkt.load({type_}, at={_offset(scope)})"
    scope.locals[local] = type_
    return [line]


def _offset(scope: Scope) -> str:
    """In the packet mostly: it has 100 bytes and more."""
    return scope.random.choice(
        (
            str(scope.random.randrange(60)),
            str(scope.random.randrange(200)),
            f"({typed(scope, U8, 1)} & 63)",
            f"({typed(scope, U16, 1)} % 100)",
            f"(pkt.len - {scope.random.randrange(60)})",
            f"(40 + pkt.srh.last_entry * {scope.random.choice((1, 16))})",
            f"({typed(scope, scope.random.choice((U8, U16, U32, S16)), 1)} >> {scope.random.randrange(9)})",
        )
    )


def _more(scope: Scope, name: str, kind: str) -> list[str]:
    if kind == "Datagram":
        return [f"pkt.mark = {name}.ports[{_index(scope, 2)}].number"]
    uses = [
        f"pkt.mark = {name}.words[{_index(scope, 3)}]",
        f"pkt.mark = {name}.raw[{_index(scope, 3)}]",
        f"records[0].raw = {name}.raw",
        f'pkt.mark = u32({name}.raw == b"\\0\\0\\0")',
        f"pkt.mark = u32({name}.raw != records[1].raw)",
    ]
    return scope.random.sample(uses, scope.random.randint(0, 2))


def _index(scope: Scope, count: int) -> str:
    """Out of range now and then."""
    return scope.random.choice((str(scope.random.randrange(count)), f"{typed(scope, U8, 1)} % {count}", f"{typed(scope, U8, 1)} & 3"))
