"""Values in memory that others read and write: maps' values, Config and State, the context."""

from __future__ import annotations

from pybpfnf.backend.building.frame import Frame
from pybpfnf.backend.building.values import alignment, llvm_type, memory_type
from pybpfnf.backend.lowering.arithmetic import PLAIN, combine, resize
from pybpfnf.dsl import ir
from pybpfnf.dsl.ir import BinaryOp
from pybpfnf.dsl.types import BoolType, IntType, ValueType
from pybpfnf.errors import InternalError

_ATOMIC_WIDTHS = (32, 64)  # what the BPF instructions have


def load_value(frame: Frame, pointer: str, type_: ValueType, *, volatile: bool = False) -> str:
    w = frame.writer
    value = w.load(memory_type(type_), pointer, alignment(type_.size), volatile=volatile)
    return w.icmp("ne", "i8", value, 0) if isinstance(type_, BoolType) else value


def store_value(frame: Frame, pointer: str, type_: ValueType, value: str, *, volatile: bool = False) -> None:
    w = frame.writer
    if isinstance(type_, BoolType):
        value = w.cast("zext", "i1", value, "i8")
    w.store(memory_type(type_), value, pointer, alignment(type_.size), volatile=volatile)


def is_atomic(op: BinaryOp, type_: ValueType) -> bool:
    """Whether one instruction does `op=` on memory that other CPUs change too."""
    return isinstance(type_, IntType) and type_.width in _ATOMIC_WIDTHS and op in PLAIN and op is not BinaryOp.MUL


def atomic_update(frame: Frame, pointer: str, op: BinaryOp, type_: IntType, value: str) -> None:
    w, integer = frame.writer, llvm_type(type_)
    if op is BinaryOp.SUB:
        op, value = BinaryOp.ADD, w.op("sub", integer, 0, value)
    w.value(f"atomicrmw {PLAIN[op]} ptr {pointer}, {integer} {value} monotonic, align {type_.size}")


def forgotten(frame: Frame, value: str) -> str:
    """An i64 below 2**32, of which the verifier knows nothing, and not where it comes from: half a word of the stack is to it some
    bytes. What a value is computed from it follows back when the value is added to a pointer, and tells ways apart by it."""
    w = frame.writer
    half = w.offset(frame.scratch("forgotten", 8), 4)
    w.store("i32", w.cast("trunc", "i64", value, "i32"), half, 4, volatile=True)
    return w.cast("zext", "i32", w.load("i32", half, 4, volatile=True), "i64")


def settled(frame: Frame, value: str) -> str:
    """An i64 that comes out of a walk over the SRH's TLVs. The verifier goes on once for each number of TLVs that the walk may have
    met; where another walk follows, each of these ways would go through that as often again, unless they are alike."""
    return forgotten(frame, value) if frame.walks_often else value


def lower_variable_read(frame: Frame, node: ir.VariableRead) -> str:
    """Config is constant once loaded, so LLVM may merge its loads; State is read each time that the source reads it."""
    variable = node.variable
    return load_value(frame, f"@{variable.name}", variable.type, volatile=isinstance(variable, ir.State))


def lower_set_state(frame: Frame, node: ir.SetState) -> None:
    store_value(frame, f"@{node.state.name}", node.state.type, frame.value(node.value), volatile=True)


def lower_update_state(frame: Frame, node: ir.UpdateState) -> None:
    place, type_ = f"@{node.state.name}", node.state.type
    if not isinstance(type_, IntType):
        raise InternalError(f"{node.op.value}= on a State of type {type_}")
    if is_atomic(node.op, type_):
        atomic_update(frame, place, node.op, type_, frame.value(node.value))
        return
    old = load_value(frame, place, type_, volatile=True)  # before the right side, as in Python
    value = combine(frame, node.op, type_, old, frame.value(node.value), node.value.type)
    store_value(frame, place, type_, value, volatile=True)


def lower_context_read(frame: Frame, node: ir.ContextRead) -> str:
    """Volatile, because the verifier takes accesses to the context only as its fields are: LLVM must not narrow or join them."""
    place = frame.context_field(node.field.offset)
    bits = node.field.size * 8
    value = frame.writer.load(f"i{bits}", place, alignment(node.field.size), volatile=True)
    frame.writer.keep_apart()
    if node.field.wire_order:  # an EtherType, in the low half
        half = frame.writer.cast("trunc", f"i{bits}", value, "i16")
        value = frame.writer.cast("zext", "i16", frame.writer.value(f"call i16 @llvm.bswap.i16(i16 {half})"), f"i{bits}")
    return _resized(frame, node.field.name, value, IntType(f"u{bits}", bits, False), node.type)


def lower_set_context(frame: Frame, node: ir.SetContext) -> None:
    bits = node.field.size * 8
    value = _resized(frame, node.field.name, frame.value(node.value), node.value.type, IntType(f"u{bits}", bits, False))
    place = frame.context_field(node.field.offset)
    frame.writer.store(f"i{bits}", value, place, alignment(node.field.size), volatile=True)
    frame.writer.keep_apart()


def _resized(frame: Frame, name: str, value: str, from_: object, to: object) -> str:
    if not isinstance(from_, IntType) or not isinstance(to, IntType):
        raise InternalError(f"the context's {name} between {from_} and {to}")
    return resize(frame, value, from_, to)
