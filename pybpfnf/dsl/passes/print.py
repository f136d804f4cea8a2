"""The IR as text, for `--emit ir`: typed, one statement a line, the source line before each.

lwt_seg6local tag_increment(pkt), on fault DROP         functions/tag_increment.py
   9 | srh.tag = srh.tag +u16 1
  10 | return OK
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import IPv6Address
from typing import Any

from pybpfnf.dsl import ir
from pybpfnf.dsl.ir.walk import children
from pybpfnf.dsl.surface.packets import Verdict
from pybpfnf.dsl.types import ADDRESS, BOOL, VERDICT, Type

_INDENT = "  "


def format_module(module: ir.Module) -> str:
    """The whole module; ends in a newline."""
    lines = [f"license {module.license!r}"]
    lines += [_variable(variable) for variable in module.variables]
    lines += [_map(map_) for map_ in module.maps]
    lines += [f"{queue.kind} {queue.name}: {queue.value}, {queue.max_entries} entries" for queue in module.queues]
    lines += [_buffer(buffer) for buffer in module.events]
    lines += [_programs(array) for array in module.programs]
    for function in module.functions:
        lines += ["", *_function(function)]
    for subprogram in module.subprograms:
        lines += ["", *_subprogram(subprogram)]
    return "\n".join(lines) + "\n"


def _variable(variable: ir.Variable) -> str:
    if isinstance(variable, ir.State):
        return f"state {variable.name}: {variable.type} = {_constant(variable.initial, variable.type)}"
    given = "to be given" if variable.default is None else _constant(variable.default, variable.type)
    return f"config {variable.name}: {variable.type} = {given}"


def _map(map_: ir.Map) -> str:
    default = "" if map_.default is None else f", default {_constant(map_.default, map_.value)}"
    return f"{map_.kind} {map_.name}[{map_.key}]: {map_.value}, {map_.max_entries} entries{default}"


def _buffer(buffer: ir.EventBuffer) -> str:
    return f"{buffer.kind} {buffer.name}: {buffer.record}{f', {buffer.size} bytes' if buffer.size else ''}"


def _programs(array: ir.ProgArray) -> str:
    slots = ", ".join(f"{index} {program}" for index, program in array.slots)
    return f"prog_array {array.name}: {array.size} slots{f' ({slots})' if slots else ''}"


def _function(function: ir.Function) -> Iterator[str]:
    yield f"{function.hook.name} {function.name}({function.packet_name}), on fault {_verdict(function.on_fault)}  # {function.span.file}"
    for local in function.locals:
        yield f"{_INDENT}local {_local(local)}: {local.type}"
    yield from _block(function.body, _INDENT)


def _subprogram(subprogram: ir.Subprogram) -> Iterator[str]:
    given = ", ".join(f"{_local(local)}: {local.type}" for local in subprogram.parameters)
    gives = "" if subprogram.result is None else f" -> {_local(subprogram.result)}"
    yield f"subprogram of {subprogram.hook.name} {subprogram.name}({given}){gives}  # {subprogram.span.file}"
    for local in subprogram.locals:
        if local not in subprogram.parameters:
            yield f"{_INDENT}local {_local(local)}: {local.type}"
    yield from _block(subprogram.body, _INDENT)


def _block(body: tuple[ir.Stmt, ...], indent: str) -> Iterator[str]:
    for statement in body:
        line = f"{statement.span.line:>4} |{indent[1:]}"
        match statement:
            case ir.If(then=inner, orelse=orelse):
                yield f"{line}if {_expr(statement.test)}"
            case ir.ForRange(body=inner, orelse=orelse):
                yield f"{line}for {_range(statement)}"
            case ir.Locked(body=inner):
                yield f"{line}with {_expr(statement.entry)}.{statement.lock.name}"
                orelse = ()
            case _:
                yield line + _STATEMENTS[type(statement)](statement)
                yield from _called(children(statement), indent)
                continue
        yield from _called(_heads(statement), indent)
        yield from _block(inner, indent + _INDENT)
        if orelse:
            yield f"     |{indent[1:]}else"
            yield from _block(orelse, indent + _INDENT)


def _heads(statement: ir.If | ir.ForRange | ir.Locked) -> tuple[ir.Expr, ...]:
    if isinstance(statement, ir.Locked):
        return (statement.entry,)
    return (statement.test,) if isinstance(statement, ir.If) else (statement.start, statement.stop)


def _called(nodes: Iterable[object], indent: str) -> Iterator[str]:
    """The bodies of the functions that are called below these nodes, each after the line that calls it."""
    for node in nodes:
        if isinstance(node, ir.InlinedCall):
            yield f"     |{indent[1:]}{_INDENT}{_inlined(node)}:"
            yield from _block(node.body, indent + 2 * _INDENT)
        else:
            yield from _called(children(node), indent)


def _inlined(node: ir.InlinedCall) -> str:
    return f"{node.function}()" if node.result is None else f"{node.function}() -> {_local(node.result)}"


def _subprogram_call(node: ir.SubprogramCall) -> str:
    given = ", ".join(f"{_local(local)} = {_expr(argument)}" for local, argument in node.arguments)
    return f"{node.subprogram.name}({given})"


def _range(node: ir.ForRange) -> str:
    counted = ", counted by the kernel" if node.counted_by_kernel else ""
    return f"{_local(node.local)} in range({_expr(node.start)}, {_expr(node.stop)}, {node.step}), at most {node.most} times{counted}"


def _local(local: ir.Local) -> str:
    """Locals of one name differ in their number."""
    return f"{local.name}.{local.number}" if not local.name.startswith("$") else local.name


def _verdict(number: int) -> str:
    return Verdict(number).name if number in list(Verdict) else str(number)


def _constant(value: int | bytes, type_: Type) -> str:
    if isinstance(value, bytes):
        return str(IPv6Address(value)) if type_ == ADDRESS else value.hex()
    if type_ == BOOL:
        return str(bool(value))
    return _verdict(value) if type_ == VERDICT else str(value)


def _expr(node: ir.Expr | ir.SrhValue) -> str:
    return _EXPRESSIONS[type(node)](node)


def _inner(node: ir.Expr) -> str:
    """An operand: in parentheses where it has operands of its own."""
    compound = isinstance(
        node,
        ir.Binary
        | ir.Unary
        | ir.Compare
        | ir.Logical
        | ir.Not
        | ir.Conditional
        | ir.Let
        | ir.IsNone
        | ir.MapContains
        | ir.InPrefix
        | ir.ViewAt,
    )
    return f"({_expr(node)})" if compound else _expr(node)


def _const(node: ir.Const) -> str:
    return _constant(node.value, node.type)


def _binary(node: ir.Binary) -> str:
    if node.op in (ir.BinaryOp.MIN, ir.BinaryOp.MAX):
        return f"{node.op.value}_{node.type}({_expr(node.left)}, {_expr(node.right)})"
    return f"{_inner(node.left)} {node.op.value}{node.type} {_inner(node.right)}"


def _compare(node: ir.Compare) -> str:
    return f"{_inner(node.left)} {node.op.value}{node.left.type} {_inner(node.right)}"


def _helper(node: ir.HelperCall) -> str:
    return f"{node.helper.name}({', '.join(_expr(argument) for argument in node.args)})"


def _struct(node: ir.StructValue) -> str:
    values = (f"{field.name}={value.hex() if isinstance(value, bytes) else _expr(value)}" for field, value in node.values)
    return f"{node.type}({', '.join(values)})"


def _array(node: ir.ArrayValue) -> str:
    return f"[{', '.join(value.hex() if isinstance(value, bytes) else _expr(value) for value in node.items)}]"


def _tlv(node: ir.TlvValue) -> str:
    values = (f"{field.name}={_part(value)}" for field, value in node.values)
    return f"{node.layout.name}<{node.layout.number}, {node.size} bytes>({', '.join(values)})"


def _part(value: ir.Expr | bytes | tuple[ir.Expr, ...]) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_expr, value))}]"
    return value.hex() if isinstance(value, bytes) else _expr(value)


def _redirect(node: ir.Redirect) -> str:
    link = "" if node.link is None else ", Ethernet to {} from {}".format(*map(_expr, node.link))
    return f"redirect to device {_expr(node.ifindex)}{link}"


def _push(node: ir.PushEncap) -> str:
    outer = [f", {name} {_expr(value)}" for name, value in (("source", node.source), ("hop_limit", node.hop_limit)) if value is not None]
    return f"push {node.kind.name.lower()} {_expr(node.srh)}{''.join(outer)}"


def _emit(node: ir.Emit) -> str:
    packet = "" if node.packet is None else f", packet {_expr(node.packet)}"
    return f"emit {_expr(node.record)} to {node.buffer.name}{packet}"


def _said(part: str | ir.Shown) -> str:
    """A part of a line as Python writes it in an f-string."""
    if isinstance(part, str):
        return part.replace("{", "{{").replace("}", "}}")
    flags = ("<" if part.left else "") + part.sign + ("#" if part.prefix else "") + ("0" if part.zeros else "")
    spec = f"{flags}{part.width or ''}{part.hexadecimal}"
    return f"{{{_expr(part.value)}{f':{spec}' if spec else ''}}}"


def _srh(node: ir.SrhValue) -> str:
    path = ", ".join(_expr(address) for address in node.path)
    tlvs = ", ".join(_tlv(tlv) for tlv in node.tlvs)
    return f"Srh(path=[{path}], tlvs=[{tlvs}], tag={_expr(node.tag)}, flags={_expr(node.flags)})"


_EXPRESSIONS: Mapping[type, Callable[[Any], str]] = {
    ir.Const: _const,
    ir.LocalRead: lambda node: _local(node.local),
    ir.VariableRead: lambda node: node.variable.name,
    ir.HeaderRead: lambda node: f"{node.header.name}.{node.field.name}",
    ir.ReceiveTime: lambda node: "received",
    ir.ContextRead: lambda node: f"ctx.{node.field.name}",
    ir.Convert: lambda node: f"{node.type}({_expr(node.operand)})",
    ir.Binary: _binary,
    ir.Unary: lambda node: f"{node.op.value}{'_' if node.op is ir.UnaryOp.ABS else ''}{node.type} {_inner(node.operand)}",
    ir.Compare: _compare,
    ir.InPrefix: lambda node: f"{_inner(node.address)} in {IPv6Address(node.network)}/{node.length}",
    ir.Logical: lambda node: f"{_inner(node.left)} {node.op.value} {_inner(node.right)}",
    ir.Not: lambda node: f"not {_inner(node.operand)}",
    ir.Let: lambda node: f"let {_local(node.local)} = {_expr(node.value)} in {_expr(node.body)}",
    ir.Conditional: lambda node: f"{_inner(node.then)} if {_inner(node.test)} else {_inner(node.orelse)}",
    ir.MapRead: lambda node: f"{node.map.name}[{_expr(node.key)}]",
    ir.MapGet: lambda node: f"{node.map.name}.get({_expr(node.key)})",
    ir.MapContains: lambda node: f"{_inner(node.key)} in {node.map.name}",
    ir.QueueTake: lambda node: f"{'pop' if node.remove else 'peek'} {node.queue.name}",
    ir.IsNone: lambda node: f"{_inner(node.operand)} is None",
    ir.Unwrap: lambda node: f"found({_expr(node.operand)})",
    ir.HelperCall: _helper,
    ir.Seg6ActionCall: lambda node: f"{node.action.name.lower()}({_expr(node.parameter)})",
    ir.HasHeader: lambda node: f"has {node.header.name}",
    ir.PushEncap: _push,
    ir.Redirect: _redirect,
    ir.CloneRedirect: lambda node: f"copy to device {_expr(node.ifindex)}",
    ir.SrhValue: _srh,
    ir.StructValue: _struct,
    ir.ArrayValue: _array,
    ir.Member: lambda node: f"{_expr(node.base)}.{node.field.name}",
    ir.SegmentCount: lambda node: "len(segments)",
    ir.SegmentRead: lambda node: f"segments[{_expr(node.index)}]",
    ir.FindTlv: lambda node: f"find {node.type.inner}",
    ir.NextTlv: lambda node: f"TLV after {_expr(node.after)}",
    ir.IsTlv: lambda node: f"{_expr(node.tlv)} is {node.layout.name}",
    ir.TlvAs: lambda node: f"{node.type.layout.name}({_expr(node.tlv)})",
    ir.TlvRead: lambda node: f"{_expr(node.base)}.{node.field.name}",
    ir.TlvLength: lambda node: f"len({_expr(node.base)}.{node.field.name})",
    ir.TlvItem: lambda node: f"{_expr(node.base)}.{node.field.name}[{_expr(node.index)}]",
    ir.Emit: _emit,
    ir.ViewAt: lambda node: f"{node.type} at {_expr(node.offset)}",
    ir.FindHeader: lambda node: f"find {node.type.inner}",
    ir.WireRead: lambda node: f"{_inner(node.base)}.{node.field.name}",
    ir.WireItem: lambda node: f"{_inner(node.base)}[{_expr(node.index)}]",
    ir.InlinedCall: _inlined,
    ir.SubprogramCall: _subprogram_call,
    ir.Absent: lambda node: "None",
    ir.Present: lambda node: f"there({_expr(node.operand)})",
    ir.Item: lambda node: f"{_expr(node.base)}[{_expr(node.index)}]",
}

_STATEMENTS: Mapping[type, Callable[[Any], str]] = {
    ir.Assign: lambda node: f"{_local(node.local)} = {_expr(node.value)}",
    ir.SetState: lambda node: f"{node.state.name} = {_expr(node.value)}",
    ir.UpdateState: lambda node: f"{node.state.name} {node.op.value}={node.state.type} {_expr(node.value)}",
    ir.SetHeader: lambda node: f"{node.header.name}.{node.field.name} = {_expr(node.value)}",
    ir.SetContext: lambda node: f"ctx.{node.field.name} = {_expr(node.value)}",
    ir.SetMap: lambda node: f"{node.map.name}[{_expr(node.key)}] = {_expr(node.value)}",
    ir.UpdateMap: lambda node: f"{node.map.name}[{_expr(node.key)}] {node.op.value}={node.map.value} {_expr(node.value)}",
    ir.SetTlv: lambda node: f"{_expr(node.place)} = {_expr(node.value)}",
    ir.SetWire: lambda node: f"{_expr(node.place)} = {_expr(node.value)}",
    ir.SetPlace: lambda node: f"{_expr(node.place)} = {_expr(node.value)}",
    ir.UpdatePlace: lambda node: f"{_expr(node.place)} {node.op.value}={node.place.type} {_expr(node.value)}",
    ir.QueuePush: lambda node: f"push {node.queue.name} {_expr(node.value)}{' or drop the oldest' if node.drop_oldest else ''}",
    ir.DeleteMap: lambda node: f"del {node.map.name}[{_expr(node.key)}]",
    ir.AppendTlv: lambda node: f"append {_tlv(node.tlv)}",
    ir.Log: lambda node: f"log {''.join(map(_said, node.parts))}",
    ir.Reserve: lambda node: f"{_local(node.local)} = reserve in {node.buffer.name}",
    ir.Release: lambda node: f"{'submit' if node.submitted else 'discard'} {_local(node.local)}",
    ir.InsertTlv: lambda node: f"insert {_tlv(node.tlv)} before {_expr(node.at)}",
    ir.RemoveTlv: lambda node: f"remove {_expr(node.at)}",
    ir.Break: lambda node: "break",
    ir.Exhausted: lambda node: "exhausted",
    ir.Continue: lambda node: "continue",
    ir.Leave: lambda node: "leave",
    ir.TailCall: lambda node: f"tail call {node.array.name}[{_expr(node.index)}]",
    ir.Return: lambda node: f"return {_expr(node.value)}",
    ir.Assert: lambda node: f"assert {_expr(node.test)}, {node.message!r}",
    ir.Evaluate: lambda node: f"evaluate {_expr(node.value)}",
}
