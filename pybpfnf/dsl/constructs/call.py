"""Calls: casts, helpers, and constants that are made by a call; methods and TLVs go to their own module."""

from __future__ import annotations

import ast
from ipaddress import AddressValueError, IPv6Address, IPv6Network
from types import BuiltinFunctionType, FunctionType

from pybpfnf.abi.helpers import HELPERS, Arg, Helper
from pybpfnf.dsl import ir
from pybpfnf.dsl.building.arguments import Parameter, bind
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.hints import helper_hint
from pybpfnf.dsl.building.hooks import PUSHES
from pybpfnf.dsl.building.operands import as_number, convert, describe, present, settle
from pybpfnf.dsl.building.rules import is_gpl_compatible
from pybpfnf.dsl.building.values import (
    POISON,
    Choice,
    Constant,
    EventsPlace,
    HeaderClass,
    HeaderView,
    Literal,
    MapPlace,
    Method,
    PacketView,
    Poison,
    ProgramSlot,
    QueuePlace,
    Segments,
    StructClass,
    TlvClass,
    TlvItems,
    Typed,
    Value,
)
from pybpfnf.dsl.constructs.actions import append, push, run_action
from pybpfnf.dsl.constructs.builtin import build_absolute, build_extreme
from pybpfnf.dsl.constructs.edit import insert, remove
from pybpfnf.dsl.constructs.events import call_events
from pybpfnf.dsl.constructs.func import build_func_call
from pybpfnf.dsl.constructs.log import build_log
from pybpfnf.dsl.constructs.map import get
from pybpfnf.dsl.constructs.name import is_store_type, refuse_making
from pybpfnf.dsl.constructs.queue import call_queue
from pybpfnf.dsl.constructs.redirect import REDIRECTS, build_redirect
from pybpfnf.dsl.constructs.struct import build_struct
from pybpfnf.dsl.constructs.tails import call_program
from pybpfnf.dsl.constructs.tlv import find, is_instance, item_count
from pybpfnf.dsl.constructs.view import VIEW_METHODS, build_view
from pybpfnf.dsl.constructs.wire import build_srh, build_tlv
from pybpfnf.dsl.surface.calls import FORMS, NAMED_HELPERS, HelperFunction, is_scalar_helper, realtime
from pybpfnf.dsl.surface.functions import Func
from pybpfnf.dsl.surface.packets import Srh
from pybpfnf.dsl.surface.programs import Program
from pybpfnf.dsl.surface.scalars import Width
from pybpfnf.dsl.surface.words import log
from pybpfnf.dsl.types import ADDRESS, BOOL, U64, IntType, OctetsType


def build_call(b: Builder, node: ast.Call) -> Value:
    callee = b.expr(node.func)
    match callee:
        case Method(MapPlace(map_), _):
            bound = bind(b, node, (Parameter("key"),), b.text(node.func))
            return POISON if bound is None else get(b, map_, bound["key"], node)
        case Method(QueuePlace(queue), name):
            return call_queue(b, queue, name, node)
        case Method(EventsPlace(buffer), name):
            return call_events(b, buffer, name, node)
        case Method(PacketView(), name) if name in PUSHES:
            return push(b, name, node)
        case Method(PacketView(), name) if name in REDIRECTS:
            return build_redirect(b, name, node)
        case Method(PacketView(), name) if name in VIEW_METHODS:
            return build_view(b, name, node)
        case Method(PacketView(), name):
            return run_action(b, name, node)
        case Method(HeaderView(), "insert"):
            return insert(b, node)
        case Method(HeaderView(), "remove"):
            return remove(b, node)
        case Method(HeaderView(), "find"):
            return find(b, node)
        case Method(HeaderView(), _):
            return append(b, node)
        case TlvClass(layout):
            return build_tlv(b, layout, node)
        case StructClass(type_):
            return build_struct(b, type_, node)
        case HeaderClass(type_):
            message = f"`{type_}` is a header: it is read from the packet, not made"
            return b.error("unsupported", message, node, f"write `{b.packet_name}.view({type_}, at=...)`")
        case ProgramSlot():
            return call_program(b, callee, node)
        case Constant(thing):
            return _call_object(b, thing, node)
        case Poison():
            return _arguments_alone(b, node)
        case _:
            return b.error("type", f"`{b.text(node.func)}` is {describe(callee)}, which cannot be called", node, "leave the call out")


