"""Values made into typed IR: what goes where, and what is said when it does not."""

from __future__ import annotations

import ast
from dataclasses import replace
from ipaddress import IPv6Network

from pybpfnf.dsl import ir
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.conversions import common_type, literal_type, widens
from pybpfnf.dsl.building.hints import PART_OF_ADDRESS, conversion_hint, truth_hint
from pybpfnf.dsl.building.values import (
    Appended,
    Built,
    Choice,
    Constant,
    Effect,
    EventsPlace,
    HeaderClass,
    HeaderView,
    Listed,
    Literal,
    MapPlace,
    Method,
    Nothing,
    Number,
    PacketView,
    Poison,
    ProgramSlot,
    ProgramsPlace,
    QueuePlace,
    Redirecting,
    Reserving,
    Segments,
    StructClass,
    TailCalling,
    TlvClass,
    TlvItems,
    Tlvs,
    Typed,
    Value,
)
from pybpfnf.dsl.surface.calls import HelperFunction
from pybpfnf.dsl.surface.queues import QueueDefinition
from pybpfnf.dsl.surface.scalars import Width
from pybpfnf.dsl.types import (
    ADDRESS,
    BOOL,
    INT_TYPES,
    S64,
    U64,
    AddressType,
    ArrayType,
    IntType,
    NoneType,
    OctetsType,
    OptionalType,
    PacketViewType,
    StructType,
    TlvViewType,
    Type,
    ViewType,
    is_reserved,
    struct_of,
)


def describe(value: Value) -> str:
    """What a value is, as the subject of a message."""
    match value:
        case Typed(expr) if isinstance(expr.type, NoneType):
            return "None"
        case Typed(expr):
            return article(expr.type)
        case Literal() | Choice():
            return "an integer"
        case PacketView():
            return "the packet"
        case HeaderView(header):
            return f"the {header.name} header"
        case MapPlace(map_):
            return f"the map `{map_.name}`"
        case QueuePlace(queue):
            return f"the {queue.kind} `{queue.name}`"
        case EventsPlace(buffer):
            return f"the {'ring buffer' if buffer.kind == 'ringbuf' else 'perf event array'} `{buffer.name}`"
        case Reserving(buffer):
            return f"a {buffer.record} that is reserved"
        case ProgramsPlace(array):
            return f"the program array `{array.name}`"
        case ProgramSlot(array):
            return f"a program of `{array.name}`, not called"
        case TailCalling():
            return "a tail call"
        case Redirecting():
            return "a redirect"
        case Segments():
            return "the segment list"
        case Tlvs():
            return "the list of TLVs"
        case TlvItems(field=field, items=items):
            return f"the {items} `{field.name}`"
        case Method(_, name):
            return f"the method `{name}`, not called"
        case TlvClass(layout):
            return f"the class {layout.name}"
        case StructClass(type_) | HeaderClass(type_):
            return f"the class {type_}"
        case Built(made):
            return f"a {made.layout.name}" if isinstance(made, ir.TlvValue) else "an Srh"
        case Constant(IPv6Network()):
            return "a Prefix"
        case Constant(Width()):
            return "a type of integers"
        case Constant(HelperFunction() as helper):
            return f"the helper `{helper.row.name}`, not called"
        case Constant(thing):
            name = type(thing).__name__
            return f"{'an' if name[0] in 'aeio' else 'a'} {name}"
        case Listed():
            return "a list"
        case Nothing() | Appended() | Effect():
            return "None"
        case Poison():
            return "something wrong"


def zero(type_: Type, where: ast.expr, b: Builder) -> ir.Const:
    """A stand-in for an expression that was found wrong; the module that has it is never given out."""
    if isinstance(type_, AddressType | StructType | OctetsType | ArrayType):
        return ir.Const(bytes(type_.size), type_, b.span(where))
    return ir.Const(0, type_, b.span(where))


def present(b: Builder, value: Value, node: ast.expr) -> Value:
    """The value, unless it is a look-up that can miss and was not asked about."""
    if isinstance(value, Typed) and isinstance(value.expr.type, OptionalType):
        text = b.text(node)
        hint = f"write `if {text} is None: return DROP` first" if isinstance(node, ast.Name) else "give it a name, and ask `is None` first"
        return b.error("maybe-none", f"`{text}` can be None here: {why_missing(b, value, node)}", node, hint)
    return value


def why_missing(b: Builder, value: Typed, node: ast.expr) -> str:
    """Why there may be nothing, of a value that can be None."""
    kind = value.expr.queue.kind if isinstance(value.expr, ir.QueueTake) else _taken_from(b, node)
    assert isinstance(value.expr.type, OptionalType)
    return f"the {kind} may be empty" if kind else _why_missing(value.expr.type.inner)


