"""Random expressions, well-typed by the table of result types in docs/language.md.

`typed` has its type by itself, `operand` takes it from what it stands beside, `placed` from where it is put; `condition` is a bool.
Add a construct by adding a production to a table.
"""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network

from pybpfnf.abi.headers import HEADERS
from pybpfnf.dsl.types import ADDRESS, BOOL, S64, U8, U16, U32, IntType, ValueType
from tests.fuzz.scope import Callee, Scope, Store, Weighted, any_integer, narrower

HARD = (0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 0x7FFF, 0xFFFF, 1 << 31, (1 << 32) - 1, 1 << 63)
CONSTANTS = {"ZERO": 0, "SMALL": 7, "BYTE": 255, "NEGATIVE": -3, "MANY[0]": 1, "MANY[-1]": 65536, "len(MANY)": 3}
ADDRESSES = ("::", "::1", "fc00:a::1", "fc00:c::1", "fd00::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
TYPE_NAMES = {BOOL: "bool", ADDRESS: "IPv6Address"}

_FIELDS: dict[IntType, tuple[str, ...]] = {
    U8: ("ipv6.version", "ipv6.traffic_class", "ipv6.next_header", "ipv6.hop_limit", "srh.flags", "srh.segments_left", "srh.last_entry",
         "srh.routing_type", "srh.next_header", "srh.hdr_ext_len"),
    U16: ("srh.tag", "ipv6.payload_length"),
    U32: ("ipv6.flow_label", "len", "mark", "priority", "ifindex", "ingress_ifindex"),
}  # fmt: skip
_ADDRESS_FIELDS = tuple(f"ipv6.{name}" for name, field in HEADERS["ipv6"].fields.items() if field.width == 128)


def type_name(type_: ValueType) -> str:
    return TYPE_NAMES.get(type_, str(type_))


def typed(scope: Scope, type_: ValueType, depth: int) -> str:
    """An expression that is of exactly this type wherever it stands."""
    if type_ == BOOL:
        return condition(scope, depth)
    if type_ == ADDRESS:
        return scope.produce(_ADDRESSES, depth) or _address_literal(scope, depth)
    assert isinstance(type_, IntType)
    made = scope.produce(_LEAVES if depth <= 0 else _INTEGERS, type_, depth)
    return made or _conversion(scope, type_, 0)


def operand(scope: Scope, type_: IntType, depth: int) -> str:
    """Beside an operand of `type_`: the result is `type_`."""
    return placed(scope, type_, depth)


def placed(scope: Scope, type_: ValueType, depth: int) -> str:
    """What may be put in a place of `type_`: widening is free, and a literal has whatever type it fits."""
    if isinstance(type_, IntType):
        if scope.chance(4):
            return literal(scope, type_)
        counter = scope.pick(name for name, ends in scope.counters.items() if all(type_.holds(end) for end in ends))
        if counter is not None and scope.chance(4):
            return counter
        if scope.chance(12):
            return f"({literal(scope, type_)} if {condition(scope, depth - 1)} else {literal(scope, type_)})"
        type_ = scope.random.choice([type_, *narrower(type_)])
    return typed(scope, type_, depth)


def condition(scope: Scope, depth: int) -> str:
    made = scope.produce(_PLAIN_CONDITIONS if depth <= 0 else _CONDITIONS, depth)
    return made or _comparison(scope, 0)


def literal(scope: Scope, type_: IntType) -> str:
    """A number that the type holds, more often one at which something changes; now and then by its name in the module."""
    if scope.chance(10):
        return scope.random.choice([name for name, value in CONSTANTS.items() if type_.holds(value)])
    return number(scope, type_)


def number(scope: Scope, type_: IntType) -> str:
    """A number that the type holds, in digits."""
    random = scope.random
    hard = [number for each in HARD for number in (each, -each, ~each) if type_.holds(number)]
    return str(random.choice([random.choice(hard), random.randint(type_.minimum, type_.maximum), type_.minimum, type_.maximum]))


# ---------------------------------------------------------------------------------------------------------- integers


def _named(scope: Scope, type_: IntType, depth: int) -> str | None:
    return scope.pick(scope.values_of(type_))


def _field(scope: Scope, type_: IntType, depth: int) -> str | None:
    name = scope.pick(_FIELDS.get(type_, ()))
    if name is None:
        return None
    view = scope.pick(scope.fresh_srh)
    return f"{view}.{name.removeprefix('srh.')}" if view and name.startswith("srh.") and scope.chance(2) else f"pkt.{name}"


def _segment_count(scope: Scope, type_: IntType, depth: int) -> str | None:
    return "len(pkt.srh.segments)" if type_ == U8 else None


def _cpu(scope: Scope, type_: IntType, depth: int) -> str | None:
    return "cpu()" if type_ == U32 else None


def _conversion(scope: Scope, type_: IntType, depth: int) -> str:
    if scope.chance(8):
        return f"{type_}({literal(scope, any_integer(scope))})"
    if scope.chance(6):
        return f"{type_}({condition(scope, depth - 1)})"
    source = any_integer(scope)
    return f"{type_}({typed(scope, source, depth - 1) if depth > 0 else scope.pick(scope.values_of(source)) or literal(scope, source)})"


def _arithmetic(scope: Scope, type_: IntType, depth: int) -> str:
    sides = [typed(scope, type_, depth - 1), operand(scope, type_, depth - 1)]
    scope.random.shuffle(sides)
    return f"({sides[0]} {scope.random.choice(('+', '-', '*', '&', '|', '^'))} {sides[1]})"


def _division(scope: Scope, type_: IntType, depth: int) -> str:
    """By something that is zero now and then: a function that always faults shows little."""
    left = typed(scope, type_, depth - 1)
    return f"({left} {scope.random.choice(('//', '%'))} {divisor(scope, operand(scope, type_, depth - 1))})"


def divisor(scope: Scope, text: str) -> str:
    if text.lstrip("-").isdigit():
        return text if int(text) else "1"
    return text if scope.chance(5) else f"({text} | 1)"


def _shift(scope: Scope, type_: IntType, depth: int) -> str:
    operator = scope.random.choice(("<<", ">>"))
    if type_ == S64 and scope.chance(5):  # a literal is s64 here, unless the count is one too
        return f"({literal(scope, type_)} {operator} {_count(scope, depth - 1)})"
    count = str(scope.random.choice(_COUNTS)) if scope.chance(3) else _count(scope, depth - 1)
    return f"({typed(scope, type_, depth - 1)} {operator} {count})"


_COUNTS = (0, 1, 3, 7, 8, 15, 16, 31, 32, 40, 63, 64, 65, 1000, (1 << 64) - 1, -1)


def _count(scope: Scope, depth: int) -> str:
    """A shift count of any type, small mostly."""
    count = typed(scope, any_integer(scope), depth)
    return count if scope.chance(3) else f"({count} & {scope.random.choice((7, 15, 31, 63, 127))})"


def _unary(scope: Scope, type_: IntType, depth: int) -> str:
    return f"({scope.random.choice(('-', '~', '+'))}{typed(scope, type_, depth - 1)})"


def _choice(scope: Scope, type_: ValueType, depth: int) -> str:
    arms = [typed(scope, type_, depth - 1), placed(scope, type_, depth - 1)]
    scope.random.shuffle(arms)
    return f"({arms[0]} if {condition(scope, depth - 1)} else {arms[1]})"


def element(scope: Scope, type_: ValueType, depth: int) -> str | None:
    """`m[k]` of a map with such values."""
    store = scope.pick(each for each in scope.stores if each.value == type_)
    return None if store is None else f"{store.name}[{key(scope, store.name, depth - 1)}]"


def key(scope: Scope, name: str, depth: int) -> str:
    """A key for that map: in range mostly, and one of few, so that what was stored is found."""
    store = next(each for each in scope.stores if each.name == name)
    if store.key is None:
        if scope.chance(3):
            return str(scope.random.randrange(store.size))
        index = typed(scope, scope.random.choice((U8, U16, U32, U32)), depth)
        return index if scope.chance(4) else f"({index} % {store.size})"
    if isinstance(store.key, IntType):
        return str(scope.random.randrange(4)) if scope.chance(2) else f"({typed(scope, store.key, depth)} & 3)"
    return typed(scope, store.key, depth)


def stored_key(scope: Scope, store: Store, depth: int) -> str:
    """What an entry is made or deleted under."""
    return _prefix(scope) if store.is_trie else key(scope, store.name, depth)


def _found(scope: Scope, type_: ValueType, depth: int) -> str | None:
    """A look-up that may have missed, asked about."""
    name = scope.pick(name for name, of in scope.lookups.items() if of == type_)
    if name is None:
        return None
    other = typed(scope, type_, depth - 1)
    if type_ == BOOL:
        return scope.random.choice((f"({name} is not None and {name})", f"({name} is None or {name})"))
    return scope.random.choice((f"({name} if {name} is not None else {other})", f"({other} if {name} is None else {name})"))


def call(scope: Scope, type_: ValueType, depth: int) -> str | None:
    """Of a function that gives this type and leaves the packet where it is."""
    callee = scope.pick(each for each in scope.callees if each.result == type_ and not each.optional and not each.moves)
    return None if callee is None else called(scope, callee, depth)


def called(scope: Scope, callee: Callee, depth: int) -> str | None:
    """The call, where one more may be made: the verifier follows each."""
    if scope.calls <= 0 or scope.loops > 1:
        return None
    scope.calls -= 1 + 2 * scope.loops
    return f"{callee.name}({', '.join(['pkt', *(placed(scope, type_, min(depth, 2) - 1) for type_ in callee.parameters)])})"


_LEAVES: Weighted[str | None] = ((6, _named), (2, _field), (1, _conversion), (1, _cpu))


def _absolute(scope: Scope, type_: IntType, depth: int) -> str:
    return f"abs({typed(scope, type_, depth - 1)})"


def _extreme(scope: Scope, type_: IntType, depth: int) -> str:
    """The first two give the type, and the rest goes with it: `min(u8, s8, s32)` is refused for its first two."""
    operands = [typed(scope, type_, depth - 1), operand(scope, type_, depth - 1)]
    scope.random.shuffle(operands)
    operands += [operand(scope, type_, depth - 1) for _ in range(scope.random.choice((0, 0, 1)))]
    return f"{scope.random.choice(('min', 'max'))}({', '.join(operands)})"


_INTEGERS: Weighted[str | None] = (
    (5, _named),
    (3, _field),
    (4, _conversion),
    (8, _arithmetic),
    (4, _division),
    (4, _shift),
    (2, _unary),
    (1, _absolute),
    (1, _segment_count),
    (2, _extreme),
    (2, _choice),
    (3, element),
    (3, _found),
    (3, call),
)

# --------------------------------------------------------------------------------------------------------- addresses


def _address_literal(scope: Scope, depth: int) -> str:
    return f'IPv6Address("{IPv6Address(scope.random.choice(ADDRESSES))}")'


def _address_field(scope: Scope, depth: int) -> str:
    return f"pkt.{scope.random.choice(_ADDRESS_FIELDS)}"


def _segment(scope: Scope, depth: int) -> str:
    """One that is there mostly: packets have two to four."""
    index = scope.random.choice(("0", "1", "pkt.srh.segments_left", "pkt.srh.last_entry", f"{typed(scope, U8, depth - 1)} & 1"))
    return f"pkt.srh.segments[{index}]"


def _address_named(scope: Scope, depth: int) -> str | None:
    return scope.pick(scope.values_of(ADDRESS))


def _address_element(scope: Scope, depth: int) -> str | None:
    return element(scope, ADDRESS, depth) if depth > 0 else None


def _address_choice(scope: Scope, depth: int) -> str | None:
    return _choice(scope, ADDRESS, depth) if depth > 0 else None


def _address_found(scope: Scope, depth: int) -> str | None:
    return _found(scope, ADDRESS, depth) if depth > 0 else None


def _address_call(scope: Scope, depth: int) -> str | None:
    return call(scope, ADDRESS, depth)


_ADDRESSES: Weighted[str | None] = (
    (1, _address_call),
    (3, _address_literal),
    (3, _address_field),
    (1, _segment),
    (4, _address_named),
    (2, _address_element),
    (1, _address_choice),
    (2, _address_found),
)

# -------------------------------------------------------------------------------------------------------- conditions

_ORDER = ("==", "!=", "<", "<=", ">", ">=")


def _comparison(scope: Scope, depth: int) -> str:
    type_ = any_integer(scope)
    sides = [typed(scope, type_, depth - 1), operand(scope, type_, depth - 1)]
    scope.random.shuffle(sides)
    return f"({sides[0]} {scope.random.choice(_ORDER)} {sides[1]})"


def _chain(scope: Scope, depth: int) -> str:
    """Each neighbour has a type in common; the middle operands are evaluated once."""
    type_ = any_integer(scope)
    parts = [typed(scope, type_, depth - 1)]
    for _ in range(scope.random.randint(2, 3)):
        last = literal(scope, type_) if scope.chance(4) else typed(scope, scope.random.choice([type_, *narrower(type_)]), depth - 1)
        parts += [scope.random.choice(_ORDER), last, scope.random.choice(_ORDER), typed(scope, type_, depth - 1)]
    return f"({' '.join(parts)})"


def _same(scope: Scope, depth: int) -> str:
    type_ = scope.random.choice((BOOL, ADDRESS))
    return f"({typed(scope, type_, depth - 1)} {scope.random.choice(('==', '!='))} {typed(scope, type_, depth - 1)})"


def _in_prefix(scope: Scope, depth: int) -> str:
    return f"({typed(scope, ADDRESS, depth - 1)} {scope.random.choice(('in', 'not in'))} {_prefix(scope)})"


def _prefix(scope: Scope) -> str:
    return f'Prefix("{IPv6Network((scope.random.choice(ADDRESSES), scope.random.choice(LENGTHS)), strict=False)}")'


LENGTHS = (0, 1, 7, 8, 9, 15, 16, 32, 63, 64, 65, 96, 127, 128)


def _literal_choices(scope: Scope, depth: int) -> str:
    """A choice among literals compared with one of them: folded arm by arm."""
    first, second, third = (literal(scope, any_integer(scope)) for _ in range(3))
    other = scope.random.choice((first, second, third))
    return f"(({first} if {condition(scope, depth - 1)} else {second}) {scope.random.choice(_ORDER)} {other})"


def _not(scope: Scope, depth: int) -> str:
    return f"(not {condition(scope, depth - 1)})"


def _logical(scope: Scope, depth: int) -> str:
    word = scope.random.choice((" and ", " or "))
    return f"({word.join(condition(scope, depth - 1) for _ in range(scope.random.randint(2, 3)))})"


def _flag(scope: Scope, depth: int) -> str | None:
    return scope.pick(scope.values_of(BOOL))


def _bool_choice(scope: Scope, depth: int) -> str:
    return _choice(scope, BOOL, depth)


def _bool_element(scope: Scope, depth: int) -> str | None:
    return element(scope, BOOL, depth)


def _bool_found(scope: Scope, depth: int) -> str | None:
    return _found(scope, BOOL, depth)


def _is_none(scope: Scope, depth: int) -> str | None:
    name = scope.pick(scope.lookups)
    return None if name is None else f"({name} {scope.random.choice(('is', 'is not'))} None)"


def _contains(scope: Scope, depth: int) -> str | None:
    store = scope.pick(each for each in scope.stores if each.sparse)
    if store is None:
        return None
    return f"({key(scope, store.name, depth - 1)} {scope.random.choice(('in', 'not in'))} {store.name})"


def _guarded(scope: Scope, depth: int) -> str | None:
    """`and` and `or` know what was asked before them."""
    name = scope.pick(name for name, of in scope.lookups.items() if isinstance(of, IntType))
    if name is None:
        return None
    type_ = scope.lookups[name]
    assert isinstance(type_, IntType)
    other = f"{name} {scope.random.choice(_ORDER)} {operand(scope, type_, depth - 1)}"
    return scope.random.choice((f"({name} is not None and {other})", f"({name} is None or {other})"))


def _bool_call(scope: Scope, depth: int) -> str | None:
    return call(scope, BOOL, depth)


_PLAIN_CONDITIONS: Weighted[str | None] = ((3, _flag), (3, _comparison))
_CONDITIONS: Weighted[str | None] = (
    (3, _flag),
    (2, _bool_call),
    (10, _comparison),
    (3, _chain),
    (2, _same),
    (1, _in_prefix),
    (1, _literal_choices),
    (2, _not),
    (4, _logical),
    (1, _bool_choice),
    (2, _bool_element),
    (2, _bool_found),
    (2, _is_none),
    (2, _contains),
    (3, _guarded),
)
