"""The state of building one function, and its two dispatchers. No logic of any construct is here: `dsl.constructs` has it.

A local's type is the join of all its assignments, so a function is built again until no type changes; the diagnostics
of the last time count.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field, replace
from typing import TypeAlias, final

from pybpfnf.abi.programs import ProgramType
from pybpfnf.diagnostics import Diagnostic, Span
from pybpfnf.dsl import ir
from pybpfnf.dsl.building.flow import Flow, LoopEdges, ValueBinding
from pybpfnf.dsl.building.intervals import Interval
from pybpfnf.dsl.building.locals import Inferred, Locals, bound_names
from pybpfnf.dsl.building.refused import refusal
from pybpfnf.dsl.building.scope import ModuleScope
from pybpfnf.dsl.building.slots import Slot
from pybpfnf.dsl.building.values import POISON, Poison, Value
from pybpfnf.dsl.reading.source import FunctionSource
from pybpfnf.dsl.surface.functions import Func
from pybpfnf.dsl.types import Type
from pybpfnf.records import dataclass

Positioned: TypeAlias = ast.expr | ast.stmt | ast.arg | ast.keyword | ast.pattern


@final
@dataclass(frozen=True)
class Tables:
    """One builder function for each node class; a class that is in neither is refused."""

    expressions: Mapping[type[ast.expr], Callable[[Builder, ast.expr], Value]]
    statements: Mapping[type[ast.stmt], Callable[[Builder, ast.stmt], Iterable[ir.Stmt]]]


@final
@dataclass(slots=True)
class Called:
    """A function while it is built for one call. `place`: the call, None of a subprogram, which is built once for all. `result`: what
    it gives, None for nothing; `local`: where that goes.

    `gives` is the type of the result as far as a `return` has told it: a struct is a view where all are of one map. `leaves`: what
    is known at each `return`.
    """

    function: Func[..., object]
    place: Span | None
    caller: Called | None
    result: Slot
    gives: Type | None
    leaves: list[Flow] = field(default_factory=list)
    seen: Type | None = None

    @property
    def functions(self) -> tuple[Func[..., object], ...]:
        """This one and its callers, the outermost first."""
        return (*(self.caller.functions if self.caller is not None else ()), self.function)


@final
class Builder:
    """One function while it is built: a network function, or one that it calls."""

    def __init__(
        self,
        tables: Tables,
        source: FunctionSource,
        hook: ProgramType,
        license: str,  # noqa: A002
        scope: ModuleScope,
        locals: Locals,  # noqa: A002
        called: Called | None = None,
    ) -> None:
        self.called = called
        self._tables = tables
        self.source = source
        self.hook = hook
        self.license = license
        self.scope = scope
        self.locals = locals
        self.flow = Flow()
        self.packet_name = ""
        self.locked: ir.Local | None = None  # the view of the entry whose lock is held
        self.loops: list[LoopEdges] = []  # around the place that is built, the innermost last
        self.diagnostics: list[Diagnostic] = []

    def expr(self, node: ast.expr) -> Value:
        build = self._tables.expressions.get(type(node))
        return build(self, node) if build is not None else self.refuse(node)

    def statement(self, node: ast.stmt) -> tuple[ir.Stmt, ...]:
        build = self._tables.statements.get(type(node))
        if build is None:
            self.refuse(node)
            return ()
        return tuple(build(self, node))

    def block(self, nodes: Iterable[ast.stmt]) -> tuple[ir.Stmt, ...]:
        """Statements in order. What no path reaches is checked, and left out."""
        built: list[ir.Stmt] = []
        for node in nodes:
            reachable = self.flow.reachable
            statements = self.statement(node)
            if reachable:
                built += statements
        return tuple(built)

    def mark(self) -> tuple[int, int, int]:
        """What `rewind` goes back to, to build a piece again."""
        return len(self.diagnostics), self.locals.mark(), len(self._leaves)

    def rewind(self, mark: tuple[int, int, int]) -> None:
        del self.diagnostics[mark[0] :]
        self.locals.rewind(mark[1])
        del self._leaves[mark[2] :]

    @property
    def _leaves(self) -> list[Flow]:
        return self.called.leaves if self.called is not None else []

    def inside(self, source: FunctionSource, called: Called, inferred: Inferred, instance: int) -> Builder:
        """A builder for a function that this one calls: what it says and its locals are this one's."""
        locals_ = Locals(source.definition, inferred, self.locals, instance)
        inner = Builder(self._tables, source, self.hook, self.license, self.scope, locals_, called)
        inner.diagnostics = self.diagnostics
        return inner

    def apart(self, source: FunctionSource, called: Called) -> Builder:
        """A builder for a subprogram: it has locals of its own, and nothing of this one's state is known in it."""
        locals_ = Locals(source.definition, Inferred(), instance=self.scope.next_instance())
        return Builder(self._tables, source, self.hook, self.license, self.scope, locals_, called)

    def span(self, node: Positioned) -> Span:
        return self.placed(self.source.file.span(node))

    def placed(self, span: Span) -> Span:
        """A piece of this function's source, as its caller reached it."""
        return span if self.called is None else replace(span, called_from=self.called.place)

    def line_of(self, span: Span) -> int:
        """The line here that led to a place: its own, or of what is in a function that was called, that of the call."""
        here = None if self.called is None else self.called.place
        place: Span | None = span
        while place is not None and place.called_from != here:
            place = place.called_from
        return span.line if place is None else place.line

    def text(self, node: Positioned) -> str:
        return self.source.file.segment(self.span(node))

    def error(self, code: str, message: str, where: Positioned | Span, hint: str | None = None) -> Poison:
        span = where if isinstance(where, Span) else self.span(where)
        self.diagnostics.append(self.source.file.diagnostic(code, message, span, hint))
        return POISON

    def refuse(self, node: Positioned | ast.operator | ast.cmpop | ast.unaryop, where: Positioned | None = None) -> Poison:
        """Reject a node class that the language does not have, or does not have here; operators have no position of their own."""
        row = refusal(type(node))
        position = where if where is not None else node
        assert not isinstance(position, ast.operator | ast.cmpop | ast.unaryop)
        self.flow.give_up(bound_names(node))
        return self.error("unsupported", row.message, position, row.hint)

    @contextmanager
    def assuming(self, names: Iterable[str], values: Mapping[ir.Local, Interval]) -> Iterator[None]:
        """While the body runs these look-ups are known not to be None, and these integers within bounds; what else it learns stays."""
        found = frozenset(names)
        holders = {name.partition(":")[0] for name in found}
        before = {
            name: binding
            for name, binding in self.flow.bound.items()
            if isinstance(binding, ValueBinding) and (name in holders or binding.local in values)
        }
        headers = self.flow.headers
        self.flow.learn_found(found)
        self.flow.learn_values(values)
        yield
        self.flow.headers &= headers  # what the body moved is gone, what it assumed is not known after it
        for name, binding in before.items():
            after = self.flow.bound[name]
            if isinstance(after, ValueBinding):
                self.flow.bound[name] = replace(after, found=binding.found, values=binding.values, layout=binding.layout)
