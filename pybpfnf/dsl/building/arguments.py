"""The arguments of a call, matched to parameters by Python's rules."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import final

from pybpfnf.dsl.building.builder import Builder
from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    required: bool = True
    keyword_only: bool = False
    positional_only: bool = False


def bind(b: Builder, call: ast.Call, parameters: Sequence[Parameter], callee: str) -> dict[str, ast.expr] | None:
    """Each parameter's argument; None where the call is wrong, and that was reported."""
    if not _plain(b, call):
        return None
    bound: dict[str, ast.expr] = {}
    positional = [parameter.name for parameter in parameters if not parameter.keyword_only]
    shape = f"write {callee}({', '.join(_shown(parameter) for parameter in parameters)})"
    before = len(b.diagnostics)
    by_name = [
        parameter.name for parameter in parameters if parameter.keyword_only and parameter.required and parameter.name not in _named(call)
    ]
    unnamed: set[str] = set()  # given without their names, and reported
    for index, argument in enumerate(call.args):
        if index < len(positional):
            bound[positional[index]] = argument
        elif index - len(positional) < len(by_name):
            unnamed.add(name := by_name[index - len(positional)])
            b.error("arguments", f"`{name}` of `{callee}` is given by name", argument, f"write `{name}={b.text(argument)}`")
        else:
            b.error("arguments", f"`{callee}` takes {_count(len(positional))}, and this is one more", argument, shape)
    names = {parameter.name for parameter in parameters if not parameter.positional_only}
    for keyword in call.keywords:
        assert keyword.arg is not None
        if keyword.arg not in names:
            b.error("arguments", f"`{callee}` has no parameter `{keyword.arg}`", keyword, shape)
        elif keyword.arg in bound:
            b.error("arguments", f"`{keyword.arg}` is given twice", keyword, shape)
        else:
            bound[keyword.arg] = keyword.value
    for parameter in parameters:
        if parameter.required and parameter.name not in bound and parameter.name not in unnamed:
            b.error("arguments", f"`{callee}` needs `{parameter.name}`", call, shape)
    return bound if len(b.diagnostics) == before else None


def _named(call: ast.Call) -> frozenset[str | None]:
    return frozenset(keyword.arg for keyword in call.keywords)


def _plain(b: Builder, call: ast.Call) -> bool:
    """No `*` and `**`."""
    starred = [argument for argument in call.args if isinstance(argument, ast.Starred)]
    for argument in starred:
        b.refuse(argument)
    doubled = [keyword for keyword in call.keywords if keyword.arg is None]
    for keyword in doubled:
        b.error("unsupported", "`**` in a call is not part of the language", keyword, "write each argument out")
    return not starred and not doubled


def _shown(parameter: Parameter) -> str:
    return f"{parameter.name}=..." if parameter.keyword_only else parameter.name


def _count(number: int) -> str:
    if number == 0:
        return "no positional arguments"
    return f"{number} positional argument{'s' if number > 1 else ''}"
