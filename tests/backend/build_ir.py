"""Typed IR by hand, short to write: each helper makes one node, at the place `SPAN` unless told otherwise."""

from __future__ import annotations

from pybpfnf.abi.headers import HEADERS
from pybpfnf.abi.helpers import HELPERS
from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.diagnostics import Span
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import (
    ADDRESS,
    BOOL,
    U8,
    U16,
    U32,
    U64,
    VERDICT,
    AddressType,
    BoolType,
    IntType,
    OctetsType,
    OptionalType,
    TlvField,
    TlvLayout,
    Type,
    ValueType,
)

FILE = "functions/under_test.py"
SOURCE = "".join(f"line {number} of the source\n" for number in range(1, 100))
SPAN = Span(FILE, 7, 5, 7, 20)
HOOK = PROGRAM_TYPES["lwt_seg6local"]
OK, DROP, REDIRECT = (HOOK.verdicts[name] for name in ("OK", "DROP", "REDIRECT"))
SRH, IPV6 = HEADERS["srh"], HEADERS["ipv6"]


def at(line: int, column: int = 5) -> Span:
    return Span(FILE, line, column, line, column + 10)


def const(value: int | bytes, type_: Type) -> ir.Const:
    return ir.Const(value, type_, SPAN)


def local(name: str, type_: Type, number: int = 0) -> ir.Local:
    return ir.Local(name, number, type_)


def read(variable: ir.Local | ir.Variable) -> ir.Expr:
    if isinstance(variable, ir.Local):
        return ir.LocalRead(variable, variable.type, SPAN)
    return ir.VariableRead(variable, variable.type, SPAN)


def srh(name: str, span: Span = SPAN) -> ir.HeaderRead:
    field = SRH.fields[name]
    return ir.HeaderRead(SRH, field, {8: U8, 16: U16}[field.width], span)


def ipv6(name: str) -> ir.HeaderRead:
    field = IPV6.fields[name]
    types: dict[int, ValueType] = {4: U8, 8: U8, 16: U16, 20: U32, 128: ADDRESS}
    return ir.HeaderRead(IPV6, field, types[field.width], SPAN)


def context(name: str, type_: ValueType = U32) -> ir.ContextRead:
    return ir.ContextRead(HOOK.context.fields[name], type_, SPAN)


def binary(op: str, left: ir.Expr, right: ir.Expr) -> ir.Binary:
    assert isinstance(left.type, IntType)
    return ir.Binary(ir.BinaryOp(op), left, right, left.type, SPAN)


def compare(op: str, left: ir.Expr, right: ir.Expr) -> ir.Compare:
    return ir.Compare(ir.CompareOp(op), left, right, SPAN)


def both(left: ir.Expr, right: ir.Expr) -> ir.Logical:
    return ir.Logical(ir.LogicalOp.AND, left, right, SPAN)


def either(left: ir.Expr, right: ir.Expr) -> ir.Logical:
    return ir.Logical(ir.LogicalOp.OR, left, right, SPAN)


def convert(operand: ir.Expr, type_: IntType) -> ir.Convert:
    return ir.Convert(operand, type_, SPAN)


def helper(name: str, *arguments: ir.Expr) -> ir.HelperCall:
    return ir.HelperCall(HELPERS[name], arguments, U64, SPAN)


def action(action_: ir.Seg6Action, parameter: ir.Expr | ir.SrhValue) -> ir.Seg6ActionCall:
    return ir.Seg6ActionCall(action_, parameter, VERDICT, SPAN)


def get(map_: ir.Map, key: ir.Expr) -> ir.MapGet:
    assert isinstance(map_.value, IntType | BoolType | AddressType)
    return ir.MapGet(map_, key, OptionalType(map_.value), SPAN)


def element(map_: ir.Map, key: ir.Expr) -> ir.MapRead:
    return ir.MapRead(map_, key, map_.value, SPAN)


