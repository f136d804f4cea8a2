"""Map definitions of every form, and data sections, as MapSpecs."""

from __future__ import annotations

import struct

import pytest

from pybpfnf.abi.maps import BPF_F_MMAPABLE, BPF_F_RDONLY_PROG
from pybpfnf.errors import ObjectError
from pybpfnf.image import read
from pybpfnf.image.model import MapSpec
from pybpfnf.image.objfile import read_object
from pybpfnf.types.layout import FieldType
from tests.image.objects import ORIGINS, Origin, committed


def spec(origin: Origin, name: str, map_name: str) -> MapSpec:
    return read(origin(name)).maps[map_name]


@ORIGINS
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("typed", ("hash", 4, 8, 64, 0, False, "u32", "u64")),
        ("sized", ("percpu_array", 4, 12, 2, 0, False, None, None)),
        ("routes", ("lpm_trie", 20, 20, 8, 1, False, "prefix", "path")),
        ("events", ("ringbuf", 0, 0, 4096, 0, False, None, None)),
        ("tails", ("prog_array", 4, 4, 4, 0, False, "u32", "u32")),
        ("shared", ("array", 4, 16, 1, 0, True, "u32", "IPv6Address")),
        ("private", ("array", 4, 2, 1, 0, False, "u32", "u16")),
    ],
)
def test_a_btf_definition_says_type_sizes_flags_and_pinning(origin: Origin, name: str, expected: tuple[object, ...]) -> None:
    found = spec(origin, "maps", name)
    numbers = (found.type, found.key_size, found.value_size, found.max_entries, found.flags)
    assert (*numbers, found.pin_by_name, _shown(found.key_type), _shown(found.value_type)) == expected
    assert found.initial is None


@ORIGINS
@pytest.mark.parametrize(("name", "typed"), [("typed", True), ("routes", True), ("sized", False), ("tails", False), ("events", False)])
def test_a_map_has_btf_types_where_it_gives_them_and_the_kernel_takes_them(origin: Origin, name: str, typed: bool) -> None:
    found = spec(origin, "maps", name)
    assert (bool(found.btf_key_type), bool(found.btf_value_type)) == (typed, typed)


@ORIGINS
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sample", MapSpec("sample", "array", 4, 8, 3)),
        ("longer", MapSpec("longer", "hash", 16, 4, 5, flags=1)),
        ("pinned", MapSpec("pinned", "percpu_array", 4, 4, 1, pin_by_name=True)),
    ],
)
def test_a_legacy_struct_of_each_size_is_understood(origin: Origin, name: str, expected: MapSpec) -> None:
    assert spec(origin, "legacy", name) == expected


def _shown(type_: FieldType | None) -> str | None:
    return None if type_ is None else str(type_)


def legacy_with(word: int, value: int) -> bytes:
    """legacy.o with one 32-bit word of its section `maps` changed: 0 to 4 are of `sample`, 5 to 11 of `longer`, then `pinned`."""
    data = bytearray(committed("legacy"))
    start = bytes(data).index(struct.pack("<5I", 2, 4, 8, 3, 0))
    struct.pack_into("<I", data, start + 4 * word, value)
    return bytes(data)


@pytest.mark.parametrize(
    ("word", "value", "message"),
    [
        (0, 4000, "map 'sample' has type 4000, which is not known"),
        (10, 1, "map 'longer': inner maps and NUMA nodes are not supported"),
        (18, 3, "map 'pinned' asks for pinning 3; 0 (none), 1 (PIN_OBJECT_NS) and 2 (PIN_GLOBAL_NS) are known"),
        (19, 7, "map 'pinned': inner maps are not supported"),
    ],
)
def test_what_a_legacy_map_asks_for_and_cannot_have_is_named(word: int, value: int, message: str) -> None:
    with pytest.raises(ObjectError) as caught:
        read(legacy_with(word, value), name="old.o")
    assert caught.value.message == f"old.o: {message}"


def test_a_map_that_is_pinned_for_its_object_alone_is_shared_with_no_other() -> None:
    assert not read(legacy_with(18, 1)).maps["pinned"].pin_by_name


@ORIGINS
def test_constants_are_a_frozen_map_that_programs_may_only_read(origin: Origin) -> None:
    found = spec(origin, "data", ".rodata")
    assert (found.type, found.key_size, found.max_entries, found.flags, found.frozen) == ("array", 4, 1, BPF_F_RDONLY_PROG, True)
    assert found.initial is not None
    assert found.initial[:6] == struct.pack("<IH", 254, 8888)
    assert found.value_size == len(found.initial)


@ORIGINS
def test_initialised_data_and_bss_are_maps_that_user_space_can_map_into_memory(origin: Origin) -> None:
    data, bss = spec(origin, "data", ".data"), spec(origin, "data", ".bss")
    assert (data.initial, bss.initial) == (struct.pack("<Qi", 7, -2), bytes(bss.value_size))
    assert (data.flags, bss.flags, data.frozen, bss.frozen) == (BPF_F_MMAPABLE, BPF_F_MMAPABLE, False, False)


@ORIGINS
def test_a_data_section_without_debug_info_has_no_btf_type(origin: Origin) -> None:
    maps = read(origin("data")).maps
    assert maps[".rodata"].btf_value_type != 0
    assert maps[".rodata.str1.1"].btf_value_type == 0


def test_maps_in_the_new_form_need_btf() -> None:
    data = committed("maps").replace(b".BTF\0", b".NOT\0")
    with pytest.raises(ObjectError, match=r"section \.maps without \.BTF"):
        read(data)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (b"map_flags\0", b"numa_node\0", "map 'routes': 'numa_node' in a map definition is not supported"),
        (b"type\0", b"tipe\0", "map 'typed': 'tipe' in a map definition is not supported"),
    ],
)
def test_a_member_of_a_definition_that_is_not_understood_is_not_ignored(before: bytes, after: bytes, message: str) -> None:
    data = committed("maps").replace(b"\0" + before, b"\0" + after)
    with pytest.raises(ObjectError) as caught:
        read(data, name="maps.o")
    assert caught.value.message == f"maps.o: {message}"


@ORIGINS
def test_the_values_of_a_program_array_are_programs_by_slot(origin: Origin) -> None:
    assert spec(origin, "tails", "next").programs == ((1, "last"), (2, "again"))
    assert spec(origin, "maps", "tails").programs == ()


def test_a_value_that_is_no_program_is_refused() -> None:
    """The same object with a static function in place of a program."""
    data = bytearray(committed("tails"))
    table = read_object(bytes(data))
    (symbol,) = [each for each in table.symbols if each.name == "last"]
    row = struct.pack("<BBHQQ", 0x12, 0, symbol.section, symbol.value, symbol.size)
    assert data.count(row) == 1
    local = struct.pack("<BBHQQ", 0x02, 0, symbol.section, symbol.value, symbol.size)
    with pytest.raises(ObjectError, match="map 'next': 'last' in its values is no program"):
        read(bytes(data.replace(row, local)))
