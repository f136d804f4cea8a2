"""Counters in a function's source: one before each statement, one at the start of each way that a branch goes.

They are States of their own, so that nothing behind the IR knows of them: any runner counts. What the optimiser would merge or leave out
stays apart, since each way has an effect of its own.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, final, get_args

from pybpfnf.diagnostics import Span
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import U64, IntType
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
class Kept:
    """A local variable of the source, whose value a State of 64 bits keeps as it was assigned last."""

    name: str
    type: IntType


@final
@dataclass(frozen=True, slots=True)
class Instrumented:
    """`points`: by the names of the States that count them; `kept`: by the names of those that keep a local's value."""

    module: ir.Module
    points: dict[str, Point]
    kept: dict[str, Kept]


def instrument(module: ir.Module, *, values: bool = False) -> Instrumented:
    """The same module, counting; with `values`, it also keeps what integer locals are assigned, for who watches it run."""
    counters = _Counters(values)
    subprograms = {each.name: counters.subprogram(each) for each in module.subprograms}
    functions = tuple(replace(each, body=counters.body(each.body)) for each in module.functions)
    states = (*counters.states.values(), *counters.kept.values())
    counted = replace(module, functions=functions, subprograms=tuple(subprograms.values()), variables=(*module.variables, *states))
    kept = {state.name: Kept(local.name, local.type) for local, state in counters.kept.items() if isinstance(local.type, IntType)}
    return Instrumented(counted, {state.name: point for point, state in counters.states.items()}, kept)


@final
class _Counters:
    def __init__(self, values: bool) -> None:
        self.states: dict[Point, ir.State] = {}
        self.kept: dict[ir.Local, ir.State] = {}
        self._values = values
        self._subprograms: dict[str, ir.Subprogram] = {}

    def subprogram(self, subprogram: ir.Subprogram) -> ir.Subprogram:
        """Each once: calls of one are calls of the other."""
        if subprogram.name not in self._subprograms:
            self._subprograms[subprogram.name] = replace(subprogram, body=self.body(subprogram.body))
        return self._subprograms[subprogram.name]

    def body(self, statements: tuple[ir.Stmt, ...]) -> tuple[ir.Stmt, ...]:
        counted: list[ir.Stmt] = []
        before = None
        for statement in statements:
            here = statement.span.file, statement.span.line
            if here != before:  # else a part of the same line
                counted.append(self._count(statement.span, None))
            before = here
            counted.append(self._node(statement))
            if self._values and isinstance(statement, ir.Assign) and isinstance(statement.local.type, IntType):
                counted.append(self._keep(statement.local, statement.local.type, statement.span))
        return tuple(counted)

    def _keep(self, local: ir.Local, type_: IntType, span: Span) -> ir.Stmt:
        """By an atomic addition of the difference: of two plain stores one after the other LLVM would leave the first out."""
        state = self.kept.setdefault(local, ir.State(f"__kept_{len(self.kept)}", U64, 0))
        value: ir.Expr = ir.LocalRead(local, type_, span)
        if type_ != U64:
            value = ir.Convert(value, U64, span)
        difference = ir.Binary(ir.BinaryOp.SUB, value, ir.VariableRead(state, U64, span), U64, span)
        return ir.UpdateState(state, ir.BinaryOp.ADD, difference, span)

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
                if self._values and isinstance(node.local.type, IntType):
                    body = (self._keep(node.local, node.local.type, node.span), *body)
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
