"""Random functions that are right by construction: typed, their locals assigned before they are read, every path returning."""

from __future__ import annotations

from itertools import count
from random import Random

from pybpfnf.diagnostics import Span
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import BOOL, INT_TYPES, U8, U16, U32, U64, VERDICT, BoolType, IntType, OptionalType
from tests.backend.build_ir import FILE, HOOK, IPV6, SRH, raw_tlv

INTEGERS = tuple(INT_TYPES.values())
STATES = (*(ir.State(f"S_{type_}", type_, 3) for type_ in INTEGERS), ir.State("S_bool", BOOL, 1))
CONFIGS = (ir.Config("C_u32", U32, 77), ir.Config("C_s8", INT_TYPES["s8"], -3), ir.Config("C_bool", BOOL, 1))
ARRAY = ir.Map("array", "array", U32, U64, 4)
PER_CPU = ir.Map("per_cpu", "percpu_array", U32, INT_TYPES["s16"], 3)
HASH = ir.Map("hash", "hash", U16, U32, 3, default=5)
STRICT = ir.Map("strict", "hash", U8, INT_TYPES["s64"], 3)
MAPS = (ARRAY, PER_CPU, HASH, STRICT)
READABLE = {
    U8: (("ipv6", "hop_limit"), ("ipv6", "next_header"), ("srh", "segments_left"), ("srh", "flags"), ("srh", "last_entry")),
    U16: (("ipv6", "payload_length"), ("srh", "tag")),
    U32: (("ipv6", "flow_label"),),
}
_HEADERS = {"ipv6": IPV6, "srh": SRH}


