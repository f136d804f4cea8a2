"""Random statements, as lines of source. Add a construct by adding a production to `_STATEMENTS`."""

from __future__ import annotations

from pybpfnf.dsl.types import S64, U8, U16, U32, IntType, ValueType
from tests.fuzz import events, queues, structs, tlvs, views, words
from tests.fuzz.expressions import called, condition, divisor, element, key, literal, number, operand, placed, stored_key, type_name, typed
from tests.fuzz.leaving import leave
from tests.fuzz.scope import OPERATORS, SHARED_UPDATES, Scope, Store, Weighted, any_integer, any_type, narrower, partners

Lines = list[str]
_DEPTH = 3  # of expressions
_INDENT = "    "


def block(scope: Scope, count: int, depth: int) -> Lines:
    """So many statements, one inside another at most `depth` deep; less where one of them returns."""
    lines: Lines = []
    for _ in range(count):
        made = scope.produce(_STATEMENTS if depth > 0 else _SIMPLE, depth)
        lines += made or []
    return lines


def _indented(lines: Lines) -> Lines:
    return [_INDENT + line for line in lines] or [_INDENT + "pass"]


def _arm(scope: Scope, depth: int) -> Lines:
    return _indented(block(scope, scope.random.randint(1, 3), depth - 1))


# ------------------------------------------------------------------------------------------------------------ locals


def _bind(scope: Scope, depth: int) -> Lines:
    """A new local, its type inferred or written."""
    type_ = any_type(scope)
    value = typed(scope, type_, _DEPTH)
    name = scope.fresh("v")
    if scope.chance(4):
        line = (
            f"{name}: {type_name(type_)} = {value}" if scope.chance(2) else f"{name}: {type_name(type_)} = {placed(scope, type_, _DEPTH)}"
        )
    else:
        line = f"{name} = {value}"
    scope.locals[name] = type_
    return [line]


def _bind_literal(scope: Scope, depth: int) -> Lines:
    """A local that is s64 because nothing but literals is assigned to it."""
    name = scope.fresh("n")
    line = f"{name} = {literal(scope, S64)}"
    scope.locals[name] = S64
    scope.literal_only.add(name)
    return [line]


def _bind_literal_first(scope: Scope, depth: int) -> Lines:
    """The first assignment is a literal, a later one gives the type."""
    type_ = any_integer(scope)
    name = scope.fresh("v")
    test, value, start = condition(scope, 2), typed(scope, type_, _DEPTH), literal(scope, type_)
    scope.locals[name] = type_
    return [f"{name} = {start}", f"if {test}:", f"{_INDENT}{name} = {value}"]


def _bind_on_branches(scope: Scope, depth: int) -> Lines:
    """Each arm assigns a type of its own; the local's is their join."""
    type_ = any_integer(scope)
    values = [typed(scope, type_, _DEPTH), placed(scope, type_, _DEPTH)]
    test = condition(scope, 2)
    scope.random.shuffle(values)
    name = scope.fresh("v")
    scope.locals[name] = type_
    return [f"if {test}:", f"{_INDENT}{name} = {values[0]}", "else:", f"{_INDENT}{name} = {values[1]}"]


def _bind_verdict(scope: Scope, depth: int) -> Lines:
    name = scope.fresh("verdict")
    out = f"return {name}" if scope.of is None else leave(scope)
    return [f"{name} = OK if {condition(scope, 2)} else DROP", f"if {name} == DROP and {condition(scope, 1)}:", f"{_INDENT}{out}"]


def _bind_view(scope: Scope, depth: int) -> Lines:
    name = scope.fresh("srh")
    scope.fresh_srh.add(name)
    return [f"{name} = pkt.srh"]


def _assign(scope: Scope, depth: int) -> Lines | None:
    name = scope.pick(scope.locals)
    if name is None:
        return None
    type_ = scope.locals[name]
    # What is assigned could otherwise give the local another type.
    value = literal(scope, S64) if name in scope.literal_only else placed(scope, type_, _DEPTH)
    return [f"{name} = {value}"]


def _swap(scope: Scope, depth: int) -> Lines | None:
    names = [name for name, type_ in scope.locals.items() if isinstance(type_, IntType) and name not in scope.literal_only]
    first = scope.pick(names)
    other = scope.pick(name for name in names if name != first and scope.locals[name] == scope.locals[first or ""])
    return [f"{first}, {other} = {other}, {placed(scope, scope.locals[first], 2)}"] if first and other else None