def assign(target: ir.Local, value: ir.Expr) -> ir.Assign:
    return ir.Assign(target, value, SPAN)


def set_srh(name: str, value: ir.Expr, span: Span = SPAN) -> ir.SetHeader:
    return ir.SetHeader(SRH, SRH.fields[name], value, span)


def when(test: ir.Expr, then: tuple[ir.Stmt, ...], orelse: tuple[ir.Stmt, ...] = ()) -> ir.If:
    return ir.If(test, then, orelse, SPAN)


def give(verdict: int | ir.Expr = OK, span: Span = SPAN) -> ir.Return:
    return ir.Return(ir.Const(verdict, VERDICT, span) if isinstance(verdict, int) else verdict, span)


def layout(name: str, number: int, *fields: tuple[str, int, ValueType | None]) -> TlvLayout:
    """Fields are (name, size, type) without gaps; type None is raw bytes."""
    offset, placed = 2, []
    for field, size, type_ in fields:
        placed.append(TlvField(field, offset, size, OctetsType(size) if type_ is None else type_))
        offset += size
    return TlvLayout(name, number, offset, tuple(placed))


def tlv(layout_: TlvLayout, *values: ir.Expr | bytes) -> ir.TlvValue:
    return ir.TlvValue(layout_, tuple(zip(layout_.fields, values, strict=True)), SPAN)


def raw_tlv(size: int, number: int = 6, first: int = 1) -> ir.TlvValue:
    """A TLV of `size` bytes in all, its value counting up from `first`."""
    return tlv(layout("Raw", number, ("value", size - 2, None)), bytes((first + index) & 0xFF for index in range(size - 2)))


def append(value: ir.TlvValue, span: Span = SPAN) -> ir.AppendTlv:
    return ir.AppendTlv(value, span)


def new_srh(*path: ir.Expr, tlvs: tuple[ir.TlvValue, ...] = (), tag: int | ir.Expr = 0, flags: int = 0) -> ir.SrhValue:
    return ir.SrhValue(path, tlvs, const(tag, U16) if isinstance(tag, int) else tag, const(flags, U8), SPAN)


def function(name: str, *body: ir.Stmt, on_fault: int = DROP, span: Span = SPAN, packet: str = "pkt") -> ir.Function:
    """Without a list of its locals: only people read that."""
    return ir.Function(name, HOOK, packet, on_fault, body, (), f"The function {name}.", span)


def module(
    *functions: ir.Function,
    maps: tuple[ir.Map, ...] = (),
    variables: tuple[ir.Variable, ...] = (),
    sources: dict[str, str] | None = None,
) -> ir.Module:
    return ir.Module(functions, maps, variables, "GPL", sources or {FILE: SOURCE})


# ------------------------------------------------------------------------------------------- the catalogue's functions

TABLE = ir.Config("TABLE", U32, 254)
BLOB = layout("Blob", 6, ("flags", 1, U8), ("value", 5, None))
LONG_BLOB = layout("LongBlob", 6, ("flags", 1, U8), ("value", 17, None))


def end() -> ir.Module:
    return module(function("end", give()))


def end_t() -> ir.Module:
    return module(function("end_t", give(action(ir.Seg6Action.END_T, read(TABLE)))), variables=(TABLE,))


def tag_increment() -> ir.Module:
    return module(function("tag_increment", set_srh("tag", binary("+", srh("tag"), const(1, U16))), give()))


def add_tlv() -> ir.Module:
    return module(function("add_tlv", append(tlv(BLOB, const(0, U8), b"\1\2\3\4\5")), give()))


def add_tlv_20() -> ir.Module:
    return module(function("add_tlv_20", append(tlv(LONG_BLOB, const(0, U8), bytes(range(1, 18)))), give()))


CATALOGUE = {make.__name__: make for make in (end, end_t, tag_increment, add_tlv, add_tlv_20)}
TRUE = const(1, BOOL)
