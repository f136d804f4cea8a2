"""The operators and kinds that nodes have as a field."""

from __future__ import annotations

from enum import Enum


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


class Seg6Action(Enum):
    """Actions of bpf_lwt_seg6_action, by name; numbers from enum SEG6_LOCAL_ACTION_* (include/uapi/linux/seg6_local.h)."""

    END_X = 2
    END_T = 3
    END_DT6 = 7
    END_B6 = 9
    END_B6_ENCAPS = 10


class EncapKind(Enum):
    """Types of bpf_lwt_push_encap, by name; numbers from enum bpf_lwt_encap_mode (include/uapi/linux/bpf.h)."""

    SEG6 = 0
    SEG6_INLINE = 1
    IP = 2
