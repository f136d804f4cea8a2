"""Counters in a function's source: one before each statement, one at the start of each way that a branch goes.

They are States of their own, so that nothing behind the IR knows of them: any runner counts. What the optimiser would merge or leave out
stays apart, since each way has an effect of its own.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, final, get_args

from pybpfnf.diagnostics import Span
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import U64
from pybpfnf.records import dataclass

_STATEMENTS: tuple[type, ...] = get_args(ir.Stmt)


@final
@dataclass(frozen=True, slots=True)
class Point:
    """What a counter counts. `way` None: executions of the statement at that line; True, False: how often a branch there was taken, or a
    loop's body entered, and how often not."""

    file: str
    line: int
    way: bool | None


@final
@dataclass(frozen=True, slots=True)
class Instrumented:
    """`points`: by the names of the States that count them."""

    module: ir.Module
    points: dict[str, Point]


def instrument(module: ir.Module) -> Instrumented:
    """The same module, counting."""
    counters = _Counters()
    subprograms = {each.name: counters.subprogram(each) for each in module.subprograms}
    functions = tuple(replace(each, body=counters.body(each.body)) for each in module.functions)
    states = tuple(counters.states.values())
    counted = replace(module, functions=functions, subprograms=tuple(subprograms.values()), variables=(*module.variables, *states))
    return Instrumented(counted, {state.name: point for point, state in counters.states.items()})


@final
class _Counters:
    def __init__(self) -> None:
        self.states: dict[Point, ir.State] = {}
        self._subprograms: dict[str, ir.Subprogram] = {}

    def subprogram(self, subprogram: ir.Subprogram) -> ir.Subprogram:
        """Each once: calls of one are calls of the other."""
        if subprogram.name not in self._subprograms:
            self._subprograms[subprogram.name] = replace(subprogram, body=self.body(subprogram.body))
        return self._subprograms[subprogram.name]

    def body(self, statements: tuple[ir.Stmt, ...]) -> tuple[ir.Stmt, ...]:
        counted: list[ir.Stmt] = []
        for statement in statements:
            counted += [self._count(statement.span, None), self._node(statement)]
        return tuple(counted)

    def _way(self, span: Span, way: bool, statements: tuple[ir.Stmt, ...]) -> tuple[ir.Stmt, ...]:
        return (self._count(span, way), *self.body(statements))

    def _count(self, span: Span, way: bool | None) -> ir.Stmt:
        point = Point(span.file, span.line, way)
        state = self.states.setdefault(point, ir.State(f"__covered_{len(self.states)}", U64, 0))
        return ir.UpdateState(state, ir.BinaryOp.ADD, ir.Const(1, U64, span), span)

    def _node(self, node: Any) -> Any:
        """A node with what is below it counted."""
        match node:
            case ir.If():
                test = self._node(node.test)
                return replace(node, test=test, then=self._way(node.span, True, node.then), orelse=self._way(node.span, False, node.orelse))
            case ir.ForRange():
                body, orelse = self._way(node.span, True, node.body), self._way(node.span, False, node.orelse)
                return replace(node, start=self._node(node.start), stop=self._node(node.stop), body=body, orelse=orelse)
            case ir.SubprogramCall():
                given = tuple((local, self._node(value)) for local, value in node.arguments)
                return replace(node, subprogram=self.subprogram(node.subprogram), arguments=given)
            case ir.Local() | ir.Map() | ir.State() | ir.Config() | Span():
                return node
        if not is_dataclass(node) or isinstance(node, type):
            return self._parts(node) if isinstance(node, tuple) else node
        changed = {field.name: self._node(getattr(node, field.name)) for field in fields(node)}
        return replace(node, **changed) if any(changed[name] is not getattr(node, name) for name in changed) else node

    def _parts(self, parts: tuple[Any, ...]) -> tuple[Any, ...]:
        if parts and isinstance(parts[0], _STATEMENTS):
            return self.body(parts)
        counted = tuple(self._node(part) for part in parts)
        return counted if any(new is not old for new, old in zip(counted, parts, strict=True)) else parts
