"""Make a function smaller while it still shows what it shows: drop statements, put an arm for its branch, a part for its whole."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator

_MOST_TRIALS = 600


def shrink(text: str, still_wrong: Callable[[str], bool]) -> str:
    """The smallest text that was found; what no longer compiles is not `still_wrong`."""
    trials = 0
    tree = ast.parse(text)
    changed = True
    while changed:
        changed = False
        for smaller in _smaller(tree):
            trials += 1
            if trials > _MOST_TRIALS:
                return ast.unparse(tree)
            if still_wrong(ast.unparse(smaller)):
                tree, changed = smaller, True
                break
    return ast.unparse(tree)


def _smaller(tree: ast.Module) -> Iterator[ast.Module]:
    """Copies with one thing less, those with much less first."""
    for path, field, index in _bodies(tree):
        yield _without(tree, path, field, index)
    for number, node in enumerate(ast.walk(tree)):
        if isinstance(node, ast.expr):
            for part in ast.iter_child_nodes(node):
                if isinstance(part, ast.expr):
                    yield _replaced(tree, number, part)
            if not isinstance(node, ast.Constant | ast.Name):
                yield _replaced(tree, number, ast.Constant(1))


def _bodies(tree: ast.Module) -> Iterator[tuple[int, str, int]]:
    """Each statement: its parent's number in a walk, the list that it stands in, its index there."""
    for number, node in enumerate(ast.walk(tree)):
        for field in ("body", "orelse"):
            statements = getattr(node, field, None)
            if isinstance(statements, list):
                for index in range(len(statements)):
                    yield number, field, index


def _without(tree: ast.Module, parent: int, field: str, index: int) -> ast.Module:
    """Without the statement; a branch leaves its arms behind."""
    smaller = copy.deepcopy(tree)
    statements = getattr(list(ast.walk(smaller))[parent], field)
    gone = statements[index]
    statements[index : index + 1] = [*gone.body, *gone.orelse] if isinstance(gone, ast.If) else []
    if not statements and field == "body":
        statements.append(ast.Pass())
    return ast.fix_missing_locations(smaller)


def _replaced(tree: ast.Module, number: int, part: ast.expr) -> ast.Module:
    smaller = copy.deepcopy(tree)
    target = list(ast.walk(smaller))[number]
    new = copy.deepcopy(part)
    for parent in ast.walk(smaller):
        for name, value in ast.iter_fields(parent):
            if value is target:
                setattr(parent, name, new)
            elif isinstance(value, list) and any(each is target for each in value):
                setattr(parent, name, [new if each is target else each for each in value])
    return ast.fix_missing_locations(smaller)