class Generator:
    """One function from one seed. Every node has a place of its own, so that faults can be told apart."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.places = count(1)
        self.numbers = count()
        self.locals: list[ir.Local] = []
        self.appended = False

    def span(self) -> Span:
        number = next(self.places)
        return Span(FILE, number // 200 + 1, number % 200 + 1, number // 200 + 1, number % 200 + 2)

    def function(self) -> ir.Function:
        body = (*self.body(depth=3, length=self.random.randint(2, 7)), self.ret())
        return ir.Function("random", HOOK, "pkt", 2, body, (), "", self.span())

    def body(self, depth: int, length: int) -> tuple[ir.Stmt, ...]:
        known = list(self.locals)
        statements = tuple(self.statement(depth) for _ in range(length))
        if depth < 3:
            self.locals = known  # what only this arm has assigned is not readable after it
        return statements

    def ret(self) -> ir.Return:
        return ir.Return(ir.Const(self.random.choice((0, 2)), VERDICT, self.span()), self.span())

    # -------------------------------------------------------------------------------------------------- statements

    def statement(self, depth: int) -> ir.Stmt:
        if self.random.random() < 0.1 and not self.appended:
            return self.append()
        if depth > 1 and self.random.random() < 0.33:
            return self.branch(depth)
        simple = (
            self.assign,
            self.set_state,
            self.set_state,
            self.update_state,
            self.set_map,
            self.update_map,
            self.set_header,
            self.check,
        )
        return self.random.choice(simple)()

    def assign(self) -> ir.Stmt:
        types: tuple[IntType | BoolType, ...] = (*INTEGERS, BOOL)
        type_ = self.random.choice(types)
        existing = [local for local in self.locals if local.type == type_]
        value = self.expression(type_, 3)
        if existing and self.random.random() < 0.5:
            return ir.Assign(self.random.choice(existing), value, self.span())
        local = ir.Local(f"l{len(self.locals)}", next(self.numbers), type_)
        self.locals.append(local)
        return ir.Assign(local, value, self.span())

    def set_state(self) -> ir.Stmt:
        state = self.random.choice(STATES)
        return ir.SetState(state, self.expression(state.type, 3), self.span())

    def update_state(self) -> ir.Stmt:
        state = self.random.choice(STATES[:-1])
        assert isinstance(state.type, IntType)
        op = self.random.choice(list(ir.BinaryOp))
        return ir.UpdateState(state, op, self.expression(state.type, 2), self.span())

    def set_map(self) -> ir.Stmt:
        map_ = self.random.choice(MAPS)
        return ir.SetMap(map_, self.key(map_), self.expression(map_.value, 2), self.span())

    def update_map(self) -> ir.Stmt:
        map_ = self.random.choice((ARRAY, PER_CPU, HASH))
        assert isinstance(map_.value, IntType)
        atomic = (ir.BinaryOp.ADD, ir.BinaryOp.SUB, ir.BinaryOp.AND, ir.BinaryOp.OR, ir.BinaryOp.XOR)
        op = self.random.choice(list(ir.BinaryOp) if map_ is PER_CPU else atomic)
        return ir.UpdateMap(map_, self.key(map_), op, self.expression(map_.value, 2), self.span())

    def key(self, map_: ir.Map) -> ir.Expr:
        assert isinstance(map_.key, IntType)
        if self.random.random() < 0.4:
            return ir.Const(self.random.randrange(map_.max_entries + 1), map_.key, self.span())
        mask = ir.Const(self.random.choice((1, 3, 7)), map_.key, self.span())
        return ir.Binary(ir.BinaryOp.AND, self.expression(map_.key, 2), mask, map_.key, self.span())

    def set_header(self) -> ir.Stmt:
        name, type_ = self.random.choice((("tag", U16), ("flags", U8)))
        value = self.expression(type_, 2)
        if name == "flags":  # the H flag asks for an HMAC
            value = ir.Binary(ir.BinaryOp.AND, value, ir.Const(0x20, U8, self.span()), U8, self.span())
        return ir.SetHeader(SRH, SRH.fields[name], value, self.span())

    def append(self) -> ir.Stmt:
        self.appended = True
        return ir.AppendTlv(raw_tlv(self.random.choice((2, 8, 15))), self.span())

    def check(self) -> ir.Stmt:
        comparison = self.expression(BOOL, 2)
        return ir.Assert(ir.Logical(ir.LogicalOp.OR, comparison, self.expression(BOOL, 1), self.span()), "assertion", self.span())

    def branch(self, depth: int) -> ir.Stmt:
        test = self.expression(BOOL, 3)
        appended = self.appended
        arms = []
        for _ in range(2):
            self.appended = appended
            arm = self.body(depth - 1, self.random.randint(0, 3))
            arms.append((*arm, self.ret()) if self.random.random() < 0.15 else arm)
        self.appended = True  # perhaps: then no more
        return ir.If(test, arms[0], arms[1], self.span())

    # ------------------------------------------------------------------------------------------------- expressions

    def expression(self, type_: object, depth: int) -> ir.Expr:
        if isinstance(type_, BoolType):
            return self.truth(depth)
        assert isinstance(type_, IntType)
        if depth == 0 or self.random.random() < 0.2:
            return self.leaf(type_)
        kind = self.random.randrange(10)
        if kind < 5:
            return self.binary(type_, depth)
        if kind == 5:
            return ir.Unary(self.random.choice(list(ir.UnaryOp)), self.expression(type_, depth - 1), type_, self.span())
        if kind == 6:
            return ir.Convert(self.expression(self.random.choice((*INTEGERS, BOOL)), depth - 1), type_, self.span())
        if kind == 7:
            arms = self.expression(type_, depth - 1), self.expression(type_, depth - 1)
            return ir.Conditional(self.truth(depth - 1), *arms, type_, self.span())
        if kind == 8:
            local = ir.Local("let", next(self.numbers), type_)
            value = self.expression(type_, depth - 1)
            self.locals.append(local)
            body = self.expression(type_, depth - 1)
            self.locals.remove(local)
            return ir.Let(local, value, body, type_, self.span())
        return self.looked_up(type_, depth)

    def binary(self, type_: IntType, depth: int) -> ir.Expr:
        op = self.random.choice(list(ir.BinaryOp))
        left = self.expression(type_, depth - 1)
        if op in (ir.BinaryOp.LSHIFT, ir.BinaryOp.RSHIFT):
            if self.random.random() < 0.5:
                amount: ir.Expr = ir.Const(self.random.randrange(70), INT_TYPES["s64"], self.span())
            else:
                amount = self.expression(self.random.choice(INTEGERS), depth - 1)
            return ir.Binary(op, left, amount, type_, self.span())
        return ir.Binary(op, left, self.expression(type_, depth - 1), type_, self.span())

    def looked_up(self, type_: IntType, depth: int) -> ir.Expr:
        map_ = self.random.choice(MAPS)
        assert isinstance(map_.value, IntType)
        optional = OptionalType(map_.value)
        if self.random.random() < 0.5:
            read: ir.Expr = ir.MapRead(map_, self.key(map_), map_.value, self.span())
        else:
            local = ir.Local("found", next(self.numbers), optional)
            found = ir.LocalRead(local, optional, self.span())
            chosen = ir.Conditional(
                ir.IsNone(found, self.span()),
                self.expression(map_.value, depth - 1),
                ir.Unwrap(found, map_.value, self.span()),
                map_.value,
                self.span(),
            )
            read = ir.Let(local, ir.MapGet(map_, self.key(map_), optional, self.span()), chosen, map_.value, self.span())
        return read if map_.value == type_ else ir.Convert(read, type_, self.span())

    def leaf(self, type_: IntType) -> ir.Expr:
        locals_ = [local for local in self.locals if local.type == type_]
        choice = self.random.random()
        if locals_ and choice < 0.4:
            local = self.random.choice(locals_)
            return ir.LocalRead(local, type_, self.span())
        if type_ in READABLE and choice < 0.6:
            header, name = self.random.choice(READABLE[type_])
            return ir.HeaderRead(_HEADERS[header], _HEADERS[header].fields[name], type_, self.span())
        if type_ == U32 and choice < 0.65:
            return ir.ContextRead(HOOK.context.fields[self.random.choice(("protocol", "mark"))], U32, self.span())
        if choice < 0.8:
            everything: tuple[ir.Variable, ...] = (*STATES, *CONFIGS)
            variables = [variable for variable in everything if variable.type == type_]
            return ir.VariableRead(self.random.choice(variables), type_, self.span())
        value = self.random.choice((0, 1, 2, 7, 255, type_.minimum, type_.maximum, self.random.getrandbits(type_.width)))
        return ir.Const(type_.reduce(value), type_, self.span())

    def truth(self, depth: int) -> ir.Expr:
        if depth == 0:
            locals_ = [local for local in self.locals if local.type == BOOL]
            if locals_ and self.random.random() < 0.5:
                return ir.LocalRead(self.random.choice(locals_), BOOL, self.span())
            return ir.VariableRead(self.random.choice((STATES[-1], CONFIGS[-1])), BOOL, self.span())
        kind = self.random.randrange(7)
        if kind < 3:
            type_ = self.random.choice(INTEGERS)
            operands = self.expression(type_, depth - 1), self.expression(type_, depth - 1)
            return ir.Compare(self.random.choice(list(ir.CompareOp)), *operands, self.span())
        if kind < 5:
            return ir.Logical(self.random.choice(list(ir.LogicalOp)), self.truth(depth - 1), self.truth(depth - 1), self.span())
        if kind == 5:
            return ir.Not(self.truth(depth - 1), self.span())
        map_ = self.random.choice(MAPS)
        return ir.MapContains(map_, self.key(map_), self.span())


def random_module(seed: int) -> ir.Module:
    source = "".join(f"line {number}\n" for number in range(1, 40))
    return ir.Module((Generator(seed).function(),), MAPS, (*STATES, *CONFIGS), "GPL", {FILE: source})
