"""Random uses of TLVs: appended, found, read and written. The packets have some of these types, and what is appended is found."""

from __future__ import annotations

from pybpfnf.dsl.types import ADDRESS, S64, U8, U16, IntType, ValueType
from tests.fuzz.expressions import literal, placed, typed
from tests.fuzz.scope import SHARED_UPDATES, Scope

DECLARATIONS = """\
class Small(Tlv, type=9):
    number: u8


class Large(Tlv, type=10):
    first: s64
    where: IPv6Address
    second: u16


class Raw(Tlv, type=6):
    value: bytes = octets(3)
    number: u8


class Many(Tlv, type=9):
    kind: u8
    values: list[u16] = array(u16, max=3)


"""
_FIELDS: dict[str, dict[str, ValueType]] = {
    "Small": {"number": U8},
    "Large": {"first": S64, "where": ADDRESS, "second": U16},
    "Raw": {"number": U8},
}
_BYTES = ('b"abc"', 'b"\\0\\0\\0"', 'b"\\xff\\0\\x80"')
_INDENT = "    "


def find(scope: Scope, depth: int) -> list[str]:
    """A TLV that may be there, a field of it changed and read."""
    name, local = scope.fresh("tlv"), scope.fresh("v")
    kind = scope.random.choice(list(_FIELDS))
    field, type_ = scope.random.choice(list(_FIELDS[kind].items()))
    lines = [f"{name} = pkt.srh.find({kind})", f"{local} = {typed(scope, type_, 2)}", f"if {name} is not None:"]
    inner = [f"{name}.{field} = {placed(scope, type_, 2)}", f"{local} = {name}.{field}"]
    if isinstance(type_, IntType):
        inner.append(f"{name}.{field} {scope.random.choice(SHARED_UPDATES)}= {placed(scope, type_, 1)}")
    scope.random.shuffle(inner)
    scope.locals[local] = type_
    return [*lines, *(_INDENT + line for line in inner)]


def read_bytes(scope: Scope, depth: int) -> list[str]:
    """Raw bytes of one that may be there: compared, indexed, copied and written."""
    name, local = scope.fresh("tlv"), scope.fresh("v")
    lines = [f"{name} = pkt.srh.find(Raw)", f"{local} = {literal(scope, U8)} + {typed(scope, U8, 1)}", f"if {name} is not None:"]
    index = scope.random.choice(("0", "2", f"{typed(scope, U8, 1)} % 4", f"{typed(scope, U8, 1)} & 1"))
    uses = [
        [f"{local} = {name}.value[{index}]"],
        [
            f"if {name}.value {scope.random.choice(('==', '!='))} {scope.random.choice((*_BYTES, 'records[0].raw'))}:",
            f"{_INDENT}{local} = 1",
        ],
        [f"{name}.value = {scope.random.choice((*_BYTES, 'records[1].raw'))}"],
        [f"records[0].raw = {name}.value"],
    ]
    chosen = scope.random.sample(uses, scope.random.randint(1, 3))
    if scope.may_move and scope.chance(3):
        scope.fresh_srh.clear()
        chosen.append([f"pkt.srh.append(Raw(value={name}.value, number={placed(scope, U8, 1)}))"])
    scope.locals[local] = U8
    return [*lines, *(_INDENT + line for part in chosen for line in part)]


def go_over(scope: Scope, depth: int) -> list[str]:
    """All of them, told apart."""
    name, local = scope.fresh("tlv"), scope.fresh("v")
    kind, other = scope.random.sample([*_FIELDS, "Many"], 2)
    uses = {
        "Small": f"{local} += {name}.number",
        "Large": f"{name}.second = {placed(scope, U16, 1)}",
        "Raw": f"{local} = {name}.value[{scope.random.randrange(3)}]",
        "Many": f"{local} ^= len({name}.values)",
    }
    lines = [f"{local} = {typed(scope, U8, 1)}", f"for {name} in pkt.srh.tlvs:"]
    body = [f"if isinstance({name}, {kind}):", f"{_INDENT}{uses[kind]}", f"elif not isinstance({name}, {other}):"]
    body += [f"{_INDENT}{local} += {name}.{scope.random.choice(('type', 'length'))}", "else:", f"{_INDENT}{uses[other]}"]
    if scope.chance(2):
        body += [f"{_INDENT}break"]
        lines_after = ["else:", f"{_INDENT}{local} = 9"]
    else:
        lines_after = []
    scope.locals[local] = U8
    return [*lines, *(_INDENT + line for line in body), *lines_after]


def edit(scope: Scope, depth: int) -> list[str] | None:
    """A TLV that was found taken out, or another put in before it. Not in a loop, where the verifier seldom comes to an end of it."""
    if scope.loops or (scope.of is not None and not scope.of.moves):
        return None
    name, kind = scope.fresh("tlv"), scope.random.choice(("Small", "Raw", "Many"))
    what = scope.random.choice((f"remove({name})", f"insert(Small(number={placed(scope, U8, 1)}), at={name})"))
    scope.fresh_srh.clear()
    return [f"{name} = pkt.srh.find({kind})", f"if {name} is not None:", f"{_INDENT}pkt.srh.{what}"]


def read_items(scope: Scope, depth: int) -> list[str]:
    """A TLV that ends in an array, its items gone over, read and written."""
    name, local, item = scope.fresh("tlv"), scope.fresh("v"), scope.fresh("item")
    lines = [f"{name} = pkt.srh.find(Many)", f"{local} = {typed(scope, U16, 1)}", f"if {name} is not None:"]
    index = scope.random.choice(("0", "1", f"{typed(scope, U8, 1)} & 1"))
    uses = [
        [f"for {item} in {name}.values:", f"{_INDENT}{local} {scope.random.choice(SHARED_UPDATES)}= {item}"],
        [f"{local} = {name}.values[{index}]"],
        [f"{name}.values[{index}] = {placed(scope, U16, 1)}"],
        [f"{local} += len({name}.values)"],
    ]
    scope.locals[local] = U16
    return [*lines, *(_INDENT + line for part in scope.random.sample(uses, scope.random.randint(1, 3)) for line in part)]


def append(scope: Scope, depth: int) -> list[str] | None:
    """The packet moves: views of it are stale."""
    if not scope.may_move:
        return None
    if scope.chance(2):
        made = f"Small(number={placed(scope, U8, 2)})"
    elif scope.chance(3):
        items = [placed(scope, U16, 1) for _ in range(scope.random.randint(0, 3))]
        made = f"Many(kind={placed(scope, U8, 1)}, values=[{', '.join(items)}])"
    else:
        made = f"Large(first={placed(scope, S64, 2)}, where={typed(scope, ADDRESS, 2)}, second={placed(scope, U16, 2)})"
    scope.fresh_srh.clear()
    return [f"pkt.srh.append({made})"]
