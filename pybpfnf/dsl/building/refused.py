"""Python that the language does not have, or not yet: one row for each `ast` node class, with what to write instead."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import final

from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Refusal:
    message: str
    hint: str


_COMPREHENSION = Refusal("comprehensions are not part of the language", "compute at module level, or write each value out")
_TRY = Refusal("`try` is not part of the language", "a fault ends the function with its on_fault verdict; ask before, as in `if k in m`")
_PATTERN = Refusal("a case is a constant, several with `|`, a name, or `_`", "write `case x if ...:`, or `if` and `elif`")
_IMPORT = Refusal("imports stand at the top of the file", "move the import out of the function")
_YIELD = Refusal("a network function is no generator", "end it with `return OK`")
_TYPE_PARAMETER = Refusal("a network function has no type parameters", "write u8 to s64, bool or IPv6Address")
_TEXT = Refusal("text is not a value here", 'write `log("...")`; the message of an assert is a string without `f`')
_F_STRING = Refusal("an f-string stands only in log(...)", 'write `log(f"...")`; the message of an assert is a string without `f`')

_NEWER_PYTHON: Mapping[str, Refusal] = {  # node classes that Python 3.11 does not have, by name
    "TypeAlias": Refusal("type aliases stand at module level", "move it out of the function"),
    "TypeVar": _TYPE_PARAMETER,
    "ParamSpec": _TYPE_PARAMETER,
    "TypeVarTuple": _TYPE_PARAMETER,
    "TemplateStr": _TEXT,
    "Interpolation": _TEXT,
}

REFUSED: Mapping[type[ast.AST], Refusal] = {
    # Statements.
    ast.AsyncFor: Refusal("`async` is not part of the language", "write `for i in range(n)`"),
    ast.While: Refusal("`while` has no bound that can be proven", "write `for i in range(16)`, and `break` when it is done"),
    ast.AsyncWith: Refusal("`async` is not part of the language", "write the body alone"),
    ast.Try: _TRY,
    ast.TryStar: _TRY,
    ast.Raise: Refusal("`raise` is not part of the language", "write `assert condition`, or return a verdict"),
    ast.FunctionDef: Refusal("functions inside functions are not part of the language", "write its body where it is called"),
    ast.AsyncFunctionDef: Refusal("`async` is not part of the language", "write its body where it is called"),
    ast.ClassDef: Refusal("classes stand at module level", "move the class out of the function"),
    ast.Import: _IMPORT,
    ast.ImportFrom: _IMPORT,
    ast.Nonlocal: Refusal("`nonlocal` is not part of the language", "what outlives a packet is a State or a map at module level"),
    # Expressions.
    ast.NamedExpr: Refusal("`:=` is not part of the language", "write the assignment on a line of its own before"),
    ast.Lambda: Refusal("`lambda` is not part of the language", "write the expression where it is used"),
    ast.Dict: Refusal("a dict is not a value here", "write a Hash at module level"),
    ast.Set: Refusal("a set is not a value here", "write a Hash at module level, or compare with each value"),
    ast.List: Refusal(
        "a list stands only where an array of a Struct or a Tlv takes it, and in Srh(path=[...], tlvs=[...])",
        "write it there; what functions keep is in an Array at module level",
    ),
    ast.Tuple: Refusal(
        "a tuple stands only where an array takes it, in Srh(path=(...)) and in assignments like `a, b = b, a`",
        "write a tuple of constants at module level",
    ),
    ast.ListComp: _COMPREHENSION,
    ast.SetComp: _COMPREHENSION,
    ast.DictComp: _COMPREHENSION,
    ast.GeneratorExp: _COMPREHENSION,
    ast.Await: Refusal("`await` is not part of the language", "call the helper without it"),
    ast.Yield: _YIELD,
    ast.YieldFrom: _YIELD,
    ast.JoinedStr: _F_STRING,
    ast.FormattedValue: _F_STRING,
    ast.Starred: Refusal("`*` in a call, a list or an assignment is not part of the language", "write each value out"),
    ast.Slice: Refusal("slices are not part of the language", "read one element"),
    # Operators.
    ast.Div: Refusal("`/` gives a float, which the kernel does not have", "write `//`, which rounds down"),
    ast.Pow: Refusal("`**` is not part of the language", "multiply, or shift: `1 << n` is 2 to the n"),
    ast.MatMult: Refusal("`@` is not part of the language", "multiply with `*`"),
    # Patterns, of `match`.
    ast.MatchSequence: _PATTERN,
    ast.MatchMapping: _PATTERN,
    ast.MatchClass: _PATTERN,
    ast.MatchStar: _PATTERN,
    **{getattr(ast, name): row for name, row in _NEWER_PYTHON.items() if hasattr(ast, name)},
}


def refusal(node: type[ast.AST]) -> Refusal:
    """The row of a node class; for one that a newer Python brought, a general one."""
    row = REFUSED.get(node)
    return row if row is not None else Refusal(f"`{node.__name__}` is not part of the language", "write it with if, assignments and calls")