def _arguments_alone(b: Builder, node: ast.Call) -> Value:
    """What is called is wrong already; its arguments may be wrong too."""
    for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
        b.expr(argument)
    return POISON


def _call_object(b: Builder, thing: object, node: ast.Call) -> Value:
    match thing:
        case Width():
            return _cast(b, thing.type, node)
        case HelperFunction():
            return call_helper(b, thing.row, node)
        case Func():
            return build_func_call(b, thing, node)
        case FunctionType() if thing in NAMED_HELPERS:
            name, type_ = NAMED_HELPERS[thing]
            called = call_helper(b, HELPERS[name], node)
            return Typed(convert(called.expr, type_)) if isinstance(called, Typed) else called
        case FunctionType() if thing is realtime:
            return _realtime(b, node)
        case FunctionType() if thing is log:
            return build_log(b, node)
        case type() if thing is Srh:
            return build_srh(b, node)
        case type() if thing is IPv6Address:
            return _address(b, node)
        case type() if thing is IPv6Network:
            return _prefix(b, node)
        case BuiltinFunctionType() if thing is len:
            return _length(b, node)
        case BuiltinFunctionType() if thing in (min, max):
            return build_extreme(b, ir.BinaryOp.MIN if thing is min else ir.BinaryOp.MAX, node)
        case BuiltinFunctionType() if thing is isinstance:
            return is_instance(b, node)
        case BuiltinFunctionType() if thing is abs:
            return build_absolute(b, node)
        case _:
            return _refuse_call(b, thing, node)


def _refuse_call(b: Builder, thing: object, node: ast.Call) -> Value:
    text = b.text(node.func)
    if isinstance(thing, Program):
        return b.error("unsupported", f"`{text}` is a program: the kernel calls it", node, "write its body where it is called")
    if isinstance(thing, FunctionType):
        return b.error("unsupported", f"`{text}` is a function of Python alone", node, "write `@func` above its `def`")
    if thing is int:
        return b.error("unsupported", "`int` has no width", node, "write u8 to u64 or s8 to s64")
    if thing is bool:
        return b.error("unsupported", "`bool(...)` is not part of the language", node, "compare: `x != 0`")
    if thing is print:
        return b.error(
            "unsupported",
            "`print` is not part of the language",
            node,
            'write `log(f"...")`, which goes to the kernel\'s trace, or count in a map',
        )
    if thing is range:
        return b.error("unsupported", "`range` stands in a loop alone", node, "write `for i in range(n)`")
    if is_store_type(thing):
        return refuse_making(b, thing, node.func)
    return b.error("unsupported", f"`{text}` cannot be called here", node, "call helpers, casts and the packet's methods")


def _cast(b: Builder, type_: IntType, node: ast.Call) -> Value:
    """`u8(x)`: reduced to the type, from any integer or bool."""
    bound = bind(b, node, (Parameter("x"),), type_.name)
    if bound is None:
        return POISON
    operand = bound["x"]
    value = present(b, b.expr(operand), operand)
    if isinstance(value, Typed) and value.expr.type == BOOL:
        if isinstance(value.expr, ir.Const):
            return Typed(ir.Const(value.expr.value, type_, b.span(node)))
        return Typed(ir.Convert(value.expr, type_, b.span(node)))
    number = as_number(b, value, operand, f"`{type_}`")
    if isinstance(number, Typed):
        return Typed(convert(number.expr, type_))
    return number if isinstance(number, Poison) else Typed(settle(b, _reduced(number, type_), type_, node))


def _reduced(number: Literal | Choice, type_: IntType) -> Literal | Choice:
    if isinstance(number, Choice):
        return Choice(number.test, _reduced(number.then, type_), _reduced(number.orelse, type_), number.span)
    return Literal(type_.reduce(number.value))


