"""The parameters and the result of an author's function: names, types and defaults, as its first line has them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import final

from pybpfnf.abi.headers import HEADERS
from pybpfnf.diagnostics import Span
from pybpfnf.dsl.building.arguments import Parameter
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.signature import name_span, unquoted
from pybpfnf.dsl.building.slots import HeaderSlot, OptionalSlot, PacketSlot, Slot
from pybpfnf.dsl.building.values import Constant, HeaderClass, Nothing, Poison, StructClass, TlvClass, Value
from pybpfnf.dsl.surface.functions import Func
from pybpfnf.dsl.surface.packets import Ipv6, Srh, Verdict
from pybpfnf.dsl.surface.programs import lwt_in, lwt_out, lwt_xmit, seg6local
from pybpfnf.dsl.surface.route_headers import Ipv4, XmitIpv4, XmitIpv6
from pybpfnf.dsl.surface.scalars import value_type
from pybpfnf.dsl.types import NONE, VERDICT, NoneType, PacketViewType, TlvViewType, VerdictType
from pybpfnf.records import dataclass

PACKETS: Mapping[str, type] = {hook.name: hook.packet for hook in (seg6local, lwt_in, lwt_out, lwt_xmit)}
"""The class of each hook's packet."""

_HEADERS: Mapping[type, str] = {Ipv6: "ipv6", XmitIpv6: "ipv6", Ipv4: "ipv4", XmitIpv4: "ipv4", Srh: "srh"}
_TYPES = "u8 to u64, s8 to s64, bool, IPv6Address, Verdict, a Struct, a Tlv, a Header"


@final
@dataclass(frozen=True, slots=True)
class Default:
    """What Python worked out when it read the definition, and where it stands there."""

    value: object
    node: ast.expr


@final
@dataclass(frozen=True, slots=True)
class Formal:
    """One parameter; `default` None: it must be given."""

    name: str
    slot: Slot
    node: ast.arg
    default: Default | None
    parameter: Parameter


@final
@dataclass(frozen=True, slots=True)
class Signature:
    formals: tuple[Formal, ...]
    result: Slot


def build_formals(b: Builder, function: Func[..., object]) -> Signature | None:
    """The function's first line; None where it is wrong, and that was reported."""
    definition = b.source.definition
    before = len(b.diagnostics)
    if len(definition.decorator_list) > 1:
        b.error("unsupported", "a function has one decorator", definition.decorator_list[1], "leave @func alone")
    arguments = definition.args
    for variadic in (arguments.vararg, arguments.kwarg):
        if variadic is not None:
            b.error("unsupported", f"`{variadic.arg}` takes any number of arguments", variadic, "write each parameter out")
    formals = [_formal(b, argument, default, kind) for argument, default, kind in _parameters(arguments, function)]
    result = _result(b, definition)
    if len(b.diagnostics) > before or result is None:
        return None
    return Signature(tuple(formal for formal in formals if formal is not None), result)


_Kind = tuple[bool, bool]  # positional only, keyword only


def _parameters(arguments: ast.arguments, function: Func[..., object]) -> Iterator[tuple[ast.arg, Default | None, _Kind]]:
    plain = [*arguments.posonlyargs, *arguments.args]
    values = function.function.__defaults__ or ()
    first = len(plain) - len(arguments.defaults)
    defaults = [Default(value, node) for value, node in zip(values, arguments.defaults, strict=True)]
    for index, argument in enumerate(plain):
        yield argument, defaults[index - first] if index >= first else None, (index < len(arguments.posonlyargs), False)
    named = function.function.__kwdefaults__ or {}
    for argument, node in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield argument, None if node is None else Default(named[argument.arg], node), (False, True)


def _formal(b: Builder, argument: ast.arg, default: Default | None, kind: _Kind) -> Formal | None:
    name = argument.arg
    if argument.annotation is None:
        b.error("type", f"`{name}` has no type", argument, f"write `{name}: u32`, or another of {_TYPES}, or the packet's class")
        return None
    slot = _slot(b, argument.annotation)
    if slot is None:
        return None
    if isinstance(slot, NoneType):
        b.error("type", "None is no type of a parameter", argument.annotation, f"write one of {_TYPES}")
        return None
    positional_only, keyword_only = kind
    return Formal(name, slot, argument, default, Parameter(name, default is None, keyword_only, positional_only))


def _result(b: Builder, definition: ast.FunctionDef) -> Slot | None:
    if definition.returns is None:
        message = f"`{definition.name}` does not say what it gives"
        b.error("type", message, name_span_of(b), "write `-> u32`, or another type, or `-> None`")
        return None
    slot = _slot(b, definition.returns)
    if isinstance(slot, PacketSlot | HeaderSlot):
        hint = "return a field of it; who calls has the packet already"
        b.error("unsupported", f"a function cannot give {slot}", definition.returns, hint)
        return None
    return slot


def name_span_of(b: Builder) -> Span:
    """Where the name of the function that is built stands, as its caller reached it."""
    return b.placed(name_span(b.source))


def _slot(b: Builder, annotation: ast.expr) -> Slot | None:
    """What an annotation says; None where it is none, and that was reported."""
    node = unquoted(annotation)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr) and isinstance(node.right, ast.Constant) and node.right.value is None:
        inner = _slot(b, node.left)
        if inner is not None and not isinstance(inner, PacketSlot | HeaderSlot | OptionalSlot | VerdictType | NoneType):
            return OptionalSlot(inner)
        wrong = inner is not None
    else:
        written = b.expr(node)
        slot = _named(written)
        if slot is not None:
            return slot
        wrong = not isinstance(written, Poison)
    if wrong:
        b.error("type", f"`{b.text(annotation)}` is no type of a parameter or a result", annotation, f"write one of {_TYPES}")
    return None


def _named(written: Value) -> Slot | None:
    match written:
        case Nothing():
            return NONE
        case TlvClass(layout):
            return TlvViewType(layout)
        case HeaderClass(type_):
            return PacketViewType(type_)
        case StructClass(struct):
            return struct
        case Constant(thing) if thing is Verdict:
            return VERDICT
        case Constant(type() as thing) if thing in _HEADERS:
            return HeaderSlot(HEADERS[_HEADERS[thing]], thing.__name__)
        case Constant(type() as thing) if thing in PACKETS.values():
            return PacketSlot(thing.__name__)
        case Constant(thing):
            return value_type(thing)
        case _:
            return None