def _taken_from(b: Builder, node: ast.expr) -> str | None:
    """What a local's value was taken from, as the function has it: a queue or a stack."""
    wanted = node.id if isinstance(node, ast.Name) else None
    for each in ast.walk(b.source.definition):
        match each:
            case ast.Assign([ast.Name(name)], ast.Call(ast.Attribute(ast.Name(queue)))) if name == wanted:
                found = b.source.captured.get(queue)
                if isinstance(found, QueueDefinition):
                    return found.kind
    return None


def _why_missing(type_: Type) -> str:
    match type_:
        case TlvViewType():
            return "the SRH may have no such TLV"
        case PacketViewType():
            return "the packet may have no such header"
        case StructType():
            return "there may be no value"
        case _:
            return "the ring may be full" if is_reserved(type_) else "the key may be missing"


def as_number(b: Builder, value: Value, node: ast.expr, role: str) -> Number | Poison:
    """An integer operand; anything else is reported."""
    value = present(b, value, node)
    match value:
        case Literal() | Choice() | Poison():
            return value
        case Typed(expr) if isinstance(expr.type, IntType):
            return value
        case Typed(expr) if expr.type == BOOL:
            return b.error("type", f"{role} takes integers, and `{b.text(node)}` is a bool", node, f"write `u8({b.text(node)})` for 0 or 1")
        case Typed(expr) if expr.type == ADDRESS:
            return b.error("type", f"{role} takes integers, and `{b.text(node)}` is an IPv6Address", node, PART_OF_ADDRESS)
        case Constant(thing) if isinstance(thing, float):
            return b.error("unsupported", "floats are not part of the language", node, "count in smaller units, as integers")
        case _:
            return b.error("type", f"{role} takes integers, and `{b.text(node)}` is {describe(value)}", node, "use an integer")


def as_bool(b: Builder, value: Value, node: ast.expr, *, negated: bool = False) -> ir.Expr:
    """A condition; an integer is not taken for one. `negated`: it stands behind `not`."""
    text = b.text(node)
    match value:
        case Typed(expr) if expr.type == BOOL:
            return expr
        case Poison():
            return zero(BOOL, node, b)
        case Effect():
            b.error("type", f"a condition is a bool, and `{text}` gives nothing: where it fails, it is a fault", node, "write it alone")
        case Typed(expr) if isinstance(expr.type, OptionalType):
            view = isinstance(expr.type.inner, ViewType | TlvViewType | PacketViewType)
            why = "a view is no bool" if view else "0 and None are both false"
            b.error("maybe-none", f"`{text}` is {expr.type}: {why}", node, f"write `{text} {'is' if negated else 'is not'} None`")
        case Literal() | Choice():
            b.error("type", f"a condition is a bool, and `{text}` is an integer", node, f"write `{text} != 0`")
        case Typed(expr) if isinstance(expr.type, IntType):
            b.error("type", f"a condition is a bool, and `{text}` is {article(expr.type)}", node, f"write `{text} != 0`")
        case _:
            b.error("type", f"a condition is a bool, and `{text}` is {describe(value)}", node, truth_hint(value, text))
    return zero(BOOL, node, b)


def settle(b: Builder, number: Literal | Choice, type_: IntType, node: ast.expr) -> ir.Expr:
    """A literal in its type; one that does not fit is reported."""
    span = b.span(node)
    if isinstance(number, Choice):
        arms = (node.body, node.orelse) if isinstance(node, ast.IfExp) else (node, node)
        then, orelse = (settle(b, arm, type_, where) for arm, where in zip((number.then, number.orelse), arms, strict=True))
        return ir.Conditional(number.test, then, orelse, type_, number.span)
    if not type_.holds(number.value):
        limits = f"{type_.minimum} to {type_.maximum}"
        b.error("overflow", f"{number.value} does not fit {type_} ({limits})", node, _wider_hint(number.value, type_))
        return zero(type_, node, b)
    return ir.Const(number.value, type_, span)


def _wider_hint(value: int, type_: IntType) -> str:
    fitting = [name for name, candidate in INT_TYPES.items() if candidate.holds(value)]
    kept = f"`{type_}({value})` keeps the low bits: {type_.reduce(value)}"
    return f"it fits {fitting[0]}; {kept}" if fitting else kept


def default_typed(b: Builder, value: Value, node: ast.expr) -> Value:
    """A literal that meets no other type becomes s64; all else stays."""
    if not isinstance(value, Literal | Choice):
        return value
    if isinstance(value, Literal) and literal_type(value.value) is None:
        return b.error("overflow", f"{value.value} does not fit s64, the type of a literal alone", node, "write its type: `x: u64 = ...`")
    return Typed(settle(b, value, S64, node))


def convert(expr: ir.Expr, type_: IntType) -> ir.Expr:
    """Reduce to `type_`; constants at once."""
    if expr.type == type_:
        return expr
    if isinstance(expr, ir.Const) and isinstance(expr.value, int):
        return ir.Const(type_.reduce(expr.value), type_, expr.span)
    return ir.Convert(expr, type_, expr.span)