def call_helper(b: Builder, row: Helper, node: ast.Call) -> Value:
    """`helpers.NAME(scalars)`: the result is a u64."""
    if row.name not in b.hook.helpers:
        return b.error("not-here", f"{b.hook.name} has no helper `{row.name}`", node, helper_hint(row.name))
    if row.gpl_only and not is_gpl_compatible(b.license):
        message = f"the helper `{row.name}` is for GPL programs, and the license is {b.license!r}"
        return b.error("not-here", message, node, 'write `license="GPL"`')
    if row.name in FORMS:
        return b.error("unsupported", f"the helper `{row.name}` is called by the language alone", node, FORMS[row.name])
    if not is_scalar_helper(row):
        return b.error(
            "unsupported", f"the helper `{row.name}` takes or gives more than integers", node, "use what the language has for it"
        )
    count = sum(arg is Arg.SCALAR for arg in row.args)
    bound = bind(b, node, [Parameter(f"x{index + 1}") for index in range(count)], b.text(node.func))
    if bound is None:
        return POISON
    arguments = tuple(_scalar(b, argument) for argument in bound.values())
    if row.changes_packet:
        b.flow.move_packet(b.span(node))
    return Typed(ir.HelperCall(row, arguments, U64, b.span(node)))


def _realtime(b: Builder, node: ast.Call) -> Value:
    """No helper gives CLOCK_REALTIME: it is CLOCK_TAI less the offset between the two."""
    tai, span = call_helper(b, HELPERS["ktime_get_tai_ns"], node), b.span(node)
    if not isinstance(tai, Typed):
        return tai
    return Typed(ir.Binary(ir.BinaryOp.SUB, tai.expr, ir.VariableRead(ir.TAI_OFFSET, U64, span), U64, span))


def _scalar(b: Builder, node: ast.expr) -> ir.Expr:
    """A helper's argument in its register: a negative one in two's complement."""
    number = as_number(b, b.expr(node), node, "a helper")
    if isinstance(number, Typed):
        return convert(number.expr, U64)
    return settle(b, Literal(0) if isinstance(number, Poison) else _reduced(number, U64), U64, node)


def _address(b: Builder, node: ast.Call) -> Value:
    """`IPv6Address("fc00::1")`: a constant."""
    bound = bind(b, node, (Parameter("address"),), "IPv6Address")
    if bound is None:
        return POISON
    value = b.expr(bound["address"])
    given: object = value.value if isinstance(value, Constant | Literal) else None
    if isinstance(value, Poison):
        return POISON
    if not isinstance(given, str | bytes | int):
        return b.error("unsupported", "an address is made of constant text here", node, "read one from a header, a map or a Config")
    try:
        return Typed(ir.Const(IPv6Address(given).packed, ADDRESS, b.span(node)))
    except AddressValueError as error:
        return b.error("type", f"no IPv6 address: {error}", bound["address"], 'write it as in "fc00::1"')


def _prefix(b: Builder, node: ast.Call) -> Value:
    """`Prefix("fc00::/16")`: a constant."""
    bound = bind(b, node, (Parameter("prefix"),), "Prefix")
    if bound is None:
        return POISON
    value = b.expr(bound["prefix"])
    if isinstance(value, Poison):
        return POISON
    if not isinstance(value, Constant) or not isinstance(value.value, str):
        return b.error("unsupported", "a prefix is made of constant text here", node, "write it at module level")
    try:
        return Constant(IPv6Network(value.value))
    except ValueError as error:
        return b.error("type", f"no prefix: {error}", bound["prefix"], 'write it as in "fc00::/16", with zeros after its length')


def _length(b: Builder, node: ast.Call) -> Value:
    """`len(TUPLE)`: a constant."""
    bound = bind(b, node, (Parameter("x"),), "len")
    if bound is None:
        return POISON
    value = b.expr(bound["x"])
    match value:
        case Poison():
            return POISON
        case Constant(tuple() | bytes() | str() as items):
            return Literal(len(items))
        case TlvItems():
            return item_count(b, value, node)
        case Segments():
            return Typed(ir.SegmentCount(b.span(node)))
        case Typed(expr) if isinstance(expr.type, OctetsType):
            return Literal(expr.type.size)
        case _:
            return b.error(
                "unsupported",
                f"`len` takes a constant tuple, or items in the packet, and this is {describe(value)}",
                node,
                "write the number",
            )
