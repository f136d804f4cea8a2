"""Nodes that look something up in a map."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from pybpfnf.diagnostics import Span
from pybpfnf.dsl.ir.names import Map
from pybpfnf.dsl.types import BOOL, BoolType, OptionalType, Type
from pybpfnf.records import dataclass

if TYPE_CHECKING:
    from pybpfnf.dsl.ir.expressions import Expr


@final
@dataclass(frozen=True, slots=True)
class MapRead:
    """`m[key]`. Arrays: an index out of range faults. Hashes: a missing key is the map's default, else faults.

    Where values are structs, this is a ViewType of the entry; a missing key of a hash with a default is then created from it,
    as the entry must be somewhere, and a full map faults.
    """

    map: Map
    key: Expr
    type: Type
    span: Span


@final
@dataclass(frozen=True, slots=True)
class MapGet:
    """`m.get(key)`: None when missing. `type` is an OptionalType."""

    map: Map
    key: Expr
    type: OptionalType
    span: Span


@final
@dataclass(frozen=True, slots=True)
class MapContains:
    map: Map
    key: Expr
    span: Span
    type: BoolType = BOOL
