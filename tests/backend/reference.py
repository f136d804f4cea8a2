"""What the IR means, in Python: an evaluator of its docstrings, to hold compiled programs against."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pybpfnf.diagnostics import Span
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import BoolType, IntType
from pybpfnf.testing.packets import padding

Value = int | bytes | None

_OPERATORS: dict[ir.BinaryOp, Callable[[int, int], int]] = {
    ir.BinaryOp.ADD: operator.add,
    ir.BinaryOp.SUB: operator.sub,
    ir.BinaryOp.MUL: operator.mul,
    ir.BinaryOp.AND: operator.and_,
    ir.BinaryOp.OR: operator.or_,
    ir.BinaryOp.XOR: operator.xor,
    ir.BinaryOp.FLOORDIV: operator.floordiv,
    ir.BinaryOp.MOD: operator.mod,
    ir.BinaryOp.LSHIFT: lambda left, right: left << min(right, 64),
    ir.BinaryOp.RSHIFT: operator.rshift,
    ir.BinaryOp.MIN: min,
    ir.BinaryOp.MAX: max,
}
_UNARY: dict[ir.UnaryOp, Callable[[int], int]] = {
    ir.UnaryOp.NEG: operator.neg,
    ir.UnaryOp.INVERT: operator.invert,
    ir.UnaryOp.ABS: operator.abs,
}
_COMPARISONS: dict[ir.CompareOp, Callable[[int, int], bool]] = {
    ir.CompareOp.EQ: operator.eq,
    ir.CompareOp.NE: operator.ne,
    ir.CompareOp.LT: operator.lt,
    ir.CompareOp.LE: operator.le,
    ir.CompareOp.GT: operator.gt,
    ir.CompareOp.GE: operator.ge,
}


def split(area: bytes) -> list[bytes]:
    tlvs = []
    while area:
        tlvs.append(area[: 2 + area[1]])
        area = area[2 + area[1] :]
    return tlvs


def appended(area: bytes, new: bytes) -> bytes:
    """A TLV area after a TLV was appended: before trailing padding and HMAC, padded to a multiple of 8."""
    tlvs = split(area)
    kinds = [each[0] for each in tlvs]
    hmac = kinds.index(5) if 5 in kinds else len(tlvs)
    place = hmac
    while place > 0 and kinds[place - 1] == 4:
        place -= 1
    before, after = b"".join(tlvs[:place]) + new, b"".join(tlvs[hmac:])
    return before + padding(len(before) + len(after)) + after


class Fault(Exception):  # noqa: N818 (it is the guest's, no error of ours)
    def __init__(self, span: Span, message: str) -> None:
        super().__init__(message)
        self.place = (span.line, span.column)
        self.message = message


class Returned(Exception):  # noqa: N818
    def __init__(self, verdict: int) -> None:
        self.verdict = verdict


@dataclass
class World:
    """Everything that a function reads and changes. `fields` are (header, field) of the packet, `area` its SRH's TLVs."""

    variables: dict[str, Value]
    maps: dict[str, dict[int, int]]
    fields: dict[tuple[str, str], Value]
    context: dict[str, int]
    area: bytes = b""
    locals: dict[ir.Local, Value] = field(default_factory=dict)

    def run(self, function: ir.Function) -> tuple[int, Fault | None]:
        """The verdict, and the fault exit that was taken."""
        try:
            self._body(function.body)
        except Returned as end:
            return end.verdict, None
        except Fault as fault:
            return function.on_fault, fault
        raise AssertionError("no return")

    # -------------------------------------------------------------------------------------------------- statements

    def _body(self, body: Iterable[ir.Stmt]) -> None:
        for statement in body:
            self._statement(statement)

    def _statement(self, node: ir.Stmt) -> None:
        match node:
            case ir.Assign():
                self.locals[node.local] = self.value(node.value)
            case ir.SetState():
                self.variables[node.state.name] = self.value(node.value)
            case ir.UpdateState():
                old = self.variables[node.state.name]
                self.variables[node.state.name] = self._combine(node.op, node.state.type, old, self.value(node.value), node.span)
            case ir.SetHeader():
                self.fields[node.header.name, node.field.name] = self.value(node.value)
            case ir.SetMap():
                value = self._int(node.value)
                self._store(node.map, self._int(node.key), value, node.span)
            case ir.UpdateMap():
                self._update(node)
            case ir.AppendTlv():
                self._append(node.tlv)
            case ir.If():
                self._body(node.then if self.value(node.test) else node.orelse)
            case ir.Assert():
                if not self.value(node.test):
                    raise Fault(node.span, node.message)
            case ir.Return():
                raise Returned(self._int(node.value))
            case _:
                raise NotImplementedError(node)

    def _append(self, tlv: ir.TlvValue) -> None:
        ((_, raw),) = tlv.values
        assert isinstance(raw, bytes)
        area = appended(self.area, bytes((tlv.layout.number, tlv.layout.size - 2)) + raw)
        payload_length = self.fields["ipv6", "payload_length"]
        assert isinstance(payload_length, int)
        self.fields["ipv6", "payload_length"] = payload_length + len(area) - len(self.area)
        self.area = area

    def _update(self, node: ir.UpdateMap) -> None:
        entries, key = self.maps[node.map.name], self._int(node.key)
        if node.map.kind != "hash" and key not in entries:
            raise Fault(node.span, "index out of range")
        value = self.value(node.value)
        default = node.map.default
        if key not in entries:
            assert isinstance(default, int)
            if len(entries) >= node.map.max_entries:
                raise Fault(node.span, "the map is full")
            entries[key] = default
        entries[key] = self._combine(node.op, node.map.value, entries[key], value, node.span)

    def _store(self, map_: ir.Map, key: int, value: int, span: Span) -> None:
        entries = self.maps[map_.name]
        if map_.kind != "hash" and key not in entries:
            raise Fault(span, "index out of range")
        if key not in entries and len(entries) >= map_.max_entries:
            raise Fault(span, "the map is full")
        entries[key] = value

    # ------------------------------------------------------------------------------------------------- expressions

    def _int(self, node: ir.Expr) -> int:
        value = self.value(node)
        assert isinstance(value, int)
        return value

    def value(self, node: ir.Expr) -> Value:
        match node:
            case ir.Const():
                return node.value
            case ir.LocalRead():
                return self.locals[node.local]
            case ir.VariableRead():
                return self.variables[node.variable.name]
            case ir.HeaderRead():
                return self.fields[node.header.name, node.field.name]
            case ir.ContextRead():
                return self.context[node.field.name]
            case ir.Convert():
                assert isinstance(node.type, IntType)
                return node.type.reduce(self._int(node.operand))
            case ir.Binary():
                return self._combine(node.op, node.type, self.value(node.left), self.value(node.right), node.span)
            case ir.Unary():
                operand = self._int(node.operand)
                return node.type.reduce(_UNARY[node.op](operand))
            case ir.Compare():
                left, right = self.value(node.left), self.value(node.right)
                assert isinstance(left, int)
                assert isinstance(right, int)
                return _COMPARISONS[node.op](left, right)
            case ir.Logical():
                left = self.value(node.left)
                return self.value(node.right) if bool(left) == (node.op is ir.LogicalOp.AND) else left
            case ir.Not():
                return not self.value(node.operand)
            case ir.Let():
                self.locals[node.local] = self.value(node.value)
                return self.value(node.body)
            case ir.Conditional():
                return self.value(node.then if self.value(node.test) else node.orelse)
            case ir.MapRead():
                return self._read(node)
            case ir.MapGet():
                return self.maps[node.map.name].get(self._int(node.key))
            case ir.MapContains():
                return self._int(node.key) in self.maps[node.map.name]
            case ir.IsNone():
                return self.value(node.operand) is None
            case ir.Unwrap():
                return self.value(node.operand)
        raise NotImplementedError(node)

    def _read(self, node: ir.MapRead) -> Value:
        entries, key = self.maps[node.map.name], self._int(node.key)
        if key in entries:
            return entries[key]
        if node.map.default is not None:
            return node.map.default
        raise Fault(node.span, "no such key" if node.map.kind == "hash" else "index out of range")

    def _combine(self, op: ir.BinaryOp, type_: object, left: Value, right: Value, span: Span) -> int:
        assert isinstance(type_, IntType)
        assert isinstance(left, int)
        assert isinstance(right, int)
        if op in (ir.BinaryOp.FLOORDIV, ir.BinaryOp.MOD) and right == 0:
            raise Fault(span, "division by zero")
        if op in (ir.BinaryOp.LSHIFT, ir.BinaryOp.RSHIFT) and right < 0:
            raise Fault(span, "negative shift count")
        return type_.reduce(_OPERATORS[op](left, right))


def shown(type_: object, value: Value) -> Value:
    """A value as an object's bytes give it back: bools as numbers."""
    return int(bool(value)) if isinstance(type_, BoolType) else value
