"""Each table over the nodes of the IR has them all: a node that one forgets would be a KeyError at a user's desk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from pybpfnf.backend.lowering import function as lower_function
from pybpfnf.dsl import ir
from pybpfnf.dsl.ir import walk
from pybpfnf.dsl.passes import check_ir, layout, verifier_work
from pybpfnf.dsl.passes import print as printer
from pybpfnf.testing import evaluate

EXPRESSIONS = frozenset(get_args(ir.Expr))
STATEMENTS = frozenset(get_args(ir.Stmt))
PARTS = frozenset({ir.TlvValue, ir.SrhValue, ir.Shown})  # neither, and walked over as both are


@pytest.mark.parametrize(
    ("nodes", "tables"),
    [
        pytest.param(EXPRESSIONS, (printer._EXPRESSIONS,), id="printing expressions"),
        pytest.param(
            STATEMENTS - {ir.If, ir.ForRange, ir.Locked}, (printer._STATEMENTS,), id="printing statements"
        ),  # they have blocks, not a line
        pytest.param(EXPRESSIONS, (lower_function.ALL_EXPRESSIONS,), id="lowering expressions"),
        pytest.param(STATEMENTS, (lower_function.STATEMENTS,), id="lowering statements"),
        pytest.param(EXPRESSIONS | STATEMENTS | PARTS, (check_ir.CHECKS,), id="checking"),
        pytest.param(EXPRESSIONS | STATEMENTS | PARTS, (verifier_work.FORKS,), id="counting the verifier's branches"),
        pytest.param(EXPRESSIONS | STATEMENTS | PARTS, (layout.BUFFERS,), id="counting the stack"),
        pytest.param(EXPRESSIONS | STATEMENTS, (evaluate.EXPRESSIONS, evaluate.STATEMENTS, evaluate.NOT_EVALUATED), id="evaluating"),
    ],
)
def test_no_node_is_forgotten(nodes: frozenset[type], tables: tuple[Mapping[type, Any], ...]) -> None:
    known = {node for table in tables for node in table}
    assert sorted(node.__name__ for node in nodes - known) == []


@pytest.mark.parametrize(
    ("kind", "used"),
    [
        (ir.Map, lambda body: walk.used_names(body)[0]),
        (ir.State, lambda body: walk.used_names(body)[1]),
        (ir.Queue, walk.used_queues),
        (ir.ProgArray, walk.used_programs),
        (ir.EventBuffer, walk.used_events),
    ],
    ids=["maps", "variables", "queues", "program arrays", "events"],
)
def test_what_a_field_of_any_node_names_is_used(kind: type, used: Callable[[Any], tuple[object, ...]]) -> None:
    thing: object = object.__new__(kind)
    object.__setattr__(thing, "name", "thing")
    body = SimpleNamespace(body=(_Node(thing),))
    assert used([body]) == (thing,)


@dataclass(frozen=True)
class _Node:
    """One that no table knows."""

    names: object