def _several(scope: Scope, depth: int) -> Lines:
    """All values first, then the targets from the left: `a, m[k] = x, y`."""
    places = [_place(scope) for _ in range(scope.random.randint(2, 3))]
    values = [placed(scope, type_, 2) for _, type_ in places]
    return [f"{', '.join(place for place, _ in places)} = {', '.join(values)}"]


def _chained(scope: Scope, depth: int) -> Lines | None:
    """`a = m[k] = x`: one value for places that all take it."""
    first, type_ = _place(scope)
    source = scope.random.choice(narrower(type_)) if isinstance(type_, IntType) else type_
    others = [place for place, other in (_place(scope) for _ in range(4)) if _takes(other, source)]
    return [f"{' = '.join([first, *others])} = {typed(scope, source, _DEPTH)}"] if others else None


def _takes(type_: ValueType, source: ValueType) -> bool:
    return source in narrower(type_) if isinstance(type_, IntType) and isinstance(source, IntType) else source == type_


def _place(scope: Scope) -> tuple[str, ValueType]:
    """Somewhere to store a value, and what it takes."""
    places = [(name, type_) for name, type_ in scope.locals.items() if name not in scope.literal_only]
    places += [(each.name, each.type) for each in scope.globals if each.kind == "State"]
    places += [(f"{each.name}[{key(scope, each.name, 1)}]", each.value) for each in scope.stores if not each.is_trie]
    places += [("pkt.mark", U32), ("pkt.srh.tag", U16)]
    return scope.random.choice(places)


def _update(scope: Scope, depth: int) -> Lines | None:
    name = scope.pick(name for name, type_ in scope.locals.items() if isinstance(type_, IntType))
    if name is None:
        return None
    type_ = scope.locals[name]
    assert isinstance(type_, IntType)
    operator = scope.random.choice(OPERATORS)
    return [f"{name} {operator}= {_right(scope, type_, operator)}"]


def _right(scope: Scope, type_: IntType, operator: str) -> str:
    """The right side of `x op= e`: of any type that goes with x's, the result is reduced; a shift takes any count."""
    if operator in ("<<", ">>"):
        return f"({typed(scope, any_integer(scope), 2)} & {scope.random.choice((7, 31, 63, 127))})"
    right = typed(scope, scope.random.choice(partners(type_)), _DEPTH) if scope.chance(3) else operand(scope, type_, _DEPTH)
    return divisor(scope, right) if operator in ("//", "%") else right


# -------------------------------------------------------------------------------------------- what outlives the packet


def _set_state(scope: Scope, depth: int) -> Lines | None:
    state = scope.pick(each for each in scope.globals if each.kind == "State")
    return None if state is None else [f"{state.name} = {placed(scope, state.type, _DEPTH)}"]


def _update_state(scope: Scope, depth: int) -> Lines | None:
    state = scope.pick(each for each in scope.globals if each.kind == "State" and isinstance(each.type, IntType))
    if state is None:
        return None
    assert isinstance(state.type, IntType)
    operator = scope.random.choice(_updates(state.type, shared=True))
    return [f"{state.name} {operator}= {_right(scope, state.type, operator)}"]


def _updates(type_: IntType, *, shared: bool) -> tuple[str, ...]:
    return tuple(operator for operator in OPERATORS if not shared or type_.width >= 32 or operator not in SHARED_UPDATES)


def _set_element(scope: Scope, depth: int) -> Lines | None:
    store = scope.pick(scope.stores)
    return None if store is None else [f"{store.name}[{stored_key(scope, store, 2)}] = {placed(scope, store.value, _DEPTH)}"]


def _update_element(scope: Scope, depth: int) -> Lines | None:
    store = scope.pick(each for each in scope.stores if isinstance(each.value, IntType) and _can_update(each))
    if store is None:
        return None
    assert isinstance(store.value, IntType)
    operator = scope.random.choice(SHARED_UPDATES if store.is_trie else _updates(store.value, shared=store.shared))
    return [f"{store.name}[{key(scope, store.name, 2)}] {operator}= {_right(scope, store.value, operator)}"]


def _can_update(store: Store) -> bool:
    if store.is_trie:
        return isinstance(store.value, IntType) and store.value.width >= 32
    return not store.sparse or store.default is not None


def _delete(scope: Scope, depth: int) -> Lines | None:
    store = scope.pick(each for each in scope.stores if each.sparse)
    if store is None:
        return None
    where = stored_key(scope, store, 1)
    if store.is_trie:
        return [f"del {store.name}[{where}]"]
    return [f"if {where} in {store.name}:", f"{_INDENT}del {store.name}[{where}]"] if scope.chance(2) else [f"del {store.name}[{where}]"]


