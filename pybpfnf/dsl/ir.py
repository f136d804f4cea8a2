"""The typed IR: what `dsl` makes of a function and `backend` lowers. A tree; every node knows its type and its span.

Meaning: integer operators are Python's, on mathematical integers, the result reduced at once to the node's type
(`IntType.reduce`). Both operands of Binary (other than shifts) and of Compare already have the same type: `dsl` put the
Converts in. Where the text says "faults", the function counts the fault site and returns its on_fault verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias, final

from pybpfnf.abi.contexts import ContextField
from pybpfnf.abi.headers import Field, Header
from pybpfnf.abi.helpers import Helper
from pybpfnf.abi.programs import ProgramType
from pybpfnf.diagnostics import Span
from pybpfnf.dsl.types import (
    BOOL,
    NONE,
    BoolType,
    IntType,
    NoneType,
    OptionalType,
    StoredType,
    StructField,
    StructType,
    TlvField,
    TlvLayout,
    Type,
    ValueType,
)

# ---------------------------------------------------------------------------------------------- things with names


@final
@dataclass(frozen=True, slots=True)
class Local:
    """A local variable; `number` makes it unique in its function."""

    name: str
    number: int
    type: Type


@final
@dataclass(frozen=True, slots=True)
class Config:
    """Set at load time, constant afterwards (.rodata). `default` None: must be given. Values: int, bool as 0 or 1, address as 16 bytes."""

    name: str
    type: ValueType
    default: int | bytes | None


@final
@dataclass(frozen=True, slots=True)
class State:
    """Readable and writable from the control plane while packets flow (.data, or .bss when `initial` is zero)."""

    name: str
    type: ValueType
    initial: int | bytes


Variable: TypeAlias = Config | State


@final
@dataclass(frozen=True, slots=True)
class Map:
    """A map. `kind` is a row name of abi.maps ("array", "percpu_array", "hash"); `key` is U32 for arrays.

    `default`: what a missing key of a hash reads as (a struct as its bytes); None: reading a missing key faults.
    """

    name: str
    kind: str
    key: StoredType
    value: StoredType
    max_entries: int
    default: int | bytes | None = None


# ---------------------------------------------------------------------------------------------------- expressions


class BinaryOp(Enum):
    ADD = "+"
    SUB = "-"
    MUL = "*"
    AND = "&"
    OR = "|"
    XOR = "^"
    FLOORDIV = "//"  # rounds down; a zero divisor faults
    MOD = "%"  # has the divisor's sign; a zero divisor faults
    LSHIFT = "<<"  # a count at or past the width gives 0; a negative count faults
    RSHIFT = ">>"  # arithmetic when signed: a count at or past the width gives 0, or -1 for a negative value
    MIN = "min"
    MAX = "max"


class UnaryOp(Enum):
    NEG = "-"
    INVERT = "~"
    ABS = "abs"  # of the most negative value: itself, as the reduced result is


class CompareOp(Enum):
    EQ = "=="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="


class LogicalOp(Enum):
    AND = "and"
    OR = "or"


@final
@dataclass(frozen=True, slots=True)
class Const:
    """An integer, a bool (0 or 1), a verdict's number, or an address (16 bytes)."""

    value: int | bytes
    type: Type
    span: Span


@final
@dataclass(frozen=True, slots=True)
class LocalRead:
    """`bounds`: the lowest and the highest value that an integer can have here, where the compiler knows better than its type."""

    local: Local
    type: Type
    span: Span
    bounds: tuple[int, int] | None = None


@final
@dataclass(frozen=True, slots=True)
class VariableRead:
    variable: Variable
    type: Type
    span: Span


@final
@dataclass(frozen=True, slots=True)
class HeaderRead:
    """Read `field` of the packet's IPv6 header ("ipv6") or of its SRH ("srh", searched past hop-by-hop and destination
    options). Big-endian on the wire, a host integer here. Faults where the header is not there or runs past the packet."""

    header: Header
    field: Field
    type: Type
    span: Span


@final
@dataclass(frozen=True, slots=True)
class ContextRead:
    """Read a field of the context (`__sk_buff`)."""

    field: ContextField
    type: Type
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Convert:
    """The operand reduced to `type` (an IntType): widening keeps the value, narrowing keeps the low bits; a bool becomes 0 or 1."""

    operand: Expr
    type: Type
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Binary:
    """For shifts the right operand may have another integer type than the left; the result has the left's."""

    op: BinaryOp
    left: Expr
    right: Expr
    type: IntType
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Unary:
    op: UnaryOp
    operand: Expr
    type: IntType
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Compare:
    """Operands of one type: integers by value (signedness from the type); bools, verdicts and addresses for == and != only."""

    op: CompareOp
    left: Expr
    right: Expr
    span: Span
    type: BoolType = BOOL


@final
@dataclass(frozen=True, slots=True)
class InPrefix:
    """Whether the first `length` bits of an address are those of `network`, 16 bytes with zeros after them."""

    address: Expr
    network: bytes
    length: int
    span: Span
    type: BoolType = BOOL


