"""Make a function smaller while it still shows what it shows: drop statements, put an arm for its branch, a part for its whole."""

from __future__ import annotations

import ast
import copy
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import TypeAlias

_MOST_TRIALS, _LONGEST = 1000, 60.0  # seconds
_OF_TEXT = (ast.JoinedStr, ast.FormattedValue)  # takes no other expression in place of its parts
Change: TypeAlias = Callable[[], ast.Module]


def shrink(text: str, still_wrong: Callable[[str], bool]) -> str:
    """The smallest text that was found; what no longer compiles is not `still_wrong`."""
    tree = ast.parse(text)
    position, changed = 0, False
    start = time.monotonic()
    for _ in range(_MOST_TRIALS):
        change = next(islice(_changes(tree), position, None), None)
        if (change is None and not changed) or time.monotonic() - start > _LONGEST:
            break
        if change is None:  # once more from the start: a part may be needless now
            position, changed = 0, False
        elif still_wrong(ast.unparse(smaller := change())):
            tree, changed = smaller, True
        else:
            position += 1
    return ast.unparse(tree)


def _changes(tree: ast.Module) -> Iterator[Change]:
    """What makes a copy with one thing less, those that take much away first."""
    for number, node in enumerate(ast.walk(tree)):
        for field in ("body", "orelse"):
            statements = getattr(node, field, None)
            for index, statement in enumerate(statements if isinstance(statements, list) else []):
                yield partial(_replaced_statement, tree, number, field, index, [])
                if isinstance(statement, ast.If):
                    yield partial(_replaced_statement, tree, number, field, index, [*statement.body, *statement.orelse])
    inside = {id(piece) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for piece in node.values}
    pieces = {number for number, node in enumerate(ast.walk(tree)) if id(node) in inside}
    for number, node in enumerate(ast.walk(tree)):
        if isinstance(node, ast.expr) and not isinstance(node, _OF_TEXT) and number not in pieces:
            yield from (partial(_replaced, tree, number, part) for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr))
            if not isinstance(node, ast.Constant | ast.Name):
                yield partial(_replaced, tree, number, ast.Constant(1))


def _replaced_statement(tree: ast.Module, parent: int, field: str, index: int, by: list[ast.stmt]) -> ast.Module:
    """With other statements in the place of one: the parent is the so manieth node of a walk."""
    smaller = copy.deepcopy(tree)
    statements = getattr(list(ast.walk(smaller))[parent], field)
    statements[index : index + 1] = copy.deepcopy(by)
    if not statements and field == "body":
        statements.append(ast.Pass())
    return ast.fix_missing_locations(smaller)


def _replaced(tree: ast.Module, number: int, part: ast.expr) -> ast.Module:
    """With a part of an expression, or a number, in its place."""
    smaller = copy.deepcopy(tree)
    target, new = list(ast.walk(smaller))[number], copy.deepcopy(part)
    for parent in ast.walk(smaller):
        for name, value in ast.iter_fields(parent):
            if value is target:
                setattr(parent, name, new)
            elif isinstance(value, list):
                setattr(parent, name, [new if each is target else each for each in value])
    return ast.fix_missing_locations(smaller)
