"""No Python construct is dropped: every `ast` node class is lowered, rejected with a hint, or part of one that is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pybpfnf.dsl.build import EXPRESSIONS, STATEMENTS
from pybpfnf.dsl.building.refused import REFUSED
from pybpfnf.dsl.constructs.compare import COMPARE_OPS
from pybpfnf.dsl.constructs.expr import BINARY_OPS, LOGICAL_OPS, UNARY_OPS
from pybpfnf.dsl.constructs.match import PATTERNS
from tests.dsl.cases import diagnostics_of, function

LOWERED = frozenset({*EXPRESSIONS, *STATEMENTS, *COMPARE_OPS, *BINARY_OPS, *LOGICAL_OPS, *UNARY_OPS, *PATTERNS})

# Never built by themselves: wholes, and parts of nodes that are built or refused.
PARTS = frozenset(
    {
        ast.Module, ast.Interactive, ast.Expression, ast.FunctionType, ast.TypeIgnore,
        ast.Load, ast.Store, ast.Del,
        ast.arguments, ast.arg, ast.keyword, ast.alias, ast.withitem, ast.ExceptHandler, ast.comprehension, ast.match_case,
    }
)  # fmt: skip
# Kept by `ast` for code that was written against older Pythons; the parser makes none of them.
OLD = frozenset({"Num", "Str", "Bytes", "NameConstant", "Ellipsis", "Index", "ExtSlice", "Suite", "AugLoad", "AugStore", "Param", "slice"})


def concrete(base: type[ast.AST]) -> set[type[ast.AST]]:
    """The node classes below `base` that a parser makes."""
    below = {found for child in base.__subclasses__() if child.__module__ in ("ast", "_ast") for found in concrete(child)}
    return below or {base}


NODES = sorted((node for node in concrete(ast.AST) if node.__name__ not in OLD), key=lambda node: node.__name__)

# A statement or expression of each class that is refused, in a function's body.
SAMPLES = {
    ast.AsyncFor: "async def g():\n    async for i in x:\n        pass",
    ast.While: "while pkt.len > 3:\n    pass",
    ast.With: "with pkt:\n    pass",
    ast.AsyncWith: "async def g():\n    async with x:\n        pass",
    ast.Try: "try:\n    pass\nfinally:\n    pass",
    ast.TryStar: "try:\n    pass\nexcept* ValueError:\n    pass",
    ast.Raise: "raise ValueError",
    ast.FunctionDef: "def g():\n    pass",
    ast.AsyncFunctionDef: "async def g():\n    pass",
    ast.ClassDef: "class C:\n    pass",
    ast.Import: "import os",
    ast.ImportFrom: "from os import path",
    ast.Nonlocal: "def g():\n    nonlocal pkt",
    ast.NamedExpr: "if (n := pkt.len) > 3:\n    pass",
    ast.Lambda: "x = lambda: 3",
    ast.Dict: "x = {1: 2}",
    ast.Set: "x = {1, 2}",
    ast.List: "x = [1, 2]",
    ast.Tuple: "x = 1, 2",
    ast.ListComp: "x = [i for i in (1, 2)]",
    ast.SetComp: "x = {i for i in (1, 2)}",
    ast.DictComp: "x = {i: i for i in (1, 2)}",
    ast.GeneratorExp: "x = (i for i in (1, 2))",
    ast.Await: "async def g():\n    await x",
    ast.Yield: "x = yield 3",
    ast.YieldFrom: "x = yield from (1, 2)",
    ast.JoinedStr: 'x = f"{pkt.len}"',
    ast.FormattedValue: 'x = f"{pkt.len}"',
    ast.Starred: "monotonic(*a)",
    ast.Slice: "x = a[1:2]",
    ast.Div: "x = pkt.len / 2",
    ast.Pow: "x = pkt.len ** 2",
    ast.MatMult: "x = pkt.len @ 2",
    **dict.fromkeys(
        (ast.MatchSequence, ast.MatchMapping, ast.MatchClass, ast.MatchStar),
        "match pkt.len:\n    case [a, *b]:\n        pass\n    case {}:\n        pass\n    case int():\n        pass",
    ),
}  # fmt: skip

# Stand only inside another construct that is refused as a whole.
INSIDE = frozenset({ast.AsyncFor, ast.AsyncWith, ast.Await, ast.Nonlocal})


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.__name__)
def test_a_node_class_is_lowered_or_refused_or_a_part(node: type[ast.AST]) -> None:
    assert [node in LOWERED, node in REFUSED, node in PARTS].count(True) == 1


@pytest.mark.parametrize("node", [node for node in NODES if node in REFUSED], ids=lambda node: node.__name__)
def test_what_is_refused_says_what_to_write_instead(node: type[ast.AST], tmp_path: Path) -> None:
    row = REFUSED[node]
    assert row.hint
    if node not in SAMPLES:
        assert not hasattr(ast, node.__name__) or node.__name__ in {"TypeAlias", "TypeVar", "ParamSpec", "TypeVarTuple", "TemplateStr"}
        return
    source = function("a = pkt.len\n" + SAMPLES[node] + "\nreturn OK")
    found = diagnostics_of(source, tmp_path)
    assert all(diagnostic.code == "unsupported" and diagnostic.hint for diagnostic in found)
    said = {diagnostic.message for diagnostic in found}
    assert said if node in INSIDE else row.message in said


@pytest.mark.parametrize("operator", ["/", "**", "@"])
def test_an_augmented_assignment_refuses_the_operators_too(operator: str, tmp_path: Path) -> None:
    (found,) = diagnostics_of(function(f"x = pkt.len\nx {operator}= 2\nreturn OK"), tmp_path)
    assert (found.code, found.span.line) == ("unsupported", 6)