def to_type(b: Builder, value: Value, type_: Type, node: ast.expr, place: str) -> ir.Expr:
    """The value as `place` takes it: widening is free, anything else is reported. `place` is the subject of the message."""
    value = present(b, value, node)
    if isinstance(value, Listed):
        b.refuse(node)
    if isinstance(value, Poison | Listed):
        return zero(type_, node, b)
    if isinstance(value, Literal | Choice) and isinstance(type_, IntType):
        return settle(b, value, type_, node)
    if isinstance(value, Typed):
        source = value.expr.type
        if source == type_:
            return value.expr
        if isinstance(type_, StructType) and struct_of(source) == type_:
            return value.expr
        if isinstance(source, IntType) and isinstance(type_, IntType):
            if value.counter is not None and value.counter.fits(type_):
                return convert(value.expr, type_)
            return _to_integer(b, value.expr, source, type_, node, place)
    text = b.text(node)
    b.error(
        "type",
        f"{place} is {article(type_)}, and `{text}` is {describe(value)}",
        node,
        conversion_hint(b.hook, value, type_, text, article(type_)),
    )
    return zero(type_, node, b)


def _to_integer(b: Builder, expr: ir.Expr, source: IntType, type_: IntType, node: ast.expr, place: str) -> ir.Expr:
    if widens(source, type_):
        return convert(expr, type_)
    text = b.text(node)
    literal_only = literal_only_hint(b, node, type_)
    if source.width > type_.width:
        message = f"{place} is {article(type_)}, and `{text}` is {article(source)}: narrowing is never implicit"
        b.error("type", message, node, literal_only or f"write `{type_}({text})`, which keeps the low {type_.width} bits")
    else:
        message = f"{place} is {article(type_)}, and `{text}` is {article(source)}"
        b.error("sign", message, node, literal_only or f"write `{type_}({text})`")
    return zero(type_, node, b)


def literal_only_hint(b: Builder, node: ast.expr, wanted: IntType) -> str | None:
    """A local that is s64 only because nothing else was assigned is better given a type than cast at each use."""
    if isinstance(node, ast.Name) and node.id in b.locals.inferred.literal_only:
        return f"`{node.id}` is s64 because only literals are assigned to it: write `{node.id}: {wanted} = ...` there"
    return None


def article(type_: Type) -> str:
    name = str(type_)
    return f"{'an' if name[0] in 'AEIOaos' else 'a'} {name}"


def same_type(b: Builder, left: Number, right: Number, nodes: tuple[ast.expr, ast.expr]) -> tuple[ir.Expr, ir.Expr] | Poison:
    """Two integer operands in their common type, by the table of result types; at least one has a type."""
    if isinstance(left, Typed) and isinstance(right, Typed):
        one, other = left.expr.type, right.expr.type
        assert isinstance(one, IntType)
        assert isinstance(other, IntType)
        if right.counter is None and left.counter is not None and left.counter.fits(other):
            return convert(left.expr, other), right.expr
        if left.counter is None and right.counter is not None and right.counter.fits(one):
            return left.expr, convert(right.expr, one)
        common = common_type(one, other)
        if common is None:
            return _mixed_signs(b, (one, other), nodes)
        return convert(left.expr, common), convert(right.expr, common)
    if isinstance(left, Typed):
        assert not isinstance(right, Typed)
        type_ = left.expr.type
        assert isinstance(type_, IntType)
        return left.expr, settle(b, right, type_, nodes[1])
    assert isinstance(right, Typed)
    type_ = right.expr.type
    assert isinstance(type_, IntType)
    return settle(b, left, type_, nodes[0]), right.expr


def _is_target(node: ast.expr) -> bool:
    """Whether it is the place of `place op= e`, which cannot be cast."""
    return isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store)


def _mixed_signs(b: Builder, types: tuple[IntType, IntType], nodes: tuple[ast.expr, ast.expr]) -> Poison:
    signed = 0 if types[0].signed else 1
    unsigned = 1 - signed
    texts = [b.text(node) for node in nodes]
    hint = literal_only_hint(b, nodes[signed], types[unsigned])
    if hint is None and types[unsigned] == U64 and not (unsigned == 0 and _is_target(nodes[0])):
        hint = f"write `u64({texts[signed]})`, or `s64({texts[unsigned]})` where it is below 2**63"
    elif hint is None and _is_target(nodes[0]):
        hint = f"write `{types[0]}({texts[1]})`"
    elif hint is None:
        wider = f"s{types[unsigned].width * 2}"  # the narrowest signed type that holds every value of both
        hint = f"write `{wider}({texts[unsigned]})`, which keeps both values"
    message = f"signed and unsigned are mixed: `{texts[0]}` is {types[0]}, `{texts[1]}` is {types[1]}"
    span = b.span(nodes[0])
    last = b.span(nodes[1])
    whole = replace(span, end_line=last.end_line, end_column=last.end_column)
    return b.error("sign", message, whole, hint)
