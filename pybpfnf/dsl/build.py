"""Python functions to typed IR: the tables of the dispatchers, and the passes over each function until its types are known.

@seg6local                                     lwt_seg6local tag_increment(pkt)
def tag_increment(pkt):            becomes         srh.tag = srh.tag +u16 1
    pkt.srh.tag += 1                               return OK
    return OK
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pybpfnf.diagnostics import Diagnostic
from pybpfnf.dsl import ir
from pybpfnf.dsl.building.builder import Builder, Tables
from pybpfnf.dsl.building.locals import Inferred, Locals
from pybpfnf.dsl.building.scope import ModuleScope, ScopeError
from pybpfnf.dsl.building.signature import build_signature, name_span
from pybpfnf.dsl.constructs.assign import build_annotated, build_assign, build_augmented, declare
from pybpfnf.dsl.constructs.call import build_call
from pybpfnf.dsl.constructs.compare import build_compare
from pybpfnf.dsl.constructs.expr import build_binary, build_conditional, build_logical, build_unary
from pybpfnf.dsl.constructs.loop import build_break, build_continue, build_for
from pybpfnf.dsl.constructs.map import build_subscript
from pybpfnf.dsl.constructs.match import build_match
from pybpfnf.dsl.constructs.name import build_constant, build_name
from pybpfnf.dsl.constructs.packet import build_attribute
from pybpfnf.dsl.constructs.stmt import (
    build_assert,
    build_delete,
    build_expression,
    build_global,
    build_if,
    build_pass,
    build_return,
)
from pybpfnf.dsl.constructs.with_lock import build_with, check_locks
from pybpfnf.dsl.ir.walk import called_subprograms, used_events, used_names, used_programs, used_queues
from pybpfnf.dsl.passes.check_ir import check_module
from pybpfnf.dsl.passes.layout import check_stack
from pybpfnf.dsl.passes.long_loops import with_long_loops
from pybpfnf.dsl.passes.parts import check_parts
from pybpfnf.dsl.passes.verifier_work import check_work
from pybpfnf.dsl.reading.source import FunctionSource
from pybpfnf.dsl.surface.programs import Program
from pybpfnf.dsl.uncalled import check_uncalled
from pybpfnf.errors import CompileError, InputError, InternalError

EXPRESSIONS: Mapping[type[ast.expr], Any] = {
    ast.Attribute: build_attribute,
    ast.BinOp: build_binary,
    ast.BoolOp: build_logical,
    ast.Call: build_call,
    ast.Compare: build_compare,
    ast.Constant: build_constant,
    ast.IfExp: build_conditional,
    ast.Name: build_name,
    ast.Subscript: build_subscript,
    ast.UnaryOp: build_unary,
}
STATEMENTS: Mapping[type[ast.stmt], Any] = {
    ast.AnnAssign: build_annotated,
    ast.Assert: build_assert,
    ast.Assign: build_assign,
    ast.AugAssign: build_augmented,
    ast.Break: build_break,
    ast.Continue: build_continue,
    ast.Delete: build_delete,
    ast.Expr: build_expression,
    ast.For: build_for,
    ast.Global: build_global,
    ast.If: build_if,
    ast.Match: build_match,
    ast.Pass: build_pass,
    ast.Return: build_return,
    ast.With: build_with,
}
_TABLES = Tables(EXPRESSIONS, STATEMENTS)


def compile_module(programs: Sequence[Program]) -> ir.Module:
    """The typed IR of programs that become one object, with those that they go on in.

    Raises CompileError with every mistake that was found, in the order of the source, and InputError where Python does not
    know a function's source.
    """
    if not programs:
        raise InputError("there is no program to compile", hint="decorate a function with @seg6local")
    scope = ModuleScope()
    scope.reached |= dict.fromkeys(programs)
    sources: list[FunctionSource] = []
    diagnostics: list[Diagnostic] = []
    functions: list[ir.Function] = []
    while len(functions) < len(scope.reached):  # what is built names others, to go on in
        added = list(scope.reached)[len(functions) :]
        for program in added:
            sources.append(scope.source(program.function))
            diagnostics += _claim(scope, program, sources[-1])
            diagnostics += _one_license(programs[0], program, sources[-1])
        for program in added:
            function, found = _build_function(program, scope.source(program.function), scope)
            functions.append(function)
            diagnostics += found
    diagnostics += check_uncalled(_TABLES, scope.reached, scope)
    if not diagnostics:
        functions = with_long_loops(functions, programs[0].license)
        built = list(zip(functions, sources, strict=True))
        diagnostics = [
            found
            for function, source in built
            for found in (
                *check_stack(function, source),
                *check_work(function, programs[0].license, scope),
                *_check_locks(function, scope),
                *(scope.file(span).diagnostic("read-only", message, span, hint) for span, message, hint in check_parts(function)),
            )
        ]
        for subprogram in called_subprograms(functions):
            diagnostics += (*check_work(subprogram, programs[0].license, scope), *_check_locks(subprogram, scope))
    if diagnostics:
        raise CompileError(sorted(_once(diagnostics), key=_position))
    module = _module(programs, functions, scope)
    check_module(module)
    return module


def _check_locks(function: ir.Function | ir.Subprogram, scope: ModuleScope) -> list[Diagnostic]:
    return [scope.file(span).diagnostic("type", message, span, hint) for span, message, hint in check_locks(function)]


def _once(diagnostics: Iterable[Diagnostic]) -> Iterable[Diagnostic]:
    """A mistake in a function is one, however often that is called."""
    found: dict[Diagnostic, Diagnostic] = {}
    for diagnostic in diagnostics:
        found.setdefault(replace(diagnostic, span=replace(diagnostic.span, called_from=None)), diagnostic)
    return found.values()


def _position(diagnostic: Diagnostic) -> tuple[str, int, int, str]:
    span = diagnostic.span
    return span.file, span.line, span.column, diagnostic.message


def _claim(scope: ModuleScope, program: Program, source: FunctionSource) -> list[Diagnostic]:
    try:
        scope.claim(program.name, program)
    except ScopeError as error:
        return [source.file.diagnostic("name", str(error), name_span(source), "give the function another name")]
    return []


def _one_license(first: Program, program: Program, source: FunctionSource) -> list[Diagnostic]:
    if program.license == first.license:
        return []
    message = f"one object has one license: `{first.name}` is {first.license!r}, `{program.name}` is {program.license!r}"
    return [source.file.diagnostic("arguments", message, name_span(source), "give all programs of the file one license")]


def _build_function(program: Program, source: FunctionSource, scope: ModuleScope) -> tuple[ir.Function, list[Diagnostic]]:
    """Build until no local's type changes; each pass can only widen types, so it ends."""
    inferred = Inferred()
    for _ in range(_most_passes(source.definition)):
        builder = Builder(_TABLES, source, program.type, program.license, scope, Locals(source.definition, inferred))
        function = _build_once(builder, program)
        after = inferred.after(builder.locals.seen)
        if after == inferred:
            return function, builder.diagnostics
        inferred = after
    raise InternalError(f"the types of the locals of {program.name} do not settle")


