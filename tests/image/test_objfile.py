"""ELF bytes: what is read, and what each wrong input is told."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybpfnf.errors import ObjectError
from pybpfnf.image import read
from pybpfnf.image.objfile import SymbolKind, read_object
from tests.image.objects import LINKABLE, committed

E_TYPE, E_MACHINE, E_SHOFF = 16, 18, 40
EM_X86_64, ET_DYN = 62, 3


def patched(offset: int, data: bytes) -> bytes:
    whole = bytearray(committed("programs"))
    whole[offset : offset + len(data)] = data
    return bytes(whole)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "tag.o: not an ELF object"),
        (b"#!/usr/bin/python3\n" * 100, "tag.o: not an ELF object"),
        (b"\x7fELF\x02\x01", "tag.o: truncated: 6 bytes are less than an ELF header"),
        (patched(4, b"\1"), "tag.o: not a 64-bit ELF object"),
        (patched(5, b"\2"), "tag.o: a big-endian object"),
        (patched(E_MACHINE, struct.pack("<H", EM_X86_64)), "tag.o: made for the machine EM_X86_64, not for BPF"),
        (patched(E_TYPE, struct.pack("<H", ET_DYN)), "tag.o: not a relocatable object (ET_DYN)"),
        (patched(E_SHOFF, struct.pack("<Q", 1 << 40)), "tag.o: truncated: the table of section headers ends at byte"),
        (committed("programs")[:-1], "tag.o: truncated: the table of section headers ends at byte"),
        (committed("only_text"), "tag.o: no programs: its functions are in .text, where subprograms are"),
    ],
)
def test_a_wrong_input_is_told_in_one_line_that_begins_with_its_name(data: bytes, message: str) -> None:
    with pytest.raises(ObjectError) as caught:
        read(data, name="tag.o")
    assert caught.value.message.startswith(message)
    assert "\n" not in caught.value.message


def test_symbols_say_their_section_their_place_and_who_sees_them() -> None:
    obj = read_object(committed("programs"))
    beside, calls = obj.named_symbols["beside"], obj.named_symbols["calls"]
    assert (beside.kind, beside.local) == (SymbolKind.FUNCTION, True)
    assert beside.section is not None
    assert obj.sections[beside.section].name == "lwt_seg6local/pair"
    assert calls.section is not None
    assert (calls.size, obj.sections[calls.section].data) == (8, bytes(8))


def test_a_section_symbol_has_the_name_of_its_section() -> None:
    obj = read_object(committed("programs"))
    pair = obj.section("lwt_seg6local/pair")
    assert pair is not None
    targets = {relocation.symbol.name for relocation in obj.relocations[pair.index]}
    assert ".text" in targets


def test_a_huge_section_without_contents_is_refused_before_memory_is_asked_for() -> None:
    data = bytearray(committed("programs"))
    (shoff,) = struct.unpack_from("<Q", data, E_SHOFF)
    bss = next(section.index for section in read_object(bytes(data)).sections if section.name == ".bss")
    struct.pack_into("<Q", data, shoff + 64 * bss + 32, 1 << 60)
    with pytest.raises(ObjectError, match=r"section '.bss' has \d+ bytes; the most is"):
        read(bytes(data))


OBJECTS = {name: committed(name) for name in LINKABLE}


@given(name=st.sampled_from(LINKABLE), part=st.floats(0, 1, exclude_max=True))
@settings(max_examples=100, deadline=None)
def test_any_prefix_of_an_object_is_an_object_error(name: str, part: float) -> None:
    data = OBJECTS[name]
    with pytest.raises(ObjectError):
        read(data[: int(part * len(data))])


@given(
    name=st.sampled_from(LINKABLE),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=3),
)
@settings(max_examples=400, deadline=2000)
def test_changed_bytes_give_an_image_or_an_object_error(name: str, flips: list[tuple[float, int]]) -> None:
    data = bytearray(OBJECTS[name])
    for part, value in flips:
        data[int(part * len(data))] = value
    with contextlib.suppress(ObjectError):  # and nothing else
        assert read(bytes(data)).programs


def test_a_symbol_beyond_its_section_is_named() -> None:
    data = bytearray(committed("data"))
    obj = read_object(bytes(data))
    table = next(section for section in obj.sections if section.type == "SHT_SYMTAB")
    index = next(index for index, symbol in enumerate(obj.symbols) if symbol.name == "total")
    start = bytes(data).index(table.data)
    struct.pack_into("<Q", data, start + 24 * index + 8, 1 << 40)
    with pytest.raises(ObjectError, match=r"symbol 'total' ends past the end of section '\.data'"):
        read(bytes(data))


def test_reading_the_same_bytes_twice_gives_equal_images() -> None:
    assert read(committed("meta")) == read(committed("meta"))
