"""Values that need neither map nor packet: constants, locals, operators, choices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pybpfnf.dsl import ir
from pybpfnf.dsl.types import IntType
from pybpfnf.errors import InputError
from pybpfnf.testing.evaluate.operators import OPERATORS, operate
from pybpfnf.testing.evaluate.run import Look, Run
from pybpfnf.testing.model_structs import is_whole, own


def _const(run: Run, node: ir.Const) -> Look:
    return own(node.value) if is_whole(node.type) and isinstance(node.value, bytes) else node.value


def _local_read(run: Run, node: ir.LocalRead) -> Look:
    value = run.locals[node.local]
    assert node.bounds is None or (isinstance(value, int) and node.bounds[0] <= value <= node.bounds[1]), "the bounds were proven"
    return value


def _variable_read(run: Run, node: ir.VariableRead) -> Look:
    return run.variables[node.variable.name]


def _context_read(run: Run, node: ir.ContextRead) -> Look:
    name = node.field.name
    if name == "len":
        return len(run.packet.encode())
    if name not in run.context:
        raise InputError(f"the evaluator does not know what {name} of the context is")
    return run.context[name]


def _receive_time(run: Run, node: ir.ReceiveTime) -> Look:
    environment = run.environment
    return 0 if environment.received is None else environment.clock_tai - environment.tai_offset - environment.received


def _convert(run: Run, node: ir.Convert) -> Look:
    assert isinstance(node.type, IntType)
    return node.type.reduce(run.value(node.operand))


def _binary(run: Run, node: ir.Binary) -> Look:
    left, right = run.value(node.left), run.value(node.right)
    return operate(node.op, node.type, left, right, node.span)


def _unary(run: Run, node: ir.Unary) -> Look:
    return node.type.reduce(OPERATORS[node.op](run.value(node.operand)))


def _compare(run: Run, node: ir.Compare) -> Look:
    left, right = run.value(node.left), run.value(node.right)
    return int(OPERATORS[node.op](left, right))


def _in_prefix(run: Run, node: ir.InPrefix) -> Look:
    differing = int.from_bytes(run.value(node.address), "big") ^ int.from_bytes(node.network, "big")
    return int(differing >> (8 * len(node.network) - node.length) == 0)


def _logical(run: Run, node: ir.Logical) -> Look:
    if node.op is ir.LogicalOp.AND:
        return run.value(node.left) and run.value(node.right)
    return run.value(node.left) or run.value(node.right)


def _not(run: Run, node: ir.Not) -> Look:
    return int(not run.value(node.operand))


def _let(run: Run, node: ir.Let) -> Look:
    run.locals[node.local] = run.value(node.value)
    return run.value(node.body)


def _conditional(run: Run, node: ir.Conditional) -> Look:
    return run.value(node.then) if run.value(node.test) else run.value(node.orelse)


def _is_none(run: Run, node: ir.IsNone) -> Look:
    return int(run.value(node.operand) is None)


def _unwrap(run: Run, node: ir.Unwrap) -> Look:
    value = run.value(node.operand)
    assert value is not None, "the function has asked"
    return value


_HELPERS: Mapping[str, Callable[[Run], int]] = {
    "ktime_get_ns": lambda run: run.environment.clock_boot,
    "ktime_get_boot_ns": lambda run: run.environment.clock_boot,
    "ktime_get_tai_ns": lambda run: run.environment.clock_tai,
    "get_smp_processor_id": lambda run: run.environment.cpu,
}
"""Those whose answer the Environment gives."""


def _helper_call(run: Run, node: ir.HelperCall) -> Look:
    if node.helper.name not in _HELPERS:
        raise InputError(f"the evaluator does not know what the helper {node.helper.name} answers")
    return _HELPERS[node.helper.name](run)


EXPRESSIONS: Mapping[type, Callable[[Run, Any], Look]] = {
    ir.Const: _const,
    ir.LocalRead: _local_read,
    ir.VariableRead: _variable_read,
    ir.ContextRead: _context_read,
    ir.ReceiveTime: _receive_time,
    ir.Convert: _convert,
    ir.Binary: _binary,
    ir.Unary: _unary,
    ir.Compare: _compare,
    ir.InPrefix: _in_prefix,
    ir.Logical: _logical,
    ir.Not: _not,
    ir.Let: _let,
    ir.Conditional: _conditional,
    ir.IsNone: _is_none,
    ir.Unwrap: _unwrap,
    ir.HelperCall: _helper_call,
}
