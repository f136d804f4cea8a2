"""Calls of an author's functions, and the values that may be None which they take and give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, final

from pybpfnf.dsl import ir
from pybpfnf.testing.evaluate.run import Look, Run, stored_copy
from pybpfnf.testing.model_structs import is_own


@final
class _LeaveError(Exception):
    """The innermost function ends."""


def _inlined_call(run: Run, node: ir.InlinedCall) -> Look:
    try:
        run.block(node.body)
    except _LeaveError:
        return None if node.result is None else run.locals[node.result]
    raise AssertionError(f"{node.function} did not leave")


def _subprogram_call(run: Run, node: ir.SubprogramCall) -> Look:
    given: dict[ir.Local, Look] = {}
    for local, argument in node.arguments:
        value = run.value(argument)
        given[local] = stored_copy(value) if is_own(local.type) else value
    result = node.subprogram.result
    with run.in_function(given):
        try:
            run.block(node.subprogram.body)
        except _LeaveError:
            return None if result is None else run.locals[result]
    raise AssertionError(f"{node.subprogram.name} did not leave")


def _present(run: Run, node: ir.Present) -> Look:
    value = run.value(node.operand)
    return stored_copy(value) if is_own(node.type) else value


def _leave(run: Run, node: ir.Leave) -> None:
    raise _LeaveError


EXPRESSIONS: Mapping[type, Callable[[Run, Any], Look]] = {
    ir.InlinedCall: _inlined_call,
    ir.SubprogramCall: _subprogram_call,
    ir.Absent: lambda run, node: None,
    ir.Present: _present,
}

STATEMENTS: Mapping[type, Callable[[Run, Any], int | None]] = {ir.Leave: _leave}
