"""Integer arithmetic: Python's meaning, on LLVM integers of exactly the type's width, so that results wrap by themselves.

There is no signed division before CPU v4: floor division is built on the unsigned one.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv6Network

from pybpfnf.backend.building.frame import Frame
from pybpfnf.backend.building.values import literal, llvm_type
from pybpfnf.dsl import ir
from pybpfnf.dsl.ir import BinaryOp, CompareOp
from pybpfnf.dsl.types import BoolType, IntType, Type
from pybpfnf.errors import InternalError

_WIDEST = 64

# Operations that are the same for signed and unsigned, and cannot fault.
PLAIN: Mapping[BinaryOp, str] = {
    BinaryOp.ADD: "add",
    BinaryOp.SUB: "sub",
    BinaryOp.MUL: "mul",
    BinaryOp.AND: "and",
    BinaryOp.OR: "or",
    BinaryOp.XOR: "xor",
}
_COMPARISONS: Mapping[CompareOp, str] = {
    CompareOp.EQ: "eq",
    CompareOp.NE: "ne",
    CompareOp.LT: "lt",
    CompareOp.LE: "le",
    CompareOp.GT: "gt",
    CompareOp.GE: "ge",
}


def lower_binary(frame: Frame, node: ir.Binary) -> str:
    left, right = frame.value(node.left), frame.value(node.right)
    return combine(frame, node.op, node.type, left, right, node.right.type)


def combine(frame: Frame, op: BinaryOp, type_: IntType, left: str, right: str, right_type: Type) -> str:
    """`left op right`, of type `type_`; the right operand has another type in shifts only."""
    if op in PLAIN:
        result = frame.writer.op(PLAIN[op], llvm_type(type_), left, right)
        return _opaque(frame, type_, right, result) if op is BinaryOp.MUL else result
    if op in (BinaryOp.MIN, BinaryOp.MAX):
        below = frame.writer.icmp("slt" if type_.signed else "ult", llvm_type(type_), left, right)
        return frame.writer.select(below, llvm_type(type_), *((left, right) if op is BinaryOp.MIN else (right, left)))
    if op in (BinaryOp.LSHIFT, BinaryOp.RSHIFT):
        if not isinstance(right_type, IntType):
            raise InternalError(f"a shift by a {right_type}")
        return _shift(frame, op, type_, left, right, right_type)
    return _divide(frame, op, type_, left, right)


def _shift(frame: Frame, op: BinaryOp, type_: IntType, left: str, right: str, right_type: IntType) -> str:
    """Counts at or past the width shift everything out, where LLVM's result would be undefined."""
    w, count_type = frame.writer, llvm_type(right_type)
    constant = _constant(right)
    if right_type.signed and (constant is None or constant < 0):
        frame.fault_if(w.icmp("slt", count_type, right, 0), "negative shift count")
    arithmetic = op is BinaryOp.RSHIFT and type_.signed
    instruction = "shl" if op is BinaryOp.LSHIFT else "ashr" if arithmetic else "lshr"
    integer = llvm_type(type_)
    if constant is not None and 0 <= constant < type_.width:
        return w.op(instruction, integer, left, constant)
    if right_type.maximum < type_.width:
        raise InternalError(f"a shift count of type {right_type} cannot be compared with {type_.width}")
    too_far = w.icmp("uge", count_type, right, type_.width)
    # The count is below the width in all its bits, or not used: narrowing it loses nothing.
    count = resize(frame, right, right_type, type_)
    if arithmetic:
        count = w.select(too_far, integer, type_.width - 1, count)
        return w.op("ashr", integer, left, count)
    shifted = w.op(instruction, integer, left, count)
    return w.select(too_far, integer, 0, shifted)


def _divide(frame: Frame, op: BinaryOp, type_: IntType, left: str, right: str) -> str:
    w, integer = frame.writer, llvm_type(type_)
    if not _constant(right):
        frame.fault_if(w.icmp("eq", integer, right, 0), "division by zero")
    if not type_.signed:
        result = w.op("udiv" if op is BinaryOp.FLOORDIV else "urem", integer, left, right)
        return _opaque(frame, type_, right, result)
    quotient = _floor_quotient(frame, type_, left, right)
    if op is BinaryOp.FLOORDIV:
        return quotient
    return w.op("sub", integer, left, w.op("mul", integer, quotient, right))


