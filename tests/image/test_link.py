"""Programs linked: which functions come along, and what calls, addresses and globals resolve to."""

from __future__ import annotations

import struct

import pytest

from pybpfnf.abi.forms import Insn, Kind
from pybpfnf.abi.text import format_insn
from pybpfnf.errors import InputError, ObjectError
from pybpfnf.image import read
from pybpfnf.image.model import ProgramImage
from pybpfnf.image.objfile import read_object
from tests.image.objects import ORIGINS, Origin, committed


def at_slots(program: ProgramImage) -> dict[int, Insn]:
    slots: dict[int, Insn] = {}
    position = 0
    for insn in program.insns:
        slots[position] = insn
        position += insn.slots
    return slots


def targets(program: ProgramImage, form: str) -> list[str]:
    """The names of the functions that instructions of this form lead to, in order."""
    starts = {function.slot: function.name for function in program.functions}
    signed = {slot: struct.unpack("<i", struct.pack("<I", insn.imm & 0xFFFFFFFF))[0] for slot, insn in at_slots(program).items()}
    return [starts[slot + 1 + signed[slot]] for slot, insn in at_slots(program).items() if insn.form.name == form]


@ORIGINS
def test_each_global_function_outside_text_is_a_program(origin: Origin) -> None:
    image = read(origin("programs"))
    assert [(program.name, program.section, program.type) for program in image.programs] == [
        ("first", "lwt_seg6local/pair", "lwt_seg6local"),
        ("second", "lwt_seg6local/pair", "lwt_seg6local"),
        ("looping", "lwt_xmit", "lwt_xmit"),
        ("untyped", "prog", None),
    ]
    assert image.license == "Dual MIT/GPL"


@ORIGINS
def test_a_program_is_followed_by_each_subprogram_it_reaches_once(origin: Origin) -> None:
    image = read(origin("programs"))
    reached = {program.name: [function.name for function in program.functions] for program in image.programs}
    assert reached == {
        "first": ["first", "middle", "leaf"],
        "second": ["second", "beside", "leaf"],
        "looping": ["looping", "add_index", "middle", "leaf"],
        "untyped": ["untyped"],
    }


@ORIGINS
def test_calls_through_a_section_symbol_within_a_section_and_between_subprograms_meet_their_function(origin: Origin) -> None:
    image = read(origin("programs"))
    assert targets(image.program("first"), "call_local") == ["middle", "leaf", "leaf"]
    assert targets(image.program("second"), "call_local") == ["beside", "beside", "leaf"]


@ORIGINS
def test_the_address_of_a_static_function_is_its_distance(origin: Origin) -> None:
    looping = read(origin("programs")).program("looping")
    assert targets(looping, "ld_func") == ["add_index"]
    (insn,) = [insn for insn in looping.insns if insn.form.name == "ld_func"]
    assert insn.src == 4


@ORIGINS
def test_slots_of_functions_are_where_their_instructions_are(origin: Origin) -> None:
    looping = read(origin("programs")).program("looping")
    for function in looping.functions[1:]:
        assert at_slots(looping)[function.slot - 1].form.kind is Kind.EXIT


@ORIGINS
def test_a_global_is_its_section_s_map_and_its_offset(origin: Origin) -> None:
    image = read(origin("data"))
    loads = {(insn.ref, insn.imm >> 32) for insn in image.program("uses").insns if insn.form.name == "ld_map_value"}
    for name in ("TABLE", "COLLECTOR", "UNSET", "total", "balance", "seen", "hidden_count", "uses.last"):
        variable = image.variables[name]
        assert (variable.map, variable.offset) in loads


@ORIGINS
def test_a_string_constant_is_an_offset_in_its_own_map(origin: Origin) -> None:
    image = read(origin("data"))
    strings = image.maps[".rodata.str1.1"].initial
    assert strings is not None
    offsets = [insn.imm >> 32 for insn in image.program("uses").insns if insn.ref == ".rodata.str1.1"]
    assert [strings[offset:].split(b"\0")[0] for offset in offsets] == [b"uses", b"length %d, table %d"]


