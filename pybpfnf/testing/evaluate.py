"""The meaning of a function, worked out in Python: the third opinion beside the VM and the kernel.

A function of the typed IR is evaluated node by node, with Python's own operators on Python's integers, each result reduced
to its node's type; what Python raises becomes the function's on_fault verdict and the fault's place. One function a node
class, found in `EXPRESSIONS` and `STATEMENTS`; what maps and packets are is in `model_maps` and `model_packet`.

Nothing here is shared with `backend`, `vm` or `kernel`: where they disagree with this, one of the two is wrong.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, final

from pybpfnf.diagnostics import Span
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import BoolType, IntType, TlvViewType, Type
from pybpfnf.errors import InputError
from pybpfnf.runner import Environment, Fault, FaultKind
from pybpfnf.testing.model_maps import Contents, Value, empty_map, stored
from pybpfnf.testing.model_packet import ModelPacket, PacketError
from pybpfnf.testing.model_structs import is_whole, own, read, read_field, write, write_field

Look: TypeAlias = Any
"""A Value, or None for a look-up that missed."""


@final
@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a function does with one packet; `packet` as it leaves the function, whatever the verdict."""

    verdict: int
    packet: bytes
    mark: int
    fault: Fault | None = None


@final
class Evaluator:
    """One program with its maps and variables, which live from packet to packet and may be changed in between.

    `variables` has Config and State by name, `maps` a list for each array (of the one CPU that runs), a HashContents for each hash.
    """

    def __init__(self, module: ir.Module, function: ir.Function, environment: Environment, config: Mapping[str, int | bytes] | None = None):
        given = config or {}
        self.function = function
        self.environment = environment
        self.maps: dict[str, Contents] = {map_.name: empty_map(map_) for map_ in module.maps}
        self.variables: dict[str, Value] = {variable.name: _initial(variable, given) for variable in module.variables}

    def run(self, packet: bytes) -> Evaluation:
        """Evaluate on one packet, given as the function finds it: at the hook the next segment is the destination already."""
        run = _Run(self, ModelPacket(packet))
        try:
            verdict, fault = run.block(self.function.body), None
        except _FaultError as error:
            verdict, fault = self.function.on_fault, error.fault
        assert verdict is not None  # every path ends in a return
        return Evaluation(verdict, run.packet.encode(), run.context["mark"], fault)


def _initial(variable: ir.Variable, given: Mapping[str, int | bytes]) -> Value:
    value = variable.initial if isinstance(variable, ir.State) else given.get(variable.name, variable.default)
    if value is None:
        raise InputError(f"{variable.name} needs a value")
    return value


# ------------------------------------------------------------------------------------------------------------- faults


@final
class _FaultError(Exception):
    """The function leaves with its on_fault verdict."""

    def __init__(self, message: str, span: Span) -> None:
        super().__init__(message)
        self.fault = Fault(FaultKind.EXIT, message, span.file, span.line, span.column)


RAISED: Mapping[type[Exception], str] = {
    ZeroDivisionError: "division by zero",
    IndexError: "index out of range",
    KeyError: "no such key",
    OverflowError: "the map is full",
    ValueError: "negative shift count",
}
"""What the function's own operations raise, and what the fault is called."""


@contextmanager
def _faulting(span: Span) -> Iterator[None]:
    """What Python raises in the one operation within is a fault at `span`."""
    try:
        yield
    except PacketError as error:
        raise _FaultError(str(error), span) from None
    except tuple(RAISED) as error:
        raise _FaultError(RAISED[type(error)], span) from None


@final
class _Run:
    """One packet going through the function."""

    def __init__(self, of: Evaluator, packet: ModelPacket) -> None:
        self.maps = of.maps
        self.variables = of.variables
        self.environment = of.environment
        self.packet = packet
        self.locals: dict[ir.Local, Look] = {}
        self.context: dict[str, int] = {
            "mark": of.environment.mark,
            "ifindex": of.environment.ifindex,
            "ingress_ifindex": of.environment.ifindex,
            "priority": 0,
        }

    def value(self, node: ir.Expr) -> Any:
        return EXPRESSIONS[type(node)](self, node)

    def block(self, body: tuple[ir.Stmt, ...]) -> int | None:
        """The verdict, when a statement returned; None at the end."""
        for statement in body:
            verdict = STATEMENTS[type(statement)](self, statement)
            if verdict is not None:
                return verdict
        return None


# -------------------------------------------------------------------------------------------------------- expressions

