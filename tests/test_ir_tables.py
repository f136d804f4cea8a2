"""Each table over the nodes of the IR has them all: a node that one forgets would be a KeyError at a user's desk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import pytest

from pybpfnf.backend import lower_function
from pybpfnf.dsl import ir
from pybpfnf.dsl import print as printer
from pybpfnf.testing import evaluate

EXPRESSIONS = frozenset(get_args(ir.Expr))
STATEMENTS = frozenset(get_args(ir.Stmt))


@pytest.mark.parametrize(
    ("nodes", "tables"),
    [
        pytest.param(EXPRESSIONS, (printer._EXPRESSIONS,), id="printing expressions"),
        pytest.param(
            STATEMENTS - {ir.If, ir.ForRange, ir.Locked}, (printer._STATEMENTS,), id="printing statements"
        ),  # they have blocks, not a line
        pytest.param(EXPRESSIONS, (lower_function.ALL_EXPRESSIONS,), id="lowering expressions"),
        pytest.param(STATEMENTS, (lower_function.STATEMENTS,), id="lowering statements"),
        pytest.param(EXPRESSIONS | STATEMENTS, (evaluate.EXPRESSIONS, evaluate.STATEMENTS, evaluate.NOT_EVALUATED), id="evaluating"),
    ],
)
def test_no_node_is_forgotten(nodes: frozenset[type], tables: tuple[Mapping[type, Any], ...]) -> None:
    known = {node for table in tables for node in table}
    assert sorted(node.__name__ for node in nodes - known) == []
