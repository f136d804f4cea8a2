"""Records to user space: sent whole, or reserved, filled, and submitted or discarded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pybpfnf.dsl import ir
from pybpfnf.testing.evaluate.run import Look, Run
from pybpfnf.testing.model_structs import own


def _emit(run: Run, node: ir.Emit) -> Look:
    record = bytes(run.value(node.record))
    if node.packet is not None:
        record += run.packet.encode()[: run.value(node.packet)]
    slot = run.sent[node.buffer.name].reserve(len(record))
    if slot is None:
        return 0
    slot.data, slot.submitted = own(record), True
    return 1


def _reserve(run: Run, node: ir.Reserve) -> None:
    slot = run.sent[node.buffer.name].reserve(node.buffer.record.size)
    run.locals[node.local] = None if slot is None else slot.data
    run.slots[node.local] = slot


def _release(run: Run, node: ir.Release) -> None:
    slot = run.slots[node.local]
    assert slot is not None, "the function has asked"
    slot.submitted = node.submitted


EXPRESSIONS: Mapping[type, Callable[[Run, Any], Look]] = {ir.Emit: _emit}

STATEMENTS: Mapping[type, Callable[[Run, Any], int | None]] = {ir.Reserve: _reserve, ir.Release: _release}
