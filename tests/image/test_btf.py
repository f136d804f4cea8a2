"""BTF: decoded, completed for the kernel, and its records moved along with what was linked."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybpfnf.errors import ObjectError
from pybpfnf.image import read
from pybpfnf.image.btf import HEADER, MAGIC, Btf, Kind, decode_btf
from pybpfnf.image.btfext import BtfExt, decode_btf_ext
from pybpfnf.image.model import LineRecord
from pybpfnf.image.objfile import read_object
from tests.image.objects import ORIGINS, Origin, committed

NO_BTF = decode_btf(HEADER.pack(MAGIC, 1, 0, HEADER.size, 0, 0, 0, 1) + b"\0")


def raw_btf(types: bytes, strings: bytes = b"\0") -> bytes:
    return HEADER.pack(MAGIC, 1, 0, HEADER.size, 0, len(types), len(types), len(strings)) + types + strings


def record(kind: int, name: int, value: int, trailer: bytes = b"", vlen: int = 0) -> bytes:
    return struct.pack("<III", name, kind << 24 | vlen, value) + trailer


# One of each kind, in order, so that type N is of kind N (include/uapi/linux/btf.h).
EVERY_KIND = raw_btf(
    record(Kind.INT, 1, 4, struct.pack("<I", 32))
    + record(Kind.PTR, 0, 1)
    + record(Kind.ARRAY, 0, 0, struct.pack("<III", 1, 1, 3))
    + record(Kind.STRUCT, 1, 16, struct.pack("<6I", 1, 1, 0, 1, 3, 32), vlen=2)
    + record(Kind.UNION, 1, 4, struct.pack("<3I", 1, 1, 0), vlen=1)
    + record(Kind.ENUM, 1, 4, struct.pack("<2I", 1, 0), vlen=1)
    + record(Kind.FWD, 1, 0)
    + record(Kind.TYPEDEF, 1, 9)
    + record(Kind.VOLATILE, 0, 10)
    + record(Kind.CONST, 0, 1)
    + record(Kind.RESTRICT, 0, 2)
    + record(Kind.FUNC, 1, 13, vlen=1)
    + record(Kind.FUNC_PROTO, 0, 1, struct.pack("<2I", 1, 1), vlen=1)
    + record(Kind.VAR, 1, 1, struct.pack("<I", 1))
    + record(Kind.DATASEC, 1, 4, struct.pack("<3I", 14, 0, 4), vlen=1)
    + record(Kind.FLOAT, 1, 8)
    + record(Kind.DECL_TAG, 1, 4, struct.pack("<i", -1))
    + record(Kind.TYPE_TAG, 1, 1)
    + record(Kind.ENUM64, 1, 8, struct.pack("<3I", 1, 0, 0), vlen=1),
    b"\0name\0",
)


def test_every_kind_up_to_enum64_is_decoded() -> None:
    assert [found.kind for found in decode_btf(EVERY_KIND).types] == list(Kind)


@pytest.mark.parametrize(
    ("number", "size"),
    [(1, 4), (2, 8), (3, 12), (4, 16), (5, 4), (6, 4), (8, 4), (11, 8), (16, 8), (18, 4), (19, 8)],
)
def test_the_size_of_a_type_is_what_a_value_takes(number: int, size: int) -> None:
    assert decode_btf(EVERY_KIND).size_of(number) == size


@pytest.mark.parametrize("number", [0, 7, 12, 13, 14])
def test_a_type_without_size_is_an_object_error(number: int) -> None:
    with pytest.raises(ObjectError, match="has no usable size"):
        decode_btf(EVERY_KIND).size_of(number)


def test_a_typedef_of_itself_ends_in_an_object_error() -> None:
    btf = decode_btf(raw_btf(record(Kind.TYPEDEF, 1, 1), b"\0name\0"))
    with pytest.raises(ObjectError, match="type 1 refers to itself"):
        btf.size_of(1)


def test_an_array_of_itself_ends_in_an_object_error() -> None:
    btf = decode_btf(raw_btf(record(Kind.ARRAY, 0, 0, struct.pack("<III", 1, 1, 2))))
    with pytest.raises(ObjectError, match="type 1 refers to itself"):
        btf.size_of(1)


def test_a_kind_that_is_not_known_is_named() -> None:
    with pytest.raises(ObjectError, match=r"type 1 is of kind 20, which is not known"):
        decode_btf(raw_btf(record(20, 0, 0)))


@given(st.integers(0, len(EVERY_KIND) - 1))
@settings(max_examples=50)
def test_truncated_btf_is_an_object_error(length: int) -> None:
    with pytest.raises(ObjectError, match=r"section \.BTF"):
        decode_btf(EVERY_KIND[:length])


def test_records_of_btf_ext_longer_than_known_are_read_by_their_known_part() -> None:
    """The header says how long records are, so that later compilers may add to them."""
    functions = struct.pack("<I", 12) + struct.pack("<II", 0, 1) + struct.pack("<III", 8, 5, 99)
    data = struct.pack("<HBBI", MAGIC, 1, 0, 24) + struct.pack("<4I", 0, len(functions), len(functions), 0) + functions
    ext = decode_btf_ext(data, NO_BTF)
    assert [(found.offset, found.words) for found in ext.functions] == [(8, (5,))]
    assert ext.core == ()


def test_a_count_of_records_that_lies_is_an_object_error() -> None:
    functions = struct.pack("<I", 8) + struct.pack("<II", 0, 1 << 31) + struct.pack("<II", 8, 5)
    data = struct.pack("<HBBI", MAGIC, 1, 0, 24) + struct.pack("<4I", 0, len(functions), len(functions), 0) + functions
    with pytest.raises(ObjectError, match=r"section \.BTF\.ext is truncated"):
        decode_btf_ext(data, NO_BTF)


# --- what BPF_BTF_LOAD takes ---


def completed(origin: Origin, name: str) -> Btf:
    return decode_btf(read(origin(name)).btf)


def as_compiled(name: str) -> Btf:
    section = read_object(committed(name)).section(".BTF")
    assert section is not None
    return decode_btf(section.data)


@ORIGINS
def test_datasec_sizes_and_offsets_are_filled_in_from_sections_and_symbols(origin: Origin) -> None:
    btf = completed(origin, "data")
    image = read(origin("data"))
    for name in (".rodata", ".data", ".bss"):
        assert btf.datasecs[name].value == image.maps[name].value_size
    assert {found.name: offset for found, offset in btf.variables(".data")} == {"total": 0, "balance": 8}
    found = {variable.name: offset for variable, offset in btf.variables(".rodata")}
    assert found["COLLECTOR"] == image.variables["COLLECTOR"].offset


@ORIGINS
def test_variables_of_a_datasec_are_in_order_of_offset(origin: Origin) -> None:
    for name in (".rodata", ".bss"):
        offsets = [offset for _, offset in completed(origin, "data").variables(name)]
        assert offsets == sorted(set(offsets))


@ORIGINS
def test_ids_of_types_stay_through_completion(origin: Origin) -> None:
    image = read(origin("refused_btf"))
    btf = decode_btf(image.btf)
    for function in image.program().functions:
        assert (btf.type(function.type_id).kind, btf.type(function.type_id).name) == (Kind.FUNC, function.name)


@ORIGINS
def test_a_section_name_that_the_kernel_refuses_is_reworded(origin: Origin) -> None:
    assert {".data.odd_name", "license"} <= set(completed(origin, "refused_btf").datasecs)
    assert ".data.odd-name" in as_compiled("refused_btf").datasecs


@ORIGINS
def test_what_is_defined_elsewhere_leaves_no_record_that_the_kernel_would_refuse(origin: Origin) -> None:
    btf = completed(origin, "refused_btf")
    assert ".ksyms" not in btf.datasecs
    extern = 2
    assert not [found for found in btf.types if found.kind is Kind.FUNC and found.vlen == extern]
    assert not [found for found in btf.types if found.kind is Kind.VAR and found.trailer[0] == extern]


@ORIGINS
def test_a_hidden_function_is_static_and_parameters_have_names(origin: Origin) -> None:
    btf = completed(origin, "refused_btf")
    (hidden,) = [found for found in btf.types if found.name == "hidden"]
    assert (hidden.kind, hidden.vlen) == (Kind.FUNC, 0)
    assert [btf.string(name) for name, _ in btf.type(hidden.value).entries()] == ["_", "x"]


# --- records of linked programs ---


# First and last line of each function of programs.c.
PROGRAMS_C = {
    "leaf": (6, 10),
    "middle": (12, 15),
    "add_index": (18, 22),
    "first": (24, 27),
    "beside": (29, 32),
    "second": (34, 37),
    "looping": (39, 45),
    "untyped": (47, 50),
}


@ORIGINS
def test_line_records_follow_the_functions_they_are_of(origin: Origin) -> None:
    for program in read(origin("programs")).programs:
        ends = [function.slot for function in program.functions[1:]] + [program.slots]
        for function, end in zip(program.functions, ends, strict=True):
            first, last = PROGRAMS_C[function.name]
            lines = [program.line_at(slot) for slot in range(function.slot, end)]
            assert all(found is not None and first <= found.line <= last for found in lines if found is None or found.line)


def test_a_line_record_has_line_and_column_of_the_source() -> None:
    untyped = read(committed("programs")).program("untyped")
    assert untyped.lines == (LineRecord(0, "./programs.c", 49, 2, "\treturn 0;"),)


@ORIGINS
def test_info_arrays_for_the_kernel_hold_the_records_in_slots(origin: Origin) -> None:
    for program in read(origin("programs")).programs:
        functions = list(struct.iter_unpack("<II", program.func_info))
        assert functions == [(function.slot, function.type_id) for function in program.functions]
        lines = [slot for slot, _file, _text, _place in struct.iter_unpack("<IIII", program.line_info)]
        assert lines == [line.slot for line in program.lines]
        assert lines == sorted(set(lines))


def test_objects_without_btf_have_no_records() -> None:
    image = read(committed("legacy"))
    program = image.program()
    assert (image.btf, program.lines, program.func_info, program.line_info) == (b"", (), b"", b"")
    assert [(function.name, function.type_id) for function in program.functions] == [("lookups", 0)]


def test_an_extension_without_parts_has_no_records() -> None:
    assert decode_btf_ext(struct.pack("<HBBI", MAGIC, 1, 0, 8), NO_BTF) == BtfExt()
