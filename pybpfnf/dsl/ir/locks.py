"""Spin locks: what is done to an entry of a map as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from pybpfnf.diagnostics import Span
from pybpfnf.dsl.types import StructField
from pybpfnf.records import dataclass

if TYPE_CHECKING:
    from pybpfnf.dsl.ir.expressions import Expr
    from pybpfnf.dsl.ir.statements import Stmt


@final
@dataclass(frozen=True, slots=True)
class Locked:
    """Hold the lock of an entry while the body runs. Every way out of the body releases it, a fault exit too.

    `entry` is a view of a map's entry, `lock` its field. The body calls no helper, takes no lock, and looks nothing up.
    """

    entry: Expr
    lock: StructField
    body: tuple[Stmt, ...]
    span: Span