OPERATORS: Mapping[ir.BinaryOp | ir.UnaryOp | ir.CompareOp, Callable[..., Any]] = {
    ir.BinaryOp.ADD: operator.add,
    ir.BinaryOp.SUB: operator.sub,
    ir.BinaryOp.MUL: operator.mul,
    ir.BinaryOp.AND: operator.and_,
    ir.BinaryOp.OR: operator.or_,
    ir.BinaryOp.XOR: operator.xor,
    ir.BinaryOp.FLOORDIV: operator.floordiv,
    ir.BinaryOp.MOD: operator.mod,
    ir.BinaryOp.LSHIFT: lambda value, count: value << min(count, 64),  # no type is wider: the rest would only take memory
    ir.BinaryOp.RSHIFT: operator.rshift,
    ir.BinaryOp.MIN: min,
    ir.BinaryOp.MAX: max,
    ir.UnaryOp.NEG: operator.neg,
    ir.UnaryOp.INVERT: operator.invert,
    ir.UnaryOp.ABS: operator.abs,
    ir.CompareOp.EQ: operator.eq,
    ir.CompareOp.NE: operator.ne,
    ir.CompareOp.LT: operator.lt,
    ir.CompareOp.LE: operator.le,
    ir.CompareOp.GT: operator.gt,
    ir.CompareOp.GE: operator.ge,
}


def _const(run: _Run, node: ir.Const) -> Look:
    return own(node.value) if is_whole(node.type) and isinstance(node.value, bytes) else node.value


def _local_read(run: _Run, node: ir.LocalRead) -> Look:
    value = run.locals[node.local]
    assert node.bounds is None or (isinstance(value, int) and node.bounds[0] <= value <= node.bounds[1]), "the bounds were proven"
    return value


def _variable_read(run: _Run, node: ir.VariableRead) -> Look:
    return run.variables[node.variable.name]


def _header_read(run: _Run, node: ir.HeaderRead) -> Look:
    with _faulting(node.span):
        return run.packet.read(node.header, node.field)


def _context_read(run: _Run, node: ir.ContextRead) -> Look:
    name = node.field.name
    if name == "len":
        return len(run.packet.encode())
    if name not in run.context:
        raise InputError(f"the evaluator does not know what {name} of the context is")
    return run.context[name]


def _convert(run: _Run, node: ir.Convert) -> Look:
    assert isinstance(node.type, IntType)
    return node.type.reduce(run.value(node.operand))


def _binary(run: _Run, node: ir.Binary) -> Look:
    left, right = run.value(node.left), run.value(node.right)
    return _operate(node.op, node.type, left, right, node.span)


def _operate(op: ir.BinaryOp, type_: Type, left: int, right: int, span: Span) -> int:
    assert isinstance(type_, IntType)
    with _faulting(span):
        return type_.reduce(OPERATORS[op](left, right))


def _unary(run: _Run, node: ir.Unary) -> Look:
    return node.type.reduce(OPERATORS[node.op](run.value(node.operand)))


def _compare(run: _Run, node: ir.Compare) -> Look:
    left, right = run.value(node.left), run.value(node.right)
    return int(OPERATORS[node.op](left, right))


def _in_prefix(run: _Run, node: ir.InPrefix) -> Look:
    differing = int.from_bytes(run.value(node.address), "big") ^ int.from_bytes(node.network, "big")
    return int(differing >> (8 * len(node.network) - node.length) == 0)


def _logical(run: _Run, node: ir.Logical) -> Look:
    if node.op is ir.LogicalOp.AND:
        return run.value(node.left) and run.value(node.right)
    return run.value(node.left) or run.value(node.right)


def _not(run: _Run, node: ir.Not) -> Look:
    return int(not run.value(node.operand))


def _let(run: _Run, node: ir.Let) -> Look:
    run.locals[node.local] = run.value(node.value)
    return run.value(node.body)


def _conditional(run: _Run, node: ir.Conditional) -> Look:
    return run.value(node.then) if run.value(node.test) else run.value(node.orelse)


def _key(run: _Run, node: ir.Expr) -> Look:
    """A key's value: of a struct its bytes, which do not change afterwards."""
    key = run.value(node)
    return bytes(key) if isinstance(key, memoryview) else key


def _copy(value: Look) -> Look:
    """What is stored: a struct is copied."""
    return own(value) if isinstance(value, memoryview) else value


def _map_read(run: _Run, node: ir.MapRead) -> Look:
    key = _key(run, node.key)
    with _faulting(node.span):
        return stored(run.maps[node.map.name], node.map, key)


def _map_get(run: _Run, node: ir.MapGet) -> Look:
    return run.maps[node.map.name].get(_key(run, node.key))


def _map_contains(run: _Run, node: ir.MapContains) -> Look:
    return int(_key(run, node.key) in run.maps[node.map.name])


