"""The local variables of one function: which names are local, and the types that their assignments join to."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import field
from typing import TypeAlias, final

from pybpfnf.dsl import ir
from pybpfnf.dsl.building.conversions import join_types
from pybpfnf.dsl.types import S64, AddressType, BoolType, IntType, OptionalType, Type
from pybpfnf.records import dataclass

# A name may hold look-ups that can miss as well as values: `n = m.get(k)`, then `n = 0` where it missed. Each has a local.
Key: TypeAlias = tuple[str, bool]  # the name, and whether it is the look-up


@final
@dataclass(frozen=True, slots=True)
class Inferred:
    """What is known of the types before a pass: `types` by joins so far, `literal_only` those that became s64 for want of another."""

    types: Mapping[Key, Type] = field(default_factory=dict)
    literal_only: frozenset[str] = frozenset()

    def after(self, seen: Mapping[Key, Type | None]) -> Inferred:
        """What is known after a pass that saw these joins (None: nothing but literals). Equal to self when nothing changed.

        Once nothing changes, names that are bound to literals only are s64, and the rest is inferred again from that.
        """
        types = dict(self.types)
        for key, type_ in seen.items():
            if type_ is not None:
                # Joined with what was known, so that types only grow and the passes end.
                known = types.get(key)
                types[key] = type_ if known is None else join_types(known, type_) or known
        if types != self.types:
            return Inferred(types, self.literal_only)
        untyped = {name for (name, _), type_ in seen.items() if type_ is None and (name, False) not in types}
        if untyped:
            literal_only = self.literal_only | untyped
            return Inferred({(name, False): S64 for name in literal_only}, literal_only)
        return self


@final
class Locals:
    """The locals of one pass over a function."""

    def __init__(self, definition: ast.FunctionDef, inferred: Inferred, within: Locals | None = None, instance: int = 0) -> None:
        """`within`: the locals of the function that this one is inlined in, which get the locals that are made here; `instance`
        tells the calls in it apart."""
        self.inferred = inferred
        self.globals = frozenset(name for node in ast.walk(definition) if isinstance(node, ast.Global) for name in node.names)
        self.names = _local_names(definition) - self.globals
        self.declared: dict[str, Type] = {}
        self.views: set[str] = set()  # names that hold views of the packet
        self.seen: dict[Key, Type | None] = {}
        self._made: dict[tuple[int, str, Type], ir.Local] = {} if within is None else within._made
        self.instance = instance

    @property
    def all(self) -> tuple[ir.Local, ...]:
        return tuple(self._made.values())

    def record(self, key: Key, type_: Type | None) -> bool:
        """Join an assignment's type (None: a literal). False where it does not go with the assignments before it."""
        before = self.seen.get(key)
        if type_ is None or before is None:
            self.seen[key] = before if type_ is None else type_
            return True
        joined = join_types(before, type_)
        if joined is not None:
            self.seen[key] = joined
        return joined is not None

    def type_of(self, key: Key) -> Type:
        """The type that this pass uses; s64 where only literals were seen so far."""
        return self.inferred.types.get(key) or self.seen.get(key) or S64

    def is_unknown(self, name: str) -> bool:
        """Whether this pass has seen nothing but literals go to the name, and no pass before it knew more."""
        return name not in self.declared and (name, False) not in self.inferred.types and self.seen.get((name, False)) is None

    def of(self, name: str, type_: Type) -> ir.Local:
        """The name's local of that type."""
        return self._made.setdefault((self.instance, name, type_), ir.Local(name, len(self._made), type_))

    def mark(self) -> int:
        """What `rewind` goes back to."""
        return len(self._made)

    def rewind(self, mark: int) -> None:
        """Forget the locals that were made since: what was built with them is built again."""
        for key in list(self._made)[mark:]:
            del self._made[key]

    def temporary(self, type_: Type) -> ir.Local:
        """A local without a name of the author's."""
        number = len(self._made)
        return self.of(f"${number}", type_)


def optional_of(type_: Type) -> OptionalType:
    assert isinstance(type_, IntType | BoolType | AddressType)
    return OptionalType(type_)


def bound_names(top: ast.AST) -> frozenset[str]:
    """Every name that is bound below `top`, by whatever Python has for it."""
    return frozenset(name for node in ast.walk(top) if (name := _bound_name(node)) is not None)


def _bound_name(node: ast.AST) -> str | None:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.alias():
            return (node.asname or node.name).partition(".")[0]
        case ast.MatchAs(name=name) | ast.MatchStar(name=name) | ast.ExceptHandler(name=name):
            return name
        case _:
            return None


def _local_names(definition: ast.FunctionDef) -> frozenset[str]:
    parameters = (*definition.args.posonlyargs, *definition.args.args, *definition.args.kwonlyargs)
    bound = frozenset().union(*(bound_names(node) for node in definition.body))
    return bound | {parameter.arg for parameter in parameters}