def _look_up(scope: Scope, depth: int) -> Lines | None:
    """`n = m.get(k)`, and perhaps at once what to do when it missed."""
    store = scope.pick(each for each in scope.stores if each.sparse)
    if store is None:
        return None
    name = scope.fresh("found")
    lines = [f"{name} = {store.name}.get({key(scope, store.name, 2)})"]
    if scope.chance(4):
        lines += [f"if {name} is None:", f"{_INDENT}{name} = {store.name}.get({key(scope, store.name, 1)})"]
    return lines + _asked(scope, name, store.value, depth)


def _asked(scope: Scope, name: str, type_: ValueType, depth: int) -> Lines:
    match scope.random.randrange(5):
        case 0:
            out = leave(scope)
            scope.locals[name] = type_
            return [f"if {name} is None:", f"{_INDENT}{out}"]
        case 1:
            scope.locals[name] = type_
            return [f"assert {name} is not None"]
        case 2:
            lines = [f"if {name} is None:", f"{_INDENT}{name} = {typed(scope, type_, 2)}"]
            scope.locals[name] = type_
            return lines
        case 3:
            with scope.arm():
                scope.locals[name] = type_
                return [f"if {name} is not None:", *_arm(scope, depth)]
        case _:
            scope.lookups[name] = type_
            return []


# -------------------------------------------------------------------------------------------------------- the packet


def _set_field(scope: Scope, depth: int) -> Lines:
    """What a seg6local function may write."""
    name, type_ = scope.random.choice((("srh.tag", U16), ("srh.flags", U8), ("mark", U32), ("priority", U32)))
    view = scope.pick(scope.fresh_srh)
    place = f"{view}.{name.removeprefix('srh.')}" if view and name.startswith("srh.") else f"pkt.{name}"
    if scope.chance(2):
        return [f"{place} = {placed(scope, type_, _DEPTH)}"]
    operator = scope.random.choice(OPERATORS)
    return [f"{place} {operator}= {_right(scope, type_, operator)}"]


# ----------------------------------------------------------------------------------------------------------- control


def _if(scope: Scope, depth: int) -> Lines:
    lines = [f"if {condition(scope, _DEPTH)}:"]
    with scope.arm():
        lines += _arm(scope, depth)
    for _ in range(scope.random.choice((0, 0, 1, 2))):
        lines.append(f"elif {condition(scope, _DEPTH)}:")
        with scope.arm():
            lines += _arm(scope, depth)
    if scope.chance(2):
        lines.append("else:")
        with scope.arm():
            lines += _arm(scope, depth)
    return lines


def _match(scope: Scope, depth: int) -> Lines:
    """Over an integer: constants, several of them, a guard, a name, and perhaps a case for all others."""
    type_ = any_integer(scope)
    lines = [f"match {typed(scope, type_, 2)}:"]
    for _ in range(scope.random.randint(1, 3)):
        with scope.arm():
            name = scope.fresh("case")
            constants = " | ".join(number(scope, type_) for _ in range(scope.random.choice((1, 1, 2))))
            case = scope.random.choice((constants, f"{constants} if {condition(scope, 1)}", f"{constants} as {name}", f"{name} if "))
            if name in case:
                scope.locals[name] = type_
            if case == f"{name} if ":
                case += condition(scope, 2)
            lines += [f"{_INDENT}case {case}:", *_indented(_arm(scope, depth))]
    if scope.chance(2):
        with scope.arm():
            lines += [f"{_INDENT}case _:", *_indented(_arm(scope, depth))]
    return lines


def _for(scope: Scope, depth: int) -> Lines | None:
    """Over constants or over something bounded; what is known of views is not used, as the body may come round after a move."""
    if scope.loops >= 2:
        return None
    name = scope.fresh("i")
    ends, lines, first = None, [], list[str]()
    if scope.loops == 0 and scope.chance(12):
        ends, first = _long_range(scope, name)
        text = f"range({ends.start}, {ends.stop}, {ends.step})"
    elif scope.chance(2):
        start, stop, step = scope.random.randint(-3, 3), scope.random.randint(-3, 8), scope.random.choice((1, 1, 2, -1, -2))
        ends = range(start, stop, step)
        text = f"range({start}, {stop}, {step})"
    else:
        type_ = any_integer(scope)
        text = _bounded_range(scope, type_)
    with scope.arm():
        scope.loops += 1
        scope.fresh_srh.clear()
        if ends is None:
            scope.locals[name] = type_
        elif ends:
            scope.counters[name] = (min(ends), max(ends))
        lines += [f"for {name} in {text}:", *(_INDENT + line for line in first), *_arm(scope, depth)]
    if scope.chance(3):
        with scope.arm():
            lines += ["else:", *_arm(scope, depth)]
    scope.fresh_srh.clear()
    return lines