def _floor_quotient(frame: Frame, type_: IntType, left: str, right: str) -> str:
    """Python's `//` on signed integers.

    Both operands are negated where the divisor is negative; then a negative dividend a becomes ~a = -a - 1, which is not
    negative, and floor(a / b) = ~(~a / b). The most negative integer, negated, is itself: right, since it is read as unsigned.
    """
    w, integer = frame.writer, llvm_type(type_)
    negate = w.op("ashr", integer, right, type_.width - 1)
    divisor = w.op("sub", integer, w.op("xor", integer, right, negate), negate)
    dividend = w.op("sub", integer, w.op("xor", integer, left, negate), negate)
    signs_differ = w.icmp("slt", integer, w.op("xor", integer, left, right), 0)
    not_zero = w.icmp("ne", integer, left, 0)
    below_zero = w.cast("sext", "i1", w.op("and", "i1", signs_differ, not_zero), integer)
    quotient = _opaque(frame, type_, right, w.op("udiv", integer, w.op("xor", integer, dividend, below_zero), divisor))
    return w.op("xor", integer, quotient, below_zero)


def _opaque(frame: Frame, type_: IntType, right: str, result: str) -> str:
    """The result of a multiplication or division, hidden from what is done with it.

    Out of tests for overflow, `a * b // b != a` or `-1 // a < b`, LLVM would make a multiplication of 128 bits, and die of it.
    """
    if type_.width < _WIDEST or _constant(right) is not None:
        return result
    return frame.writer.barrier(llvm_type(type_), result)


def lower_unary(frame: Frame, node: ir.Unary) -> str:
    operand, integer = frame.value(node.operand), llvm_type(node.type)
    match node.op:
        case ir.UnaryOp.NEG:
            return frame.writer.op("sub", integer, 0, operand)
        case ir.UnaryOp.INVERT:
            return frame.writer.op("xor", integer, operand, -1)
        case ir.UnaryOp.ABS:
            return _absolute(frame, node.type, operand)


def _absolute(frame: Frame, type_: IntType, operand: str) -> str:
    if not type_.signed:
        return operand
    w, integer = frame.writer, llvm_type(type_)
    return w.select(w.icmp("slt", integer, operand, 0), integer, w.op("sub", integer, 0, operand), operand)


def lower_convert(frame: Frame, node: ir.Convert) -> str:
    if not isinstance(node.type, IntType):
        raise InternalError(f"a conversion to {node.type}")
    return resize(frame, frame.value(node.operand), node.operand.type, node.type)


def resize(frame: Frame, value: str, from_: Type, to: IntType) -> str:
    """An integer or bool reduced to the width of another type: widened by its own sign, or cut."""
    match from_:
        case BoolType():
            return frame.writer.cast("zext", "i1", value, f"i{to.width}")
        case IntType() if (constant := _constant(value)) is not None:
            return str(to.reduce(from_.reduce(constant)))
        case IntType(width=width) if width == to.width:
            return value
        case IntType(width=width, signed=signed):
            instruction = "trunc" if width > to.width else "sext" if signed else "zext"
            return frame.writer.cast(instruction, f"i{width}", value, f"i{to.width}")
    raise InternalError(f"a conversion from {from_} to {to}")


def lower_compare(frame: Frame, node: ir.Compare) -> str:
    left, right = frame.value(node.left), frame.value(node.right)
    predicate = _COMPARISONS[node.op]
    if node.op not in (CompareOp.EQ, CompareOp.NE):
        if not isinstance(node.left.type, IntType):
            raise InternalError(f"{node.op.value} between values of type {node.left.type}")
        predicate = ("s" if node.left.type.signed else "u") + predicate
    return frame.writer.icmp(predicate, llvm_type(node.left.type), left, right)


def lower_in_prefix(frame: Frame, node: ir.InPrefix) -> str:
    """An address is an integer whose lowest byte is the address's first."""
    mask = IPv6Network((0, node.length)).netmask.packed
    kept = frame.writer.op("and", llvm_type(node.address.type), frame.value(node.address), literal(mask))
    return frame.writer.icmp("eq", llvm_type(node.address.type), kept, literal(node.network))


def _constant(value: str) -> int | None:
    """The number, when the value is one and no register."""
    return None if value.startswith("%") else int(value)
