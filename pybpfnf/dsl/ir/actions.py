"""Nodes that hand the packet to the kernel's SRv6: actions and encapsulations, with the SRH that they take."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from pybpfnf.abi.headers import Header
from pybpfnf.diagnostics import Span
from pybpfnf.dsl.ir.operators import EncapKind, Seg6Action
from pybpfnf.dsl.ir.tlvs import TlvValue
from pybpfnf.dsl.types import (
    BOOL,
    NONE,
    BoolType,
    NoneType,
    Type,
)
from pybpfnf.records import dataclass

if TYPE_CHECKING:
    from pybpfnf.dsl.ir.expressions import Expr


@final
@dataclass(frozen=True, slots=True)
class SrhValue:
    """A new SRH: `path` in travel order (the first element is the next segment), addresses all. TLVs are padded with
    PadN to a multiple of 8. `tag` is a u16, `flags` a u8."""

    path: tuple[Expr, ...]
    tlvs: tuple[TlvValue, ...]
    tag: Expr
    flags: Expr
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Seg6ActionCall:
    """Run a seg6 action; its parameter is an address (END_X), an s32 table (END_T, END_DT6) or an SrhValue (END_B6*).

    Faults when the helper fails; else gives the verdict REDIRECT.
    """

    action: Seg6Action
    parameter: Expr | SrhValue
    type: Type
    span: Span


@final
@dataclass(frozen=True, slots=True)
class HasHeader:
    """Whether the packet has the header: an IPv6 header ("ipv6"), or after one an SRH ("srh"), past hop-by-hop and destination
    options. In hooks whose packets may be without."""

    header: Header
    span: Span
    type: BoolType = BOOL


@final
@dataclass(frozen=True, slots=True)
class Redirect:
    """The packet leaves by the device `ifindex` (a u32), with an Ethernet header in front where `link` has its addresses, destination
    and source (six octets each); faults where there is no room for that. Gives the verdict REDIRECT; the packet has other headers."""

    ifindex: Expr
    link: tuple[Expr, Expr] | None
    type: Type
    span: Span


@final
@dataclass(frozen=True, slots=True)
class CloneRedirect:
    """A copy of the packet, as it is here, leaves by the device `ifindex` (a u32); faults where it does not. Gives nothing."""

    ifindex: Expr
    span: Span
    type: NoneType = NONE


@final
@dataclass(frozen=True, slots=True)
class PushEncap:
    """Encapsulate the packet, or insert the SRH; faults when the helper fails. Packet data moves, and has other headers.

    For IP, `source` (an address) and `hop_limit` (a u8) are those of the outer IPv6 header, whose payload length and traffic class
    the function fills in; None for the others, which the kernel gives its own. Gives nothing.
    """

    kind: EncapKind
    srh: SrhValue
    source: Expr | None
    hop_limit: Expr | None
    span: Span
    type: NoneType = NONE
