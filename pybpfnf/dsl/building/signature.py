"""A program's first line: its name, its one parameter, and what it says it returns."""

from __future__ import annotations

import ast
from typing import Any

from pybpfnf.diagnostics import Span
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.flow import ViewBinding
from pybpfnf.dsl.building.rules import symbol_problem
from pybpfnf.dsl.building.values import Constant, PacketView
from pybpfnf.dsl.reading.source import FunctionSource
from pybpfnf.dsl.surface.packets import Verdict
from pybpfnf.dsl.surface.programs import Hook


def name_span(source: FunctionSource) -> Span:
    """Where the function's name stands, after `def`."""
    definition = source.definition
    start = source.file.span(definition)
    line = source.file.lines[start.line - 1]
    at = line.find(definition.name, start.column + len("def") - 1)
    column = start.column if at < 0 else at + 1
    return Span(start.file, start.line, column, start.line, column + len(definition.name))


def build_signature(b: Builder, definition: ast.FunctionDef, hook: Hook[Any]) -> None:
    """Bind the packet to the parameter's name."""
    wanted = f"`def {definition.name}(pkt: {hook.packet.__name__}) -> Verdict:`"
    parameters = _all_parameters(definition.args)
    positional = [*definition.args.posonlyargs, *definition.args.args]
    if len(parameters) != 1 or len(positional) != 1 or definition.args.defaults:
        b.error("arguments", f"a {hook!r} function takes the packet, and nothing else", name_span(b.source), f"write {wanted}")
        _bind(b, positional or parameters)
        return
    _bind(b, positional)
    _check_annotation(b, positional[0].annotation, hook.packet, wanted)
    _check_annotation(b, definition.returns, Verdict, wanted)
    if len(definition.decorator_list) > 1:
        other = next((each for each in definition.decorator_list if not _is_hook(b, each)), definition.decorator_list[1])
        b.error("unsupported", "a network function has one decorator", other, f"leave {hook!r} alone")
    problem = symbol_problem(positional[0].arg)
    if problem is not None:
        b.error("name", problem, positional[0], "call it pkt")


def _all_parameters(arguments: ast.arguments) -> list[ast.arg]:
    variadic = [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *variadic]


def _bind(b: Builder, parameters: list[ast.arg]) -> None:
    for parameter in parameters[:1]:
        b.packet_name = parameter.arg
        b.flow.bound[parameter.arg] = ViewBinding(PacketView())


def _is_hook(b: Builder, decorator: ast.expr) -> bool:
    name = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(name, ast.Name) and isinstance(b.source.captured.get(name.id), Hook)


def _check_annotation(b: Builder, annotation: ast.expr | None, wanted: object, shape: str) -> None:
    """A type that is written must be the hook's; it need not be written."""
    if annotation is None:
        return
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        found: object = b.source.captured.get(annotation.value)
    else:
        written = b.expr(annotation)
        if not isinstance(written, Constant):
            return
        found = written.value
    if found is not wanted:
        b.error("type", f"`{b.text(annotation)}` is not what the hook takes or gives here", annotation, f"write {shape}")


def unquoted(annotation: ast.expr) -> ast.expr:
    """`"Path"` as `Path`, at the same place."""
    if not isinstance(annotation, ast.Constant) or not isinstance(annotation.value, str):
        return annotation
    try:
        inner = ast.parse(annotation.value, mode="eval").body
    except SyntaxError:
        return annotation
    for node in ast.walk(inner):
        ast.copy_location(node, annotation)
    return inner
