"""Statements: nodes with an effect. Each knows its span."""

from __future__ import annotations

from typing import TypeAlias, final

from pybpfnf.abi.contexts import ContextField
from pybpfnf.abi.headers import Field, Header
from pybpfnf.diagnostics import Span
from pybpfnf.dsl.ir.calls import Leave
from pybpfnf.dsl.ir.events import Release, Reserve
from pybpfnf.dsl.ir.expressions import Expr, Place
from pybpfnf.dsl.ir.locks import Locked
from pybpfnf.dsl.ir.names import Local, Map, State
from pybpfnf.dsl.ir.operators import BinaryOp
from pybpfnf.dsl.ir.queues import QueuePush
from pybpfnf.dsl.ir.tails import TailCall
from pybpfnf.dsl.ir.tlvs import TlvPlace, TlvValue
from pybpfnf.dsl.ir.views import SetWire
from pybpfnf.dsl.ir.words import Log
from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Assign:
    """`value` has the local's type."""

    local: Local
    value: Expr
    span: Span


@final
@dataclass(frozen=True, slots=True)
class SetState:
    state: State
    value: Expr
    span: Span


@final
@dataclass(frozen=True, slots=True)
class UpdateState:
    """`STATE op= value`, atomic on 32 and 64 bits where `op` is + - & | ^ (reduced to the state's type)."""

    state: State
    op: BinaryOp
    value: Expr
    span: Span


@final
@dataclass(frozen=True, slots=True)
class SetHeader:
    """Write a writable field (`srh.tag`, `srh.flags`) through bpf_lwt_seg6_store_bytes; faults when it fails."""

    header: Header
    field: Field
    value: Expr
    span: Span


@final
@dataclass(frozen=True, slots=True)
class SetContext:
    field: ContextField
    value: Expr
    span: Span


@final
@dataclass(frozen=True, slots=True)
class SetMap:
    """`m[key] = value`. An array index out of range faults; so does a hash update that fails (a full map)."""

    map: Map
    key: Expr
    value: Expr
    span: Span


@final
@dataclass(frozen=True, slots=True)
class UpdateMap:
    """`m[key] op= value`. On shared maps atomic (op is + - & | ^, 32 or 64 bits); on per-CPU maps any op and width.
    A missing key of a hash with a default is created from the default; an array index out of range faults."""

    map: Map
    key: Expr
    op: BinaryOp
    value: Expr
    span: Span


@final
@dataclass(frozen=True, slots=True)
class SetPlace:
    """`place = value`, of a field or an item; a struct is copied, a bit field keeps the low bits."""

    place: Place
    value: Expr
    span: Span


@final
@dataclass(frozen=True, slots=True)
class UpdatePlace:
    """`place op= value` (op is + - & | ^). In an entry of a map that CPUs share atomic, on 32 or 64 bits."""

    place: Place
    op: BinaryOp
    value: Expr
    span: Span


@final
@dataclass(frozen=True, slots=True)
class SetTlv:
    """Write a field of a TLV in the packet, or an item of one, through bpf_lwt_seg6_store_bytes; faults when it fails."""

    place: TlvPlace
    value: Expr
    span: Span


@final
@dataclass(frozen=True, slots=True)
class DeleteMap:
    """`del m[key]`; a missing key faults (Python's KeyError)."""

    map: Map
    key: Expr
    span: Span


@final
@dataclass(frozen=True, slots=True)
class AppendTlv:
    """Put a TLV at the end of the SRH, before trailing padding and HMAC, and pad with PadN to a multiple of 8.

    adjust_srh, then store_bytes; each failure faults. Packet data moves.
    """

    tlv: TlvValue
    span: Span


@final
@dataclass(frozen=True, slots=True)
class InsertTlv:
    """Put a TLV before the one at `at`, a view, but before trailing padding and HMAC; pad as AppendTlv does. Packet data moves."""

    tlv: TlvValue
    at: Expr
    span: Span


@final
@dataclass(frozen=True, slots=True)
class RemoveTlv:
    """Take the TLV at `at`, a view, out of the SRH; pad as AppendTlv does. An HMAC faults. Packet data moves."""

    at: Expr
    span: Span


@final
@dataclass(frozen=True, slots=True)
class If:
    test: Expr
    then: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...]
    span: Span


@final
@dataclass(frozen=True, slots=True)
class ForRange:
    """`local` is start, start + step, ... before stop, and keeps the last; then `orelse`, unless a Break left the loop.

    `start` and `stop`, both s64 or both u64, are evaluated once. `step` is not 0. The body runs at most `most` times, whatever
    they are, and each value fits the local's type. `counted_by_kernel`: the verifier is not to follow each iteration by itself.
    """

    local: Local
    start: Expr
    stop: Expr
    step: int
    most: int
    body: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...]
    span: Span
    counted_by_kernel: bool = False


@final
@dataclass(frozen=True, slots=True)
class Break:
    """Leave the innermost loop, past its `orelse`."""

    span: Span


@final
@dataclass(frozen=True, slots=True)
class Exhausted:
    """There is no next value: end the innermost loop, its `orelse` next."""

    span: Span


@final
@dataclass(frozen=True, slots=True)
class Continue:
    """Go on with the innermost loop's next value."""

    span: Span


@final
@dataclass(frozen=True, slots=True)
class Return:
    value: Expr  # of type VERDICT
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Assert:
    """Faults when false, with `message`."""

    test: Expr
    message: str
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Evaluate:
    """An expression for its effect."""

    value: Expr
    span: Span


Stmt: TypeAlias = (
    Assign
    | SetState
    | UpdateState
    | SetHeader
    | SetContext
    | SetMap
    | UpdateMap
    | DeleteMap
    | SetPlace
    | UpdatePlace
    | SetTlv
    | SetWire
    | AppendTlv
    | InsertTlv
    | RemoveTlv
    | Reserve
    | QueuePush
    | Release
    | Log
    | If
    | ForRange
    | Locked
    | Break
    | Exhausted
    | Continue
    | Return
    | TailCall
    | Leave
    | Assert
    | Evaluate
)
