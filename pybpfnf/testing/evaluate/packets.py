"""Reading and writing headers of the packet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pybpfnf.dsl import ir
from pybpfnf.testing.evaluate.run import Look, Run, faulting
from pybpfnf.testing.model_checksums import write_header


def _header_read(run: Run, node: ir.HeaderRead) -> Look:
    with faulting(node.span):
        return run.packet.read(node.header, node.field)


def _has_header(run: Run, node: ir.HasHeader) -> Look:
    return run.packet.has(node.header)


def _segment_count(run: Run, node: ir.SegmentCount) -> Look:
    with faulting(node.span):
        return len(run.packet.segments())


def _segment_read(run: Run, node: ir.SegmentRead) -> Look:
    index = run.value(node.index)
    with faulting(node.span):
        segments = run.packet.segments()
        assert index in range(len(segments)) or not node.in_range, "the index was proven"
        return segments[index if index >= 0 else len(segments)]


def _set_header(run: Run, node: ir.SetHeader) -> None:
    value = run.value(node.value)
    with faulting(node.span):
        if run.writes_packet:
            write_header(run.packet, node.header, node.field, value)
        else:
            run.packet.write(node.header, node.field, value)


EXPRESSIONS: Mapping[type, Callable[[Run, Any], Look]] = {
    ir.HeaderRead: _header_read,
    ir.HasHeader: _has_header,
    ir.SegmentCount: _segment_count,
    ir.SegmentRead: _segment_read,
}

STATEMENTS: Mapping[type, Callable[[Run, Any], int | None]] = {
    ir.SetHeader: _set_header,
}