def _long_range(scope: Scope, name: str) -> tuple[range, Lines]:
    """More iterations than the verifier goes through, and a way out before they take long."""
    start = scope.random.randint(-5, 5)
    ends = range(start, start + scope.random.randint(5000, 30000), scope.random.choice((1, 1, 2)))
    return ends, [f"if {name} >= {start + scope.random.randint(0, 60)}:", f"{_INDENT}break"]


def _bounded_range(scope: Scope, type_: IntType) -> str:
    """A range with values of that type, its bound a mask, a `min`, a comparison, or both ends."""
    most = scope.random.randint(1, 7)
    bounds = [f"({typed(scope, type_, 2)} & {most})", f"max(min({typed(scope, type_, 2)}, {most}), 0)"]
    bounds += [f"({name} if 0 <= {name} <= {most} else {most})" for name, other in scope.locals.items() if other == type_]
    bounded = scope.random.choice(bounds)
    match scope.random.randrange(4):
        case 0:
            return f"range({bounded}, -1, -1)"
        case 1:
            return f"range({scope.random.randint(0, 3)}, {bounded}, {scope.random.choice((1, 2, 3))})"
        case 2:
            return f"range({bounded}, {typed(scope, type_, 1)} & 7, {scope.random.choice((1, -1, 2))})"
        case _:
            return f"range({bounded})"


def _leave_loop(scope: Scope, depth: int) -> Lines | None:
    if not scope.loops:
        return None
    return [f"if {condition(scope, 2)}:", f"{_INDENT}{scope.random.choice(('break', 'continue'))}"]


def _leave(scope: Scope, depth: int) -> Lines:
    return [f"if {condition(scope, 2)}:", f"{_INDENT}{leave(scope)}"]


def _assert(scope: Scope, depth: int) -> Lines:
    message = ', "a message"' if scope.chance(3) else ""
    return [f"assert {condition(scope, 2)} or {condition(scope, 2)}{message}"]


def _evaluate(scope: Scope, depth: int) -> Lines | None:
    """A read for its fault alone."""
    made = element(scope, any_type(scope), 2)
    return None if made is None else [made]


def _call(scope: Scope, depth: int) -> Lines | None:
    """A call for what it does, or to give a local its result; what may be None is asked for."""
    callee = scope.pick(scope.callees)
    if callee is None or (callee.moves and not scope.may_move):
        return None
    text = called(scope, callee, 2)
    if text is None:
        return None
    if callee.moves:
        scope.fresh_srh.clear()
    if callee.result is None or scope.chance(4):
        return [text]
    if callee.optional:
        name = scope.fresh("found")
        return [f"{name} = {text}", *_asked(scope, name, callee.result, depth)]
    name = scope.fresh("v")
    scope.locals[name] = callee.result
    return [f"{name} = {text}"]


_SIMPLE: Weighted[Lines | None] = (
    (8, _bind),
    (3, _call),
    (1, _bind_literal),
    (2, _bind_literal_first),
    (2, _bind_on_branches),
    (1, _bind_verdict),
    (1, _bind_view),
    (4, _assign),
    (1, _swap),
    (2, _several),
    (1, _chained),
    (5, _update),
    (2, _set_state),
    (3, _update_state),
    (2, _set_element),
    (3, _update_element),
    (1, _delete),
    (4, _look_up),
    (2, _set_field),
    (1, tlvs.append),
    (1, _leave),
    (4, _leave_loop),
    (1, _assert),
    (1, _evaluate),
    (2, structs.uses),
    (1, events.uses),
    (1, queues.uses),
    (1, words.says),
    (1, tlvs.find),
    (1, tlvs.read_bytes),
    (1, tlvs.read_items),
    (1, tlvs.go_over),
    (2, views.view),
    (1, views.load),
    (1, tlvs.edit),
)
_STATEMENTS: Weighted[Lines | None] = (*_SIMPLE, (8, _if), (3, _match), (6, _for))
