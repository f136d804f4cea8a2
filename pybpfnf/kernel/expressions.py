"""How long the piece of Python is that starts at a column of a line: line records say where an instruction's source starts alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator


def end_of_expression(text: str, column: int) -> int:
    """The column after the longest expression or assignment of the line that starts at `column` (from 1), else after the line."""
    line = text.rstrip()
    indent = len(line) - len(line.lstrip())
    ends = [indent + end for start, end in _pieces(line[indent:]) if start == column - 1 - indent]
    return max(ends, default=max(len(line), column)) + 1


def _pieces(line: str) -> Iterator[tuple[int, int]]:
    """Start and end of each piece of a line, in characters; none of a line that is no Python by itself."""
    code = line.removeprefix("el") if line.startswith("elif ") else line
    shift = len(line) - len(code)
    try:
        tree = ast.parse(f"{code} pass" if code.endswith(":") else code)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.expr | ast.Assign | ast.AugAssign | ast.Return):
            yield shift + _characters(code, node.col_offset), shift + _characters(code, node.end_col_offset or 0)


def _characters(text: str, offset: int) -> int:
    """`ast` counts in UTF-8 bytes."""
    return len(text.encode()[:offset].decode(errors="replace"))
