"""Check the IR between passes: types agree, operands are what their node takes, every path returns. What fails is our own bug."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pybpfnf.dsl import ir
from pybpfnf.dsl.ir.walk import walk
from pybpfnf.dsl.passes.check_views import VIEW_CHECKS
from pybpfnf.dsl.types import (
    ADDRESS,
    ANY_TLV,
    BOOL,
    NONE,
    S32,
    S64,
    TLV_HEADER,
    U8,
    U16,
    U32,
    U64,
    VERDICT,
    AddressType,
    ArrayType,
    BoolType,
    IntType,
    ItemsType,
    OctetsType,
    OptionalType,
    StructType,
    TlvViewType,
    Type,
    VerdictType,
    ViewType,
    struct_of,
)
from pybpfnf.errors import InternalError

_SHIFTS = frozenset({ir.BinaryOp.LSHIFT, ir.BinaryOp.RSHIFT})
_ORDER = frozenset({ir.CompareOp.LT, ir.CompareOp.LE, ir.CompareOp.GT, ir.CompareOp.GE})


def check_module(module: ir.Module) -> None:
    """Raises InternalError with the node that is wrong."""
    names = [
        thing.name
        for thing in (
            *module.functions,
            *module.subprograms,
            *module.maps,
            *module.events,
            *module.queues,
            *module.programs,
            *module.variables,
        )
    ]
    if len(set(names)) != len(names):
        raise InternalError(f"two symbols of one name: {sorted(names)}")
    for subprogram in module.subprograms:
        _check_body(subprogram)
        _check_endings(subprogram, ir.Leave)
    for function in module.functions:
        check_function(function)
        if function.span.file not in module.sources:
            raise InternalError(f"{function.name}: the module has no text of {function.span.file}")


def check_function(function: ir.Function) -> None:
    """Raises InternalError with the node that is wrong."""
    _check_body(function)
    _check_endings(function, ir.Return, ir.TailCall)


def _check_body(function: ir.Function | ir.Subprogram) -> None:
    if not returns(function.body):
        raise InternalError(f"{function.name}: a path ends without a return")
    known = set(function.locals)
    if len({local.number for local in known}) != len(function.locals):
        raise InternalError(f"{function.name}: two locals have one number")
    for node in walk(function.body):
        if not CHECKS[type(node)](node):
            raise InternalError(f"{function.name}: inconsistent IR: {node!r}")
        if isinstance(node, ir.LocalRead | ir.Assign | ir.Let | ir.ForRange | ir.Reserve | ir.Release) and node.local not in known:
            raise InternalError(f"{function.name}: an unknown local: {node!r}")
    for stray in leaving(function.body):
        raise InternalError(f"{function.name}: outside of a loop: {stray!r}")


def _check_endings(function: ir.Function | ir.Subprogram, *kinds: type) -> None:
    for ending in _endings(function.body):
        if not isinstance(ending, kinds):
            raise InternalError(f"{function.name}: not how it ends: {ending!r}")


def returns(body: tuple[ir.Stmt, ...]) -> bool:
    """Whether no path through these statements reaches their end, with nothing after that; in a loop, a path may leave its body."""
    if not body:
        return False
    last = body[-1]
    if any(_ends(statement) for statement in body[:-1]):
        return False
    return _ends(last)


def _ends(statement: ir.Stmt) -> bool:
    match statement:
        case ir.If(_, then, orelse):
            return returns(then) and returns(orelse)
        case ir.Locked(body=body):
            return returns(body)
        case ir.ForRange(body=body, orelse=orelse):
            return returns(orelse) and not any(isinstance(node, ir.Break) for node in leaving(body))
        case _:
            return isinstance(statement, ir.Return | ir.TailCall | ir.Leave | ir.Break | ir.Continue | ir.Exhausted)


def leaving(body: tuple[ir.Stmt, ...]) -> Iterator[ir.Break | ir.Continue | ir.Exhausted]:
    """The statements that leave these, by the loop that they stand in."""
    for statement in body:
        match statement:
            case ir.Break() | ir.Continue() | ir.Exhausted():
                yield statement
            case ir.If(_, then, orelse):
                yield from leaving(then)
                yield from leaving(orelse)
            case ir.Locked(body=body):
                yield from leaving(body)
            case ir.ForRange(orelse=orelse):
                yield from leaving(orelse)


def _inlined(node: ir.InlinedCall) -> bool:
    """Its paths all leave it, and nothing else; its loops are its own."""
    leaves = all(isinstance(ending, ir.Leave) for ending in _endings(node.body))
    gives = node.type == (NONE if node.result is None else node.result.type)
    return returns(node.body) and leaves and gives and not any(leaving(node.body))


def _subprogram_call(node: ir.SubprogramCall) -> bool:
    """Each parameter is given something of its type."""
    called = node.subprogram
    given = {local for local, _ in node.arguments} == set(called.parameters) and len(node.arguments) == len(called.parameters)
    fitting = all(_fits(argument.type, local.type) for local, argument in node.arguments)
    return given and fitting and node.type == (NONE if called.result is None else called.result.type)


def _endings(body: tuple[ir.Stmt, ...]) -> Iterator[ir.Return | ir.TailCall | ir.Leave]:
    """The statements that end a function, of the one whose body this is."""
    for statement in body:
        match statement:
            case ir.Return() | ir.TailCall() | ir.Leave():
                yield statement
            case ir.If(_, then, orelse) | ir.ForRange(body=then, orelse=orelse):
                yield from _endings(then)
                yield from _endings(orelse)


def _const(node: ir.Const) -> bool:
    match node.type:
        case IntType() as type_:
            return isinstance(node.value, int) and type_.holds(node.value)
        case BoolType():
            return node.value in (0, 1)
        case AddressType():
            return isinstance(node.value, bytes) and len(node.value) == ADDRESS.size
        case TlvViewType():
            return node.value == 0  # before the first
        case VerdictType():
            return isinstance(node.value, int)
        case StructType() | OctetsType() | ArrayType():
            return isinstance(node.value, bytes) and len(node.value) == node.type.size
        case _:
            return False


def _field_type_fits(node: ir.HeaderRead | ir.SetHeader) -> bool:
    type_ = node.value.type if isinstance(node, ir.SetHeader) else node.type
    if isinstance(type_, IntType):
        return not type_.signed and type_.width >= node.field.width
    return type_ == ADDRESS and node.field.width == ADDRESS.size * 8


def _binary(node: ir.Binary) -> bool:
    if node.op in _SHIFTS:
        return node.left.type == node.type and isinstance(node.right.type, IntType)
    return node.left.type == node.right.type == node.type


def _compare(node: ir.Compare) -> bool:
    if struct_of(node.left.type) is not None or isinstance(node.left.type, OctetsType):
        return node.op not in _ORDER and _same(node.left.type, node.right.type)
    if node.left.type != node.right.type:
        return False
    return isinstance(node.left.type, IntType) or (node.op not in _ORDER and node.left.type in (BOOL, VERDICT, ADDRESS))


def _same(one: Type, other: Type) -> bool:
    """Whether a value of one type goes where the other is: the same, or a struct and a view of it."""
    return one == other or (struct_of(one) is not None and struct_of(one) == struct_of(other))


def _fits(value: Type, place: Type) -> bool:
    """As `_same`, but a place that holds a view takes only a view of the same map."""
    return value == place or (isinstance(place, StructType) and struct_of(value) == place)


def _struct(node: ir.StructValue) -> bool:
    return [field for field, _ in node.values] == list(node.type.fields) and all(
        len(value) == field.type.size if isinstance(value, bytes) else _fits(value.type, field.type) for field, value in node.values
    )


def _array(node: ir.ArrayValue) -> bool:
    item = node.type.item
    return len(node.items) == node.type.count and all(
        len(value) == item.size if isinstance(value, bytes) else _fits(value.type, item) for value in node.items
    )


def _member(node: ir.Member) -> bool:
    struct = struct_of(node.base.type)
    return struct is not None and node.field in struct.fields and node.type == node.field.type


def _tlv_read(node: ir.TlvRead) -> bool:
    view = node.base.type
    return isinstance(view, TlvViewType) and node.field in (*TLV_HEADER, *view.layout.fields) and node.type == node.field.type


def _tlv_item(node: ir.TlvItem) -> bool:
    known = isinstance(node.base.type, TlvViewType) and node.field in node.base.type.layout.fields
    item = node.field.type.item if isinstance(node.field.type, ItemsType) else U8
    return known and isinstance(node.index.type, IntType) and isinstance(node.field.type, OctetsType | ItemsType) and node.type == item


def _tlv_length(node: ir.TlvLength) -> bool:
    view = node.base.type
    return isinstance(view, TlvViewType) and view.layout.trailing is not None and view.layout.fields[-1] == node.field


def _item(node: ir.Item) -> bool:
    if not isinstance(node.index.type, IntType):
        return False
    base = node.base.type
    return (isinstance(base, ArrayType) and node.type == base.item) or (isinstance(base, OctetsType) and node.type == U8)


def _read(map_: ir.Map, type_: Type) -> bool:
    """Whether a look-up gives this type: a copy of a scalar, a view of a struct."""
    if isinstance(map_.value, StructType):
        return isinstance(type_, ViewType) and type_.struct == map_.value and type_.map == map_.name
    return type_ == map_.value


def _convert(node: ir.Convert) -> bool:
    return isinstance(node.type, IntType) and isinstance(node.operand.type, IntType | BoolType) and node.operand.type != node.type


def _unwrap(node: ir.Unwrap) -> bool:
    return isinstance(node.operand.type, OptionalType) and node.operand.type.inner == node.type


def _is_record_of(local: ir.Local, buffer: ir.EventBuffer) -> bool:
    return buffer.kind == "ringbuf" and local.type == OptionalType(ViewType(buffer.record, buffer.name, shared=False, reserved=True))


def _emit(node: ir.Emit) -> bool:
    packet = node.packet is None or (node.packet.type == U32 and node.buffer.kind == "perf_event_array")
    return packet and _fits(node.record.type, node.buffer.record)


def _update_map(node: ir.UpdateMap) -> bool:
    return _fits(node.key.type, node.map.key) and node.value.type == node.map.value and isinstance(node.value.type, IntType)


def _local_read(node: ir.LocalRead) -> bool:
    return node.type == node.local.type and (node.bounds is None or isinstance(node.type, IntType))


def _for_range(node: ir.ForRange) -> bool:
    return node.start.type == node.stop.type and node.stop.type in (S64, U64) and node.step != 0 and isinstance(node.local.type, IntType)


def _action(node: ir.Seg6ActionCall) -> bool:
    wanted: Mapping[ir.Seg6Action, Type] = {ir.Seg6Action.END_X: ADDRESS, ir.Seg6Action.END_T: S32, ir.Seg6Action.END_DT6: S32}
    if node.action not in wanted:
        return isinstance(node.parameter, ir.SrhValue)
    return not isinstance(node.parameter, ir.SrhValue) and node.parameter.type == wanted[node.action]


def _redirect(node: ir.Redirect) -> bool:
    return node.ifindex.type == U32 and node.type == VERDICT and all(part.type == OctetsType(6) for part in node.link or ())


def _push(node: ir.PushEncap) -> bool:
    if node.kind is not ir.EncapKind.IP:
        return node.source is None and node.hop_limit is None
    return node.source is not None and node.source.type == ADDRESS and node.hop_limit is not None and node.hop_limit.type == U8


def _tlv_part(type_: Type | ItemsType, value: ir.Expr | bytes | tuple[ir.Expr, ...]) -> bool:
    if isinstance(type_, ItemsType):
        number = range(type_.most + 1) if type_.trailing else range(type_.most, type_.most + 1)
        return isinstance(value, tuple) and len(value) in number and all(item.type == type_.item for item in value)
    return not isinstance(value, tuple) and type_ == (OctetsType(len(value)) if isinstance(value, bytes) else value.type)


def _tlv(node: ir.TlvValue) -> bool:
    whole = [field for field, _ in node.values] == list(node.layout.fields)
    return whole and all(_tlv_part(field.type, value) for field, value in node.values)


def _srh(node: ir.SrhValue) -> bool:
    return all(address.type == ADDRESS for address in node.path) and node.tag.type == U16 and node.flags.type == U8


def _anything(_node: object) -> bool:
    """Of a node that has nothing more to hold."""
    return True


# What must hold of a node, beyond its Python types.
CHECKS: Mapping[type, Callable[[Any], bool]] = {
    **dict.fromkeys((ir.HasHeader, ir.SegmentCount, ir.Absent, ir.AppendTlv, ir.Log, ir.Locked, ir.Evaluate), _anything),
    **dict.fromkeys((ir.Break, ir.Exhausted, ir.Continue, ir.Leave), _anything),
    ir.Const: _const,
    ir.LocalRead: _local_read,
    ir.VariableRead: lambda node: node.type == node.variable.type,
    ir.HeaderRead: _field_type_fits,
    ir.ContextRead: lambda node: isinstance(node.type, IntType) and node.type.size == node.field.size,
    ir.ReceiveTime: lambda node: node.offset.type == node.type == U64,
    ir.Convert: _convert,
    ir.Binary: _binary,
    ir.Unary: lambda node: node.operand.type == node.type,
    ir.Compare: _compare,
    ir.InPrefix: lambda node: node.address.type == ADDRESS and len(node.network) == ADDRESS.size and 0 <= node.length <= 128,
    ir.Logical: lambda node: node.left.type == node.right.type == BOOL,
    ir.Not: lambda node: node.operand.type == BOOL,
    ir.Let: lambda node: node.value.type == node.local.type and node.body.type == node.type,
    ir.Conditional: lambda node: node.test.type == BOOL and node.then.type == node.orelse.type == node.type,
    ir.MapRead: lambda node: _fits(node.key.type, node.map.key) and _read(node.map, node.type),
    ir.MapGet: lambda node: _fits(node.key.type, node.map.key) and _read(node.map, node.type.inner),
    ir.MapContains: lambda node: _fits(node.key.type, node.map.key),
    ir.QueuePush: lambda node: _fits(node.value.type, node.queue.value),
    ir.QueueTake: lambda node: node.type.inner == node.queue.value,
    ir.IsNone: lambda node: isinstance(node.operand.type, OptionalType),
    ir.Unwrap: _unwrap,
    ir.HelperCall: lambda node: node.type == U64 and all(argument.type == U64 for argument in node.args),
    ir.Seg6ActionCall: _action,
    ir.PushEncap: _push,
    ir.Redirect: _redirect,
    ir.CloneRedirect: lambda node: node.ifindex.type == U32,
    ir.TlvValue: _tlv,
    ir.SrhValue: _srh,
    ir.StructValue: _struct,
    ir.ArrayValue: _array,
    ir.Member: _member,
    ir.Item: _item,
    ir.SegmentRead: lambda node: isinstance(node.index.type, IntType),
    ir.InlinedCall: _inlined,
    ir.SubprogramCall: _subprogram_call,
    ir.Present: lambda node: node.type.inner in (node.operand.type, struct_of(node.operand.type)),
    ir.FindTlv: lambda node: isinstance(node.type.inner, TlvViewType),
    ir.NextTlv: lambda node: node.after.type == TlvViewType(ANY_TLV) and node.type.inner == node.after.type,
    ir.IsTlv: lambda node: node.tlv.type == TlvViewType(ANY_TLV),
    ir.TlvAs: lambda node: node.tlv.type == TlvViewType(ANY_TLV),
    ir.TlvRead: _tlv_read,
    ir.TlvItem: _tlv_item,
    ir.Emit: _emit,
    ir.Shown: lambda node: isinstance(node.value.type, IntType) or node == ir.Shown(node.value),
    ir.Reserve: lambda node: _is_record_of(node.local, node.buffer),
    ir.Release: lambda node: _is_record_of(node.local, node.buffer),
    ir.TlvLength: _tlv_length,
    ir.InsertTlv: lambda node: isinstance(node.at.type, TlvViewType),
    ir.RemoveTlv: lambda node: isinstance(node.at.type, TlvViewType),
    ir.SetTlv: lambda node: node.value.type == node.place.type,
    **VIEW_CHECKS,
    ir.SetPlace: lambda node: _fits(node.value.type, node.place.type),
    ir.UpdatePlace: lambda node: node.value.type == node.place.type and isinstance(node.value.type, IntType),
    ir.Assign: lambda node: _fits(node.value.type, node.local.type),
    ir.SetState: lambda node: node.value.type == node.state.type,
    ir.UpdateState: lambda node: node.value.type == node.state.type and isinstance(node.value.type, IntType),
    ir.SetHeader: _field_type_fits,
    ir.SetContext: lambda node: isinstance(node.value.type, IntType) and node.value.type.size == node.field.size,
    ir.SetMap: lambda node: _fits(node.key.type, node.map.key) and _fits(node.value.type, node.map.value),
    ir.UpdateMap: _update_map,
    ir.DeleteMap: lambda node: _fits(node.key.type, node.map.key),
    ir.If: lambda node: node.test.type == BOOL,
    ir.ForRange: _for_range,
    ir.TailCall: lambda node: isinstance(node.index.type, IntType),
    ir.Return: lambda node: node.value.type == VERDICT,
    ir.Assert: lambda node: node.test.type == BOOL,
}
