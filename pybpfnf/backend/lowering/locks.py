"""Spin locks: taken before a body, released on every way out of it."""

from __future__ import annotations

from collections.abc import Callable

from pybpfnf.backend.building.frame import Frame
from pybpfnf.backend.lowering.structs import place_of
from pybpfnf.dsl import ir

_Body = Callable[[Frame, tuple[ir.Stmt, ...]], None]


def lower_locked(frame: Frame, node: ir.Locked, lower_body: _Body) -> None:
    entry, _ = place_of(frame, node.entry)
    lock = frame.writer.offset(entry, node.lock.offset)
    frame.call_void("spin_lock", f"ptr {lock}")
    with frame.locked(lock):
        lower_body(frame, node.body)
        if not frame.writer.terminated:
            frame.unlock()
