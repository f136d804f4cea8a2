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
    kind, field, type_ = any_field(scope)
    optional = not scope.raw or scope.chance(2)
    found = f"pkt.{taken(scope, kind, optional=optional)}"
    seeker = scope.pick(each for each in scope.lookers if each.result is None and each.kind == kind)
    if seeker is not None and scope.calls and scope.chance(2):
        scope.calls -= 1
        found, optional = f"{seeker.name}(pkt)", seeker.optional
    first = literal(scope, type_) if isinstance(type_, IntType) else typed(scope, type_, 0)
    lines = [f"{name} = {found}", *_looked(scope, name, kind, optional=True), f"{local} = {typed(scope, type_, 1)}", f"{local} = {first}"]
    body = [f"{local} = {name}.{field}", *_more(scope, name, kind), *_looked(scope, name, kind, optional=False)]
    scope.random.shuffle(body)
    if scope.chance(3):
        body.insert(1, f"pkt.srh.tag = {placed(scope, U16, 1)}")
    scope.locals[local] = type_
    if not optional:
        return [*lines, *body]
    return [*lines, f"if {name} is not None:", *(_INDENT + line for line in body)]


def any_field(scope: Scope) -> tuple[str, str, ValueType]:
    """A class of headers, and a field of it."""
    kind = scope.random.choice(list(_FIELDS)) if scope.raw else "Datagram"
    return kind, *scope.random.choice(list(_FIELDS[kind].items()))


def taken(scope: Scope, kind: str, *, optional: bool) -> str:
    """What the packet is asked for a header that may be missing, or that is a fault where it is."""
    if not scope.raw or (optional and kind == "Datagram" and scope.chance(2)):
        return "find(Datagram)"
    return f"{'get' if optional else 'view'}({kind}, at={_offset(scope)})"


def _looked(scope: Scope, name: str, kind: str, *, optional: bool) -> list[str]:
    """A function is called with it, before it is asked about or after."""
    looker = scope.pick(each for each in scope.lookers if each.result is not None and each.kind == kind and (each.optional or not optional))
    if looker is None or looker.result is None or not scope.calls or scope.chance(3):
        return []
    scope.calls -= 1
    local = scope.fresh("v")
    if optional:
        scope.locals[local] = looker.result  # else it is in an arm
    return [f"{local} = {looker.name}(pkt, {name})"]


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
