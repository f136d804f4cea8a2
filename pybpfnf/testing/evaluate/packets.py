"""Reading and writing headers of the packet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pybpfnf.dsl import ir
from pybpfnf.testing.evaluate.run import Look, Run, faulting


def _header_read(run: Run, node: ir.HeaderRead) -> Look:
    with faulting(node.span):
        return run.packet.read(node.header, node.field)


def _set_header(run: Run, node: ir.SetHeader) -> None:
    value = run.value(node.value)
    with faulting(node.span):
        run.packet.write(node.header, node.field, value)


EXPRESSIONS: Mapping[type, Callable[[Run, Any], Look]] = {
    ir.HeaderRead: _header_read,
}

STATEMENTS: Mapping[type, Callable[[Run, Any], int | None]] = {
    ir.SetHeader: _set_header,
}
