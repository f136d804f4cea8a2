"""Queues and stacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pybpfnf.dsl import ir
from pybpfnf.testing.evaluate.run import Look, Run, faulting, stored_copy
from pybpfnf.testing.model_structs import own


def _push(run: Run, node: ir.QueuePush) -> None:
    value = stored_copy(run.value(node.value))
    with faulting(node.span):
        run.maps[node.queue.name].push(value, drop_oldest=node.drop_oldest)


def _take(run: Run, node: ir.QueueTake) -> Look:
    contents = run.maps[node.queue.name]
    value = contents.pop() if node.remove else contents.peek()
    return own(bytes(value)) if isinstance(value, memoryview) else value


EXPRESSIONS: Mapping[type, Callable[[Run, Any], Look]] = {ir.QueueTake: _take}

STATEMENTS: Mapping[type, Callable[[Run, Any], int | None]] = {ir.QueuePush: _push}