@final
@dataclass(frozen=True, slots=True)
class Logical:
    """Short-circuit; operands are bools. Chained comparisons become these, the middle operand bound to a Local first by a Let."""

    op: LogicalOp
    left: Expr
    right: Expr
    span: Span
    type: BoolType = BOOL


@final
@dataclass(frozen=True, slots=True)
class Not:
    operand: Expr
    span: Span
    type: BoolType = BOOL


@final
@dataclass(frozen=True, slots=True)
class Let:
    """Evaluate `value` into `local` (used only inside `body`), then `body`."""

    local: Local
    value: Expr
    body: Expr
    type: Type
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Conditional:
    """`then if test else orelse`; only one arm is evaluated."""

    test: Expr
    then: Expr
    orelse: Expr
    type: Type
    span: Span


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


@final
@dataclass(frozen=True, slots=True)
class IsNone:
    """The operand's type is an OptionalType."""

    operand: Expr
    span: Span
    type: BoolType = BOOL


@final
@dataclass(frozen=True, slots=True)
class Unwrap:
    """The value of an optional that the function has asked about: never None here, no check is made."""

    operand: Expr
    type: Type
    span: Span


@final
@dataclass(frozen=True, slots=True)
class HelperCall:
    """Call a helper whose arguments are at most the context and scalars; `args` are the scalars, u64 each. The result is a u64."""

    helper: Helper
    args: tuple[Expr, ...]
    type: Type
    span: Span


@final
@dataclass(frozen=True, slots=True)
class StructValue:
    """A new struct: each field of its type with its value; what is no field's is zero. Octets and fixed arrays are constant bytes."""

    values: tuple[tuple[StructField, Expr | bytes], ...]
    type: StructType
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Member:
    """`base.field`, where `base` is a struct or a view of one: the value for a scalar, the place for anything larger."""

    base: Expr
    field: StructField
    type: Type
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Item:
    """`base[index]` of a fixed array (or a byte of octets) in a struct; an index out of range faults."""

    base: Expr
    index: Expr
    type: Type
    span: Span


Place: TypeAlias = Member | Item


@final
@dataclass(frozen=True, slots=True)
class FindTlv:
    """`srh.find(T)`: the first TLV that has T's type and length, None where there is none; `type` is an OptionalType of a TlvViewType.

    Faults where there is no SRH, its TLVs run past its end, or there are more than 32 before.
    """

    type: OptionalType
    span: Span


@final
@dataclass(frozen=True, slots=True)
class TlvRead:
    """A field of a TLV in the packet, `base` a TlvViewType: big-endian there, a host integer here."""

    base: Expr
    field: TlvField
    type: Type
    span: Span


@final
@dataclass(frozen=True, slots=True)
class TlvValue:
    """A TLV to write: each field of the layout with its value; raw bytes are constants of exactly the field's size."""

    layout: TlvLayout
    values: tuple[tuple[TlvField, Expr | bytes], ...]
    span: Span


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


class Seg6Action(Enum):
    """Actions of bpf_lwt_seg6_action, by name; numbers from enum SEG6_LOCAL_ACTION_* (include/uapi/linux/seg6_local.h)."""

    END_X = 2
    END_T = 3
    END_DT6 = 7
    END_B6 = 9
    END_B6_ENCAPS = 10


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


class EncapKind(Enum):
    """Types of bpf_lwt_push_encap, by name; numbers from enum bpf_lwt_encap_mode (include/uapi/linux/bpf.h)."""

    SEG6 = 0
    SEG6_INLINE = 1
    IP = 2


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


Expr: TypeAlias = (
    Const
    | LocalRead
    | VariableRead
    | HeaderRead
    | ContextRead
    | Convert
    | Binary
    | Unary
    | Compare
    | InPrefix
    | Logical
    | Not
    | Let
    | Conditional
    | MapRead
    | MapGet
    | MapContains
    | IsNone
    | Unwrap
    | HelperCall
    | Seg6ActionCall
    | HasHeader
    | PushEncap
    | StructValue
    | Member
    | Item
    | FindTlv
    | TlvRead
)

# ----------------------------------------------------------------------------------------------------- statements


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
    """Write a field of a TLV in the packet through bpf_lwt_seg6_store_bytes; faults when it fails."""

    place: TlvRead
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
    they are, and each value fits the local's type.
    """

    local: Local
    start: Expr
    stop: Expr
    step: int
    most: int
    body: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...]
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Break:
    """Leave the innermost loop, past its `orelse`."""

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
    | AppendTlv
    | If
    | ForRange
    | Break
    | Continue
    | Return
    | Assert
    | Evaluate
)

# -------------------------------------------------------------------------------------------------------- wholes


@final
@dataclass(frozen=True, slots=True)
class Function:
    """A program's function: every path ends in a Return (`dsl` checked it)."""

    name: str
    hook: ProgramType
    packet_name: str  # the parameter's name
    on_fault: int
    body: tuple[Stmt, ...]
    locals: tuple[Local, ...]
    doc: str
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Module:
    """What becomes one object. `sources` has the whole text of each file that a span names."""

    functions: tuple[Function, ...]
    maps: tuple[Map, ...]
    variables: tuple[Variable, ...]
    license: str
    sources: Mapping[str, str]
