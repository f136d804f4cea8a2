"""What has an effect on neither map nor packet: assignments, branches, loops, the ways out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, final

from pybpfnf.dsl import ir
from pybpfnf.dsl.types import IntType
from pybpfnf.testing.evaluate.operators import operate
from pybpfnf.testing.evaluate.run import FaultError, Run, stored_copy
from pybpfnf.testing.model_structs import is_own


def _assign(run: Run, node: ir.Assign) -> None:
    value = run.value(node.value)
    run.locals[node.local] = stored_copy(value) if is_own(node.local.type) else value


def _set_state(run: Run, node: ir.SetState) -> None:
    run.variables[node.state.name] = run.value(node.value)


def _update_state(run: Run, node: ir.UpdateState) -> None:
    old: Any = run.variables[node.state.name]
    run.variables[node.state.name] = operate(node.op, node.state.type, old, run.value(node.value), node.span)


def _set_context(run: Run, node: ir.SetContext) -> None:
    run.context[node.field.name] = run.value(node.value)


def _if(run: Run, node: ir.If) -> int | None:
    return run.block(node.then if run.value(node.test) else node.orelse)


@final
class _BreakError(Exception):
    """The innermost loop ends."""


@final
class _ExhaustedError(Exception):
    """The innermost loop has no next value."""


@final
class _ContinueError(Exception):
    """The innermost loop goes on with its next value."""


def _for_range(run: Run, node: ir.ForRange) -> int | None:
    iterations = range(run.value(node.start), run.value(node.stop), node.step)
    assert len(iterations) <= node.most, "the bound was proven"
    assert isinstance(node.local.type, IntType)
    for value in iterations:
        assert node.local.type.holds(value), "each value fits"
        run.locals[node.local] = value
        try:
            verdict = run.block(node.body)
        except _ContinueError:
            continue
        except _BreakError:
            return None
        except _ExhaustedError:
            break
        if verdict is not None:
            return verdict
    return run.block(node.orelse)


def _break(run: Run, node: ir.Break) -> None:
    raise _BreakError


def _exhausted(run: Run, node: ir.Exhausted) -> None:
    raise _ExhaustedError


def _continue(run: Run, node: ir.Continue) -> None:
    raise _ContinueError


def _return(run: Run, node: ir.Return) -> int:
    verdict: int = run.value(node.value)
    return verdict


def _assert(run: Run, node: ir.Assert) -> None:
    if not run.value(node.test):
        raise FaultError(node.message, node.span)


def _evaluate(run: Run, node: ir.Evaluate) -> None:
    run.value(node.value)


STATEMENTS: Mapping[type, Callable[[Run, Any], int | None]] = {
    ir.Assign: _assign,
    ir.SetState: _set_state,
    ir.UpdateState: _update_state,
    ir.SetContext: _set_context,
    ir.If: _if,
    ir.ForRange: _for_range,
    ir.Break: _break,
    ir.Exhausted: _exhausted,
    ir.Continue: _continue,
    ir.Return: _return,
    ir.Assert: _assert,
    ir.Evaluate: _evaluate,
}
