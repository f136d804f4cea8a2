"""Queues and stacks: `q.push(v)`, `q.pop()`, `q.peek()`."""

from __future__ import annotations

import ast

from pybpfnf.dsl import ir
from pybpfnf.dsl.building.arguments import Parameter, bind
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.operands import to_type
from pybpfnf.dsl.building.values import POISON, Effect, Method, Poison, QueuePlace, Typed, Value
from pybpfnf.dsl.types import BOOL, OptionalType

_METHODS = ("push", "pop", "peek")


def queue_method(b: Builder, holder: QueuePlace, node: ast.Attribute) -> Value:
    """`q.push` and its like, to be called."""
    if node.attr in _METHODS:
        return Method(holder, node.attr)
    return b.error("name", f"`{holder.queue.name}` has no `{node.attr}`", node, f"it has {', '.join(_METHODS)}")


def call_queue(b: Builder, queue: ir.Queue, name: str, node: ast.Call) -> Value:
    if name == "push":
        return _push(b, queue, node)
    if bind(b, node, (), b.text(node.func)) is None:
        return POISON
    return Typed(ir.QueueTake(queue, name == "pop", OptionalType(queue.value), b.span(node)))


def _push(b: Builder, queue: ir.Queue, node: ast.Call) -> Value:
    parameters = (Parameter("value"), Parameter("drop_oldest", required=False, keyword_only=True))
    bound = bind(b, node, parameters, b.text(node.func))
    if bound is None:
        return POISON
    value = to_type(b, b.expr(bound["value"]), queue.value, bound["value"], f"a value of `{queue.name}`")
    drop_oldest = _is_true(b, bound["drop_oldest"]) if "drop_oldest" in bound else False
    return Effect((ir.QueuePush(queue, value, drop_oldest, b.span(node)),))


def _is_true(b: Builder, node: ast.expr) -> bool:
    value = b.expr(node)
    if isinstance(value, Typed) and isinstance(value.expr, ir.Const) and value.expr.type == BOOL:
        return bool(value.expr.value)
    if not isinstance(value, Poison):
        message = f"`drop_oldest` is a constant bool, and `{b.text(node)}` is none"
        b.error("type", message, node, "write `drop_oldest=True`, or leave it out")
    return False
