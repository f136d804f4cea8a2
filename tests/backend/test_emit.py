"""The object: its sections and symbols, its BTF and lines, and that it is the same bytes each time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from pybpfnf import backend, image, llvm
from pybpfnf.backend import emit
from pybpfnf.backend.lowering.module import Lowered
from pybpfnf.backend.objects import elf
from pybpfnf.diagnostics import Span
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import U16, U32, U64
from pybpfnf.errors import InternalError
from pybpfnf.image.meta import Meta, MetaProgram
from tests.backend.build_ir import (
    CATALOGUE,
    FILE,
    SOURCE,
    add_tlv,
    at,
    binary,
    const,
    end,
    end_t,
    function,
    give,
    module,
    set_srh,
    srh,
    tag_increment,
)
from tests.backend.engine import built

ROOT = Path(__file__).resolve().parents[2]
COUNTS = ir.Map("counts", "array", U32, U64, 4)


def sections(data: bytes) -> list[str]:
    return [section.name for section in elf.read(data).sections]


def test_the_object_has_what_loaders_read_and_nothing_else() -> None:
    everything = replace(add_tlv(), maps=(COUNTS,), variables=(ir.Config("C", U32, 1), ir.State("S", U32, 1)))
    assert set(sections(backend.build(everything))) == {
        "", "lwt_seg6local", ".rellwt_seg6local", ".maps", ".rodata", ".data", ".bss", "license",
        ".BTF", ".rel.BTF", ".BTF.ext", ".rel.BTF.ext",
    }  # fmt: skip


def test_symbols_are_the_programs_maps_and_variables() -> None:
    everything = replace(tag_increment(), maps=(COUNTS,), variables=(ir.Config("C", U32, 1),))
    symbols = elf.read(backend.build(everything)).symbols
    assert {symbol.name for symbol in symbols if symbol.name} == {"tag_increment", "counts", "C", "__pybpfnf_faults", "__pybpfnf_license"}


def test_the_license_is_the_modules() -> None:
    assert image.read(backend.build(replace(end(), license="Dual MIT/GPL"))).license == "Dual MIT/GPL"


def test_several_programs_share_their_section() -> None:
    both = built(module(function("one", give(0)), function("two", set_srh("tag", srh("tag")), give(2))))
    assert [(program.name, program.section, program.type) for program in both.programs] == [
        ("one", "lwt_seg6local", "lwt_seg6local"),
        ("two", "lwt_seg6local", "lwt_seg6local"),
    ]


def test_the_object_says_what_the_language_knows() -> None:
    data = backend.build(tag_increment())
    (section,) = (raw for raw in _all_sections(data) if raw.startswith(b'{"counted"'))
    document = json.loads(section)
    assert document["programs"] == {
        "tag_increment": {"type": "lwt_seg6local", "on_fault": 2, "doc": "The function tag_increment.", "drops": ""}
    }
    assert {site["message"] for site in document["sites"]} == {"no SRH in the packet", "the kernel refused to change the SRH"}
    assert {(site["file"], site["function"]) for site in document["sites"]} == {(FILE, "tag_increment")}


def _all_sections(data: bytes) -> list[bytes]:
    """The contents of the tables of strings, which `elf.read` leaves out."""
    table, count = int.from_bytes(data[40:48], "little"), int.from_bytes(data[60:62], "little")
    rows = [data[table + 64 * index : table + 64 * (index + 1)] for index in range(count)]
    places = [(int.from_bytes(row[24:32], "little"), int.from_bytes(row[32:40], "little")) for row in rows]
    return [data[start : start + size] for start, size in places]


# --------------------------------------------------------------------------------------------------------- the lines


def test_each_instruction_has_its_line_column_and_text_from_the_module_not_from_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "functions").mkdir()
    (tmp_path / FILE).write_text("something else\n" * 200)
    monkeypatch.chdir(tmp_path)
    body = (set_srh("tag", binary("+", srh("tag", at(21, 9)), const(1, U16)), at(21, 3)), give(span=at(22, 1)))
    program = built(module(function("f", *body, span=at(20, 1)))).program()
    found = {(line.file, line.line, line.column, line.text) for line in program.lines}
    assert {(FILE, 21, 9, "line 21 of the source"), (FILE, 21, 3, "line 21 of the source")} <= found
    assert {line.line for line in program.lines} <= {7, 20, 21, 22}
    assert program.lines[0].slot == 0


def test_text_of_any_kind_comes_through() -> None:
    text = 'a = "\\x00"  # "quoted" \\ back\nb = "Grüße, 世界"\n\tc\n'
    span = Span("<stdin>", 2, 1, 2, 5)
    program = built(module(function("f", give(span=span), span=Span("<stdin>", 1, 1, 1, 2)), sources={"<stdin>": text})).program()
    assert [(line.file, line.line, line.text) for line in program.lines][-1] == ("<stdin>", 2, 'b = "Grüße, 世界"')


def test_code_of_another_file_keeps_its_file() -> None:
    other = Span("lib.py", 3, 1, 3, 9)
    both = module(function("f", set_srh("tag", const(1, U16), other), give()), sources={FILE: SOURCE, "lib.py": "1\n2\nthree\n"})
    assert ("lib.py", 3, "three") in {(line.file, line.line, line.text) for line in built(both).program().lines}


def test_a_column_that_btf_cannot_say_does_not_change_the_line() -> None:
    far = Span(FILE, 9, 3000, 9, 3001)
    program = built(module(function("f", give(span=far)))).program()
    assert [(line.line, line.column) for line in program.lines][-1] == (9, 0)


def test_functions_have_their_types_in_btf() -> None:
    program = built(tag_increment()).program()
    assert [(record.slot, record.name) for record in program.functions] == [(0, "tag_increment")]
    assert program.functions[0].type_id > 0


# ------------------------------------------------------------------------------------------------- same input, same bytes

_BUILD = """
import sys
from pybpfnf import backend
from tests.backend.build_ir import CATALOGUE
for make in CATALOGUE.values():
    sys.stdout.buffer.write(backend.build(make()))
