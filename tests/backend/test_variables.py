"""Config is set at load time and not compiled in; State is shared with the control plane while packets flow."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest

from pybpfnf import image
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import ADDRESS, BOOL, S8, S32, U8, U16, U32, U64, IntType, ValueType
from pybpfnf.image.model import Role
from tests.backend.build_ir import SPAN, assign, binary, compare, const, context, convert, function, give, local, module, read, when
from tests.backend.engine import PACKET, Engine, built

ADDRESS_BYTES = IPv6Address("fc00:4::1").packed


def test_each_variable_is_where_the_object_says_with_its_default() -> None:
    variables = (
        ir.Config("TABLE", U32, 254),
        ir.Config("NEEDED", ADDRESS, None),
        ir.Config("ZERO", U16, 0),
        ir.State("RATIO", S32, -5),
        ir.State("SEEN", BOOL, 0),
        ir.State("EXIT", ADDRESS, ADDRESS_BYTES),
    )
    found = built(module(function("f", give()), variables=variables)).variables
    assert {name: (each.role, str(each.type), each.map, each.size, each.required, each.default) for name, each in found.items()} == {
        "TABLE": (Role.CONFIG, "u32", ".rodata", 4, False, b"\xfe\0\0\0"),
        "NEEDED": (Role.CONFIG, "IPv6Address", ".rodata", 16, True, bytes(16)),
        "ZERO": (Role.CONFIG, "u16", ".rodata", 2, False, bytes(2)),
        "RATIO": (Role.STATE, "s32", ".data", 4, False, b"\xfb\xff\xff\xff"),
        "SEEN": (Role.STATE, "bool", ".bss", 1, False, b"\0"),
        "EXIT": (Role.STATE, "IPv6Address", ".data", 16, False, ADDRESS_BYTES),
    }


def test_config_is_read_at_run_time_though_it_has_a_default() -> None:
    table, out = ir.Config("TABLE", U32, 254), ir.State("OUT", U32, 0)
    read_it = built(module(function("f", ir.SetState(out, read(table), SPAN), give()), variables=(table, out)))
    configured = image.configure(read_it, {"TABLE": 77})
    with Engine(configured) as engine:
        engine.run()
        assert engine.get("OUT") == 77


def test_config_that_is_read_twice_is_loaded_once() -> None:
    table, out = ir.Config("TABLE", U32, 254), ir.State("OUT", U32, 0)
    body = ir.SetState(out, binary("^", binary("*", read(table), read(table)), read(table)), SPAN)
    program = built(module(function("f", body, give()), variables=(table, out))).program()
    assert sum(insn.ref == ".rodata" for insn in program.insns) == 1


def test_state_that_is_read_twice_is_loaded_twice() -> None:
    state, out = ir.State("RATIO", U32, 1), ir.State("OUT", U32, 0)
    body = ir.SetState(out, binary("^", read(state), read(state)), SPAN)
    program = built(module(function("f", body, give()), variables=(state, out))).program()
    assert sum(insn.form.kind.value == "load" for insn in program.insns) == 2


@pytest.mark.parametrize(("type_", "atomic"), [(U8, False), (U16, False), (U32, True), (U64, True)], ids=str)
def test_an_update_of_state_is_one_atomic_instruction_where_there_is_one(type_: IntType, atomic: bool) -> None:
    state = ir.State("COUNT", type_, 3)
    with Engine(module(function("f", ir.UpdateState(state, ir.BinaryOp.SUB, const(5, type_), SPAN), give()), variables=(state,))) as engine:
        engine.run()
        assert engine.get("COUNT") == type_.reduce(-2)
        assert any(insn.form.kind.value == "atomic" for insn in engine.image.program().insns) == atomic


def test_an_update_that_no_instruction_does_atomically_reads_and_writes() -> None:
    state = ir.State("COUNT", S32, -7)
    with Engine(
        module(function("f", ir.UpdateState(state, ir.BinaryOp.FLOORDIV, const(2, S32), SPAN), give()), variables=(state,))
    ) as engine:
        engine.run()
        assert engine.get("COUNT") == -4


@pytest.mark.parametrize(("type_", "value"), [(BOOL, 1), (S8, -100), (U64, 1 << 63), (ADDRESS, ADDRESS_BYTES)], ids=str)
def test_state_keeps_a_value_of_each_type(type_: ValueType, value: int | bytes) -> None:
    source, target = ir.State("SOURCE", type_, value), ir.State("TARGET", type_, bytes(16) if isinstance(value, bytes) else 0)
    with Engine(module(function("f", ir.SetState(target, read(source), SPAN), give()), variables=(source, target))) as engine:
        engine.run()
        assert engine.get("TARGET") == value


def test_a_local_keeps_what_state_was() -> None:
    state, out, before = ir.State("COUNT", U32, 5), ir.State("OUT", U32, 0), local("before", U32)
    body = (assign(before, read(state)), ir.SetState(state, const(9, U32), SPAN), ir.SetState(out, read(before), SPAN))
    with Engine(module(function("f", *body, give()), variables=(state, out))) as engine:
        engine.run()
        assert (engine.get("COUNT"), engine.get("OUT")) == (9, 5)


def test_the_contexts_fields_are_read_and_written_whole() -> None:
    """Narrower or joined accesses are refused by the verifier."""
    mark = context("mark").field
    masked = binary("|", binary("&", context("mark"), const(0xFFFFFF00, U32)), const(0x42, U32))
    low = ir.State("LOW", U8, 0)
    body = (ir.SetContext(mark, masked, SPAN), ir.SetState(low, convert(context("protocol"), U8), SPAN))
    with Engine(module(function("f", *body, give()), variables=(low,))) as engine:
        assert engine.run().mark == 0x42
        assert engine.get("LOW") == 0xDD  # of the EtherType of IPv6
        accesses = [insn for insn in engine.image.program().insns if insn.off in (mark.offset, context("protocol").field.offset)]
        assert {insn.form.width for insn in accesses if insn.form.kind.value in ("load", "store_reg")} <= {32}


def test_one_of_two_fields_of_the_context_is_chosen_by_value_not_by_pointer() -> None:
    """LLVM likes to choose the address and then to load: `dereference of modified ctx ptr`."""
    flag, out = ir.State("FLAG", BOOL, 0), ir.State("OUT", U32, 0)
    body = (
        ir.SetState(out, ir.Conditional(read(flag), context("len"), context("protocol"), U32, SPAN), SPAN),
        when(compare("==", context("mark"), const(0, U32)), (ir.UpdateState(out, ir.BinaryOp.ADD, context("hash"), SPAN),)),
    )
    with Engine(module(function("f", *body, give()), variables=(flag, out))) as engine:
        outcome = engine.run()
        assert outcome.fault is None
        assert engine.get("OUT") == 0x86DD


def test_a_field_of_the_context_and_a_variable_on_two_branches_stay_two_accesses() -> None:
    """LLVM likes to choose the address and then to access: `same insn cannot be used with different pointers`."""
    flag, out = ir.State("FLAG", BOOL, 0), ir.State("OUT", U32, 9)
    mark = context("mark").field
    chosen = ir.Conditional(read(flag), context("len"), read(out), U32, SPAN)
    store = ir.If(read(flag), (ir.SetContext(mark, const(5, U32), SPAN),), (ir.SetState(out, const(5, U32), SPAN),), SPAN)
    body = (ir.SetState(out, binary("+", chosen, const(1, U32)), SPAN), store)
    with Engine(module(function("f", *body, give()), variables=(flag, out))) as engine:
        engine.set(FLAG=1)
        assert engine.run().mark == 5
        assert engine.get("OUT") == len(PACKET) + 1
        engine.set(FLAG=0)
        assert engine.run().mark == 0
        assert engine.get("OUT") == 5