@ORIGINS
def test_a_constant_array_without_symbol_is_reached_by_the_addend(origin: Origin) -> None:
    image = read(origin("data"))
    contents = image.maps[".rodata"].initial
    assert contents is not None
    known = {variable.offset for variable in image.variables.values() if variable.map == ".rodata"}
    offsets = {insn.imm >> 32 for insn in image.program("uses").insns if insn.ref == ".rodata"} - known
    assert [contents[offset:][:16] for offset in offsets] == [b"drop\0\0\0\0pass\0\0\0\0"]


@ORIGINS
def test_maps_are_named_by_the_instructions_that_load_them(origin: Origin) -> None:
    assert set(read(origin("maps")).program().map_names) >= {"typed", "private", "routes", "sized", "events", "shared"}


@ORIGINS
@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("core", "function 'portable' needs a CO-RE relocation (of task), which is not supported", "preserve_access_index"),
        ("pointers", "section '.data' holds addresses (of '.rodata.str1.1'), which are not supported", "char[N]"),
    ],
)
def test_what_only_a_running_kernel_could_resolve_is_named(origin: Origin, name: str, message: str, hint: str) -> None:
    with pytest.raises(ObjectError) as caught:
        read(origin(name))
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


@ORIGINS
def test_a_function_of_the_kernel_is_called_by_its_name(origin: Origin) -> None:
    program = read(origin("extern")).program()
    assert program.kfunc_names == ("bpf_kernel_function",)
    assert "call kfunc[bpf_kernel_function]" in map(format_insn, program.insns)


def test_what_is_defined_nowhere_and_no_function_of_the_kernel_is_named() -> None:
    with pytest.raises(ObjectError, match="'bpf_kernel_function' is not defined in the object") as caught:
        read(committed("extern").replace(b".ksyms", b".other"))
    assert ".ksyms" in (caught.value.hint or "")


@ORIGINS
def test_what_no_program_reaches_is_not_linked_and_may_lack_anything(origin: Origin) -> None:
    program = read(origin("refused_btf")).program()  # its unreached function calls a kernel function
    assert [function.name for function in program.functions] == ["program", "hidden"]


def test_a_type_that_is_given_stands_over_what_the_section_says() -> None:
    image = read(committed("programs"), types={"untyped": "lwt_in", "first": "lwt_out"})
    assert [program.type for program in image.programs] == ["lwt_out", "lwt_seg6local", "lwt_xmit", "lwt_in"]


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ({"nobody": "lwt_in"}, "no program 'nobody' in the object"),
        ({"untyped": "lwt_up"}, "no program type 'lwt_up'"),
    ],
)
def test_a_type_that_does_not_fit_is_named(types: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        read(committed("programs"), types=types)
    assert caught.value.message == message


def relocated(offset: int, type_: int | None = None) -> bytes:
    """programs.o with the first relocation of `first` moved to `offset`, or made one of another type."""
    data = bytearray(committed("programs"))
    obj = read_object(bytes(data))
    table = next(section for section in obj.sections if section.name == ".rellwt_seg6local/pair")
    start = bytes(data).index(table.data)
    struct.pack_into("<Q", data, start, offset)
    if type_ is not None:
        struct.pack_into("<I", data, start + 8, type_)
    return bytes(data)


def first_relocation() -> int:
    obj = read_object(committed("programs"))
    pair = obj.section("lwt_seg6local/pair")
    assert pair is not None
    return obj.relocations[pair.index][0].offset


def test_a_relocation_between_instructions_is_refused_not_skipped() -> None:
    with pytest.raises(ObjectError, match=r"function 'first': a relocation at byte 0xb, where no instruction starts"):
        read(relocated(first_relocation() + 3))


def test_a_relocation_of_another_type_is_refused() -> None:
    with pytest.raises(ObjectError, match=r"call_local with a relocation of type 2 to '.text'"):
        read(relocated(first_relocation(), 2))


def test_a_relocation_of_an_instruction_that_takes_none_is_refused() -> None:
    with pytest.raises(ObjectError, match=r"ldx32 with a relocation of type 10 to '.text'"):
        read(relocated(0))
