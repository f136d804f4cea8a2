"""Spin locks: of the one packet that is evaluated nobody else sees anything in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pybpfnf.dsl import ir
from pybpfnf.testing.evaluate.run import Run

STATEMENTS: Mapping[type, Callable[[Run, Any], int | None]] = {ir.Locked: lambda run, node: run.block(node.body)}