def _is_none(run: _Run, node: ir.IsNone) -> Look:
    return int(run.value(node.operand) is None)


def _unwrap(run: _Run, node: ir.Unwrap) -> Look:
    value = run.value(node.operand)
    assert value is not None, "the function has asked"
    return value


_HELPERS: Mapping[str, Callable[[_Run], int]] = {
    "ktime_get_ns": lambda run: run.environment.clock_boot,
    "ktime_get_boot_ns": lambda run: run.environment.clock_boot,
    "ktime_get_tai_ns": lambda run: run.environment.clock_tai,
    "get_smp_processor_id": lambda run: run.environment.cpu,
}
"""Those whose answer the Environment gives."""


def _helper_call(run: _Run, node: ir.HelperCall) -> Look:
    if node.helper.name not in _HELPERS:
        raise InputError(f"the evaluator does not know what the helper {node.helper.name} answers")
    return _HELPERS[node.helper.name](run)


def _struct_value(run: _Run, node: ir.StructValue) -> Look:
    made = own(bytes(node.type.size))
    for field, value in node.values:
        write_field(made, field, value if isinstance(value, bytes) else run.value(value))
    return made


def _find_tlv(run: _Run, node: ir.FindTlv) -> Look:
    """Its offset in the packet."""
    assert isinstance(node.type.inner, TlvViewType)
    layout = node.type.inner.layout
    with _faulting(node.span):
        return run.packet.find_tlv(layout.number, layout.size - 2)


def _tlv_read(run: _Run, node: ir.TlvRead) -> Look:
    raw = run.packet.read_at(run.value(node.base) + node.field.offset, node.field.size)
    if isinstance(node.type, IntType):
        return int.from_bytes(raw, "big", signed=node.type.signed)
    return int(raw != b"\0") if isinstance(node.type, BoolType) else raw


def _place(run: _Run, node: ir.Place) -> Look:
    return _read_place(node, _window(run, node))


def _read_place(node: ir.Place, window: memoryview) -> Look:
    return read_field(window, node.field) if isinstance(node, ir.Member) else read(window, node.type)


def _window(run: _Run, node: ir.Place) -> memoryview:
    """What a field is in; where an item begins."""
    base: memoryview = run.value(node.base)
    if isinstance(node, ir.Member):
        return base
    index = run.value(node.index)
    assert hasattr(node.type, "size")
    with _faulting(node.span):
        start = range(0, len(base), node.type.size)[index if index >= 0 else len(base)]
    return base[start:]


EXPRESSIONS: Mapping[type, Callable[[_Run, Any], Look]] = {
    ir.Const: _const,
    ir.LocalRead: _local_read,
    ir.VariableRead: _variable_read,
    ir.HeaderRead: _header_read,
    ir.ContextRead: _context_read,
    ir.Convert: _convert,
    ir.Binary: _binary,
    ir.Unary: _unary,
    ir.Compare: _compare,
    ir.InPrefix: _in_prefix,
    ir.Logical: _logical,
    ir.Not: _not,
    ir.Let: _let,
    ir.Conditional: _conditional,
    ir.MapRead: _map_read,
    ir.MapGet: _map_get,
    ir.MapContains: _map_contains,
    ir.IsNone: _is_none,
    ir.Unwrap: _unwrap,
    ir.HelperCall: _helper_call,
    ir.StructValue: _struct_value,
    ir.Member: _place,
    ir.FindTlv: _find_tlv,
    ir.TlvRead: _tlv_read,
    ir.Item: _place,
}

NOT_EVALUATED: Mapping[type, str] = {
    ir.HasHeader: "packets here are those of seg6local, which have every header",
    ir.PushEncap: "what an encapsulation leads to is the router's: its routes, and its own addresses",
    ir.Seg6ActionCall: "what an action does is the router's: its routes, and the headers that it adds and takes off",
}
"""Node classes without a meaning of their own in the language, and why."""

# --------------------------------------------------------------------------------------------------------- statements


def _assign(run: _Run, node: ir.Assign) -> None:
    value = run.value(node.value)
    run.locals[node.local] = _copy(value) if is_whole(node.local.type) else value


def _set_state(run: _Run, node: ir.SetState) -> None:
    run.variables[node.state.name] = run.value(node.value)


def _update_state(run: _Run, node: ir.UpdateState) -> None:
    old: Any = run.variables[node.state.name]
    run.variables[node.state.name] = _operate(node.op, node.state.type, old, run.value(node.value), node.span)


def _set_header(run: _Run, node: ir.SetHeader) -> None:
    value = run.value(node.value)
    with _faulting(node.span):
        run.packet.write(node.header, node.field, value)