"""


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_the_bytes_depend_on_no_hash_seed_directory_or_process(tmp_path: Path, seed: str) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", _BUILD], cwd=tmp_path, env=environment, capture_output=True, check=True)
    assert done.stdout == b"".join(backend.build(make()) for make in CATALOGUE.values())


def test_a_module_built_after_another_is_as_built_alone() -> None:
    first = backend.build(end_t())
    backend.build(add_tlv())
    assert backend.build(end_t()) == first


# ------------------------------------------------------------------------------------------------------------- stages


def test_the_text_before_and_after_llvms_passes_can_be_seen() -> None:
    before, after = backend.llvm_text(tag_increment()), backend.llvm_text(tag_increment(), optimised=True)
    assert "alloca" in before
    assert "alloca i64" not in after
    assert "@tag_increment" in after


def test_without_counters_there_is_none_but_the_sites_are_known() -> None:
    without = built(tag_increment(), fault_counters=False)
    assert without.faults is None
    assert ".bss" not in without.maps
    assert without.program().slots < built(tag_increment()).program().slots


@pytest.mark.skipif(not version("llvmlite").startswith("0.50."), reason="sizes are those of llvmlite 0.50")
def test_sizes() -> None:
    """Slots without and with fault counters: to be seen when they change."""
    sizes = {name: (built(make(), fault_counters=False).program().slots, built(make()).program().slots) for name, make in CATALOGUE.items()}
    assert sizes == {"end": (2, 2), "end_t": (14, 18), "tag_increment": (42, 51), "add_tlv": (100, 113), "add_tlv_20": (105, 118)}


# ------------------------------------------------------------------------------------------------- what must not come out

_PARTS = {
    "no BTF": 'define i32 @f(ptr %ctx) nounwind section "lwt_seg6local" { ret i32 0 }',
    "another section": '@x = global i32 1, section "odd"\ndefine i32 @f(ptr %ctx) nounwind section "lwt_seg6local" { ret i32 0 }',
    "unwinding tables": 'define i32 @f(ptr %ctx) uwtable section "lwt_seg6local" { ret i32 0 }',
}


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("no BTF", "no section .BTF"),
        ("another section", "a section 'odd'"),
        ("unwinding tables", r"a section '\.eh_frame'"),
    ],
)
def test_an_object_that_loaders_would_not_take_is_our_bug(what: str, said: str) -> None:
    with pytest.raises(InternalError, match=said):
        emit.emit_object(Lowered(_PARTS[what], Meta({"f": MetaProgram("lwt_seg6local", 2, "")})))


def test_a_call_of_a_function_that_bpf_does_not_have_is_our_bug() -> None:
    text = (
        backend.llvm_text(end()).replace("  ret i32 %v1", "  %r = call i32 @g(i32 %v1), !dbg !11\n  ret i32 %r") + "declare i32 @g(i32)\n"
    )
    with pytest.raises(InternalError, match="'g', which BPF does not have"):
        emit.emit_object(Lowered(text, Meta({"end": MetaProgram("lwt_seg6local", 2, "")})))


def test_a_function_without_btf_beside_one_with_it_is_our_bug() -> None:
    text = backend.llvm_text(end()) + 'define i32 @bare(ptr %ctx) nounwind section "lwt_seg6local" { ret i32 0 }'
    programs = {name: MetaProgram("lwt_seg6local", 2, "") for name in ("end", "bare")}
    with pytest.raises(InternalError, match="no BTF records for the function 'bare'"):
        emit.emit_object(Lowered(text, Meta(programs)))


def test_functions_that_llvm_finds_cold_would_leave_their_section() -> None:
    """Why each function names its section: a cold one without goes to `.text.unlikely.`."""
    data = llvm.emit_object("define i32 @f(ptr %ctx) cold nounwind { ret i32 0 }")
    assert ".text.unlikely." in sections(data)


def test_what_is_left_out_takes_its_relocations_with_it() -> None:
    whole = elf.read(llvm.emit_object(backend.llvm_text(end_t())))
    stripped = elf.strip(whole, lambda section: not section.name.startswith((".debug_", ".rel.debug_")))
    assert any(section.name.startswith(".rel.debug_") for section in whole.sections)
    assert not any("debug" in section.name for section in stripped.sections)
    again = elf.read(elf.write(stripped))
    assert again == stripped
