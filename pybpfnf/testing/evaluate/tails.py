"""Tail calls: the path through one function ends, and one through another begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, final

from pybpfnf.dsl import ir
from pybpfnf.testing.evaluate.run import FaultError, Run

MOST_TAIL_CALLS = 33
NO_PROGRAM = "no program to go on in, or more than 33 tail calls"


@final
class TailCallError(Exception):
    """The function has ended; the packet goes on in the program of that name."""

    def __init__(self, program: str) -> None:
        super().__init__(program)
        self.program = program


def _tail_call(run: Run, node: ir.TailCall) -> None:
    program = dict(node.array.slots).get(run.value(node.index))
    if program is None or run.tail_calls == MOST_TAIL_CALLS:
        raise FaultError(NO_PROGRAM, node.span)
    run.tail_calls += 1
    raise TailCallError(program)


STATEMENTS: Mapping[type, Callable[[Run, Any], int | None]] = {ir.TailCall: _tail_call}