def _set_context(run: _Run, node: ir.SetContext) -> None:
    run.context[node.field.name] = run.value(node.value)


def _set_map(run: _Run, node: ir.SetMap) -> None:
    value = _copy(run.value(node.value))  # before the key, as in Python
    key = _key(run, node.key)
    with _faulting(node.span):
        run.maps[node.map.name][key] = value


def _update_map(run: _Run, node: ir.UpdateMap) -> None:
    key = _key(run, node.key)
    contents = run.maps[node.map.name]
    with _faulting(node.span):
        old: Any = stored(contents, node.map, key)
    new = _operate(node.op, node.map.value, old, run.value(node.value), node.span)
    with _faulting(node.span):
        contents[key] = new


def _set_tlv(run: _Run, node: ir.SetTlv) -> None:
    data = _tlv_field(run, node.value)
    run.packet.write_at(run.value(node.place.base) + node.place.field.offset, data)


def _set_place(run: _Run, node: ir.SetPlace) -> None:
    value = run.value(node.value)  # before the place, as in Python
    value = bytes(value) if isinstance(value, memoryview) else value  # the place may be part of it
    _write_place(node.place, _window(run, node.place), value)


def _update_place(run: _Run, node: ir.UpdatePlace) -> None:
    window = _window(run, node.place)
    old: Any = _read_place(node.place, window)
    _write_place(node.place, window, _operate(node.op, node.place.type, old, run.value(node.value), node.span))


def _write_place(place: ir.Place, window: memoryview, value: Look) -> None:
    if isinstance(place, ir.Member):
        write_field(window, place.field, value)
    else:
        write(window, place.type, value)


def _delete_map(run: _Run, node: ir.DeleteMap) -> None:
    key = _key(run, node.key)
    with _faulting(node.span):
        del run.maps[node.map.name][key]


def _append_tlv(run: _Run, node: ir.AppendTlv) -> None:
    data = b"".join(_tlv_field(run, value) for _, value in node.tlv.values)
    with _faulting(node.span):
        run.packet.append_tlv(node.tlv.layout.number, data)


def _tlv_field(run: _Run, value: ir.Expr | bytes) -> bytes:
    """A field on the wire: network byte order."""
    if isinstance(value, bytes):
        return value
    given: Any = run.value(value)
    if isinstance(given, bytes):
        return given
    signed = isinstance(value.type, IntType) and value.type.signed
    assert isinstance(value.type, IntType | BoolType)
    return int(given).to_bytes(value.type.size, "big", signed=signed)


def _if(run: _Run, node: ir.If) -> int | None:
    return run.block(node.then if run.value(node.test) else node.orelse)


@final
class _BreakError(Exception):
    """The innermost loop ends."""


@final
class _ContinueError(Exception):
    """The innermost loop goes on with its next value."""


def _for_range(run: _Run, node: ir.ForRange) -> int | None:
    iterations = range(run.value(node.start), run.value(node.stop), node.step)
    assert len(iterations) <= node.most, "the bound was proven"
    assert isinstance(node.local.type, IntType)
    for value in iterations:
        assert node.local.type.holds(value), "each value fits"
        run.locals[node.local] = value
        try:
            verdict = run.block(node.body)
        except _ContinueError:
            continue
        except _BreakError:
            return None
        if verdict is not None:
            return verdict
    return run.block(node.orelse)


def _break(run: _Run, node: ir.Break) -> None:
    raise _BreakError


def _continue(run: _Run, node: ir.Continue) -> None:
    raise _ContinueError


def _return(run: _Run, node: ir.Return) -> int:
    verdict: int = run.value(node.value)
    return verdict


def _assert(run: _Run, node: ir.Assert) -> None:
    if not run.value(node.test):
        raise _FaultError(node.message, node.span)


def _evaluate(run: _Run, node: ir.Evaluate) -> None:
    run.value(node.value)


STATEMENTS: Mapping[type, Callable[[_Run, Any], int | None]] = {
    ir.Assign: _assign,
    ir.SetState: _set_state,
    ir.UpdateState: _update_state,
    ir.SetHeader: _set_header,
    ir.SetContext: _set_context,
    ir.SetMap: _set_map,
    ir.UpdateMap: _update_map,
    ir.DeleteMap: _delete_map,
    ir.SetPlace: _set_place,
    ir.SetTlv: _set_tlv,
    ir.UpdatePlace: _update_place,
    ir.AppendTlv: _append_tlv,
    ir.If: _if,
    ir.ForRange: _for_range,
    ir.Break: _break,
    ir.Continue: _continue,
    ir.Return: _return,
    ir.Assert: _assert,
    ir.Evaluate: _evaluate,
}
