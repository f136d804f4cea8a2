"""Bytes to instructions and back: each form, each reserved field."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybpfnf.abi.codec import DecodeError, decode, encode, make
from pybpfnf.abi.forms import FORMS, Form, Insn, Kind
from pybpfnf.abi.text import format_insn, parse
from tests.abi.operands import insns, samples

GOLDEN = Path(__file__).parent / "data" / "forms.test"
HEADER = "# form | bytes | text; written by --update-data, checked against llvm-objdump and the kernel's own disassembler\n"


def golden_table() -> str:
    rows = [(form.name, encode([insn]).hex(" ", 8), format_insn(insn)) for form in FORMS.values() for insn in samples(form)]
    return HEADER + "".join(f"{name:20} | {code:35} | {text}\n" for name, code, text in rows)


def golden_rows() -> list[tuple[str, bytes, str]]:
    rows = [line.split("|", 2) for line in GOLDEN.read_text().splitlines() if not line.startswith("#")]
    return [(name.strip(), bytes.fromhex(code), text.strip()) for name, code, text in rows]


def test_the_golden_table_is_what_the_forms_give(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-data"):
        GOLDEN.write_text(golden_table())
    assert GOLDEN.read_text() == golden_table()


@pytest.mark.parametrize(("name", "code", "text"), golden_rows(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_golden_row_reads_the_same_from_its_bytes_and_from_its_text(name: str, code: bytes, text: str) -> None:
    (insn,) = decode(code)
    assert insn.form.name == name
    assert parse(text) == (insn,)
    assert encode([insn]) == code


@given(st.lists(insns(), max_size=20))
def test_what_is_encoded_decodes_to_itself(program: list[Insn]) -> None:
    assert decode(encode(program)) == tuple(program)


@given(st.binary(max_size=64))
def test_bytes_either_decode_to_instructions_that_encode_to_them_or_are_refused(code: bytes) -> None:
    try:
        program = decode(code)
    except DecodeError:
        return
    assert encode(program) == code


def raw(opcode: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> bytes:
    return struct.pack("<BBhi", opcode, dst | src << 4, off, imm)


OTHER_FORMS = {field: {(form.opcode, getattr(form, field)) for form in FORMS.values()} for field in ("dst", "src", "off", "imm")}


def reserved_fields() -> list[tuple[Form, str, int]]:
    """Each form with each field that it fixes, and a value there that no form of that opcode has."""
    found = []
    for form in FORMS.values():
        for field in ("dst", "src", "off", "imm"):
            wrong = next(value for value in (9, 8, 7, 5) if (form.opcode, value) not in OTHER_FORMS[field])
            open_elsewhere = (form.opcode, None) in OTHER_FORMS[field]
            if getattr(form, field) is not None and not open_elsewhere:
                found.append((form, field, wrong))
    return found


@pytest.mark.parametrize(("form", "field", "wrong"), reserved_fields(), ids=lambda value: getattr(value, "name", str(value)))
def test_a_reserved_field_is_refused_by_its_name(form: Form, field: str, wrong: int) -> None:
    fields = {name: getattr(form, name) or 0 for name in ("dst", "src", "off", "imm")} | {field: wrong}
    code = raw(form.opcode, **fields) + (bytes(8) if form.slots == 2 else b"")
    with pytest.raises(DecodeError, match=f"reserved value {wrong} in {field}"):
        decode(code)


def test_a_kernel_function_call_may_have_an_offset_but_a_helper_call_may_not() -> None:
    assert decode(raw(0x85, src=2, off=3, imm=7)) == (make("call_kfunc", off=3, imm=7),)
    with pytest.raises(DecodeError, match="reserved combination"):
        decode(raw(0x85, src=0, off=3, imm=7))


@pytest.mark.parametrize("name", ["add64_reg", "ldx8", "stx8", "jeq64_reg"])
def test_registers_past_r10_are_refused(name: str) -> None:
    for field in ("dst", "src"):
        with pytest.raises(DecodeError, match=r"there is no register r11"):
            decode(raw(FORMS[name].opcode, **{field: 11}))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (b"\x95", "1 bytes are not whole 8-byte instructions"),
        (raw(0xFF), "unknown opcode 0xff"),
        (raw(0x18), "without its second half"),
        (raw(0x18) + raw(0x95), "second half of a 64-bit immediate load has reserved fields set"),
        (raw(0x18, src=1) + raw(0, imm=5), "ld_map: reserved value 5 in the second half's imm"),
        (raw(0x18, src=7) + raw(0), "reserved value 7 in src"),
    ],
)  # fmt: skip
def test_a_broken_encoding_is_refused_with_its_reason(code: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=re.escape(reason)):
        decode(code)


def test_the_error_counts_slots_not_instructions() -> None:
    code = encode([make("lddw", 1, imm=1 << 40), make("exit")]) + raw(0xFF)
    with pytest.raises(DecodeError) as caught:
        decode(code)
    assert caught.value.slot == 3


def test_a_maps_file_descriptor_replaces_the_low_half_only() -> None:
    insn = make("ld_map_value", 1, imm=8 << 32, ref=".data")
    assert encode([insn], {".data": 5}) == raw(0x18, dst=1, src=2, imm=5) + raw(0, imm=8)


def test_no_two_forms_share_an_encoding() -> None:
    for form in FORMS.values():
        for insn in samples(form):
            assert decode(encode([insn]))[0].form is form


def test_each_kind_has_a_form() -> None:
    assert {form.kind for form in FORMS.values()} == set(Kind)