def _most_passes(definition: ast.FunctionDef) -> int:
    """Each pass but the last widens a type (at most eight times a local, twice over), or makes a local s64."""
    return 20 * (sum(isinstance(node, ast.Name) for node in ast.walk(definition)) + 1)


def _build_once(b: Builder, program: Program) -> ir.Function:
    definition = b.source.definition
    build_signature(b, definition, program.hook)
    declare(b, definition)
    body = b.block(definition.body)
    span = name_span(b.source)
    if b.flow.reachable:
        b.error("type", f"`{program.name}` can end without a verdict", span, "end every path with `return OK` or `return DROP`")
    return ir.Function(program.name, program.type, b.packet_name, program.on_fault.value, body, b.locals.all, program.doc, span)


def _module(programs: Sequence[Program], functions: Sequence[ir.Function], scope: ModuleScope) -> ir.Module:
    subprograms = called_subprograms(functions)
    code: tuple[ir.Function | ir.Subprogram, ...] = (*functions, *subprograms)
    maps, variables = used_names(code)
    texts: dict[str, str] = {}
    for source in scope.sources:
        file = source.file
        if texts.setdefault(file.recorded, file.text) != file.text:
            raise InputError(f"two files are both recorded as {file.recorded}", hint="put them under one pyproject.toml, or rename one")
    return ir.Module(
        tuple(functions),
        maps,
        variables,
        programs[0].license,
        texts,
        used_events(code),
        used_queues(code),
        used_programs(code),
        subprograms,
    )
