"""LLVM text to the object that others load: without what only debuggers read, with `.pybpfnf`, and looked over.

LLVM drops BTF without an error when it does not like the debug metadata, and invents sections that libbpf does not know;
so what must be there and what must not is checked here, and is a bug of ours when it is wrong.
"""

from __future__ import annotations

from dataclasses import replace

from pybpfnf import llvm
from pybpfnf.abi.kfuncs import KFUNCS
from pybpfnf.backend.lowering.module import Lowered
from pybpfnf.backend.objects import elf, extinfo
from pybpfnf.backend.objects.latches import with_jumps_back
from pybpfnf.backend.objects.linetable import place_calls, read_numbers
from pybpfnf.backend.objects.loop_bounds import with_bounds_first
from pybpfnf.errors import InternalError
from pybpfnf.image.meta import SECTION, encode_meta

_SHT_LLVM_ADDRSIG = 0x6FFF4C03
_DATA_SECTIONS = ("license", ".maps", ".data", ".bss", ".BTF", ".BTF.ext")


def emit_object(lowered: Lowered) -> bytes:
    """The object's bytes; raises InternalError where LLVM gives something that a loader would not take."""
    whole = elf.read(llvm.emit_object(lowered.text))
    object_ = with_jumps_back(with_bounds_first(elf.strip(whole, _is_wanted)))
    _check_sections(object_)
    _check_symbols(object_, frozenset(lowered.meta.programs), lowered.subprograms)
    _check_debug_records(object_)
    meta = lowered.meta
    if lowered.calls:
        meta = replace(meta, calls=place_calls(object_, read_numbers(whole), lowered.calls))
    return elf.write(_with_meta(object_, encode_meta(meta)))


def _is_wanted(section: elf.Section) -> bool:
    """Not DWARF, not LLVM's own tables, and not the .text that is always there, and empty."""
    return not (
        section.name.startswith((".debug_", ".rel.debug_"))
        or section.type == _SHT_LLVM_ADDRSIG
        or (section.name == ".text" and section.size == 0)
    )


def _with_meta(object_: elf.Object, meta: bytes) -> elf.Object:
    # As a table of strings, because libbpf writes a line to stderr for each section whose name and type it does not know
    # (tools/lib/bpf/libbpf.c, ignore_elf_section).
    section = elf.Section(SECTION, elf.SHT_STRTAB, 0, meta, len(meta), 1)
    return elf.Object(object_.header, object_.flags, (*object_.sections, section), object_.symbols)


def _check_sections(object_: elf.Object) -> None:
    code = {object_.sections[symbol.section].name for symbol in object_.symbols if symbol.kind == elf.STT_FUNC}
    for section in object_.sections[1:]:
        name = section.name.removeprefix(".rel") if section.type == elf.SHT_REL else section.name
        if name not in code and name not in _DATA_SECTIONS and not name.startswith(".rodata"):
            raise InternalError(f"LLVM made a section {section.name!r} that loaders do not know")
    for name in (".BTF", ".BTF.ext"):
        if object_.section(name) is None:
            raise InternalError(f"LLVM made no section {name}: it has dropped the debug metadata")


def _check_symbols(object_: elf.Object, programs: frozenset[str], subprograms: frozenset[str]) -> None:
    """A subprogram that LLVM proves to be never called is left out; one that it makes again for some arguments has a dot in its name."""
    undefined = [symbol.name for symbol in object_.symbols[1:] if symbol.section == elf.SHN_UNDEF and symbol.name not in KFUNCS]
    if undefined:
        raise InternalError(f"LLVM made a call to {undefined[0]!r}, which BPF does not have")
    found = {symbol.name.partition(".")[0] for symbol in object_.symbols if symbol.kind == elf.STT_FUNC}
    if found - subprograms != programs:
        raise InternalError(f"LLVM made the functions {sorted(found)}, not {sorted(programs | subprograms)}")


def _check_debug_records(object_: elf.Object) -> None:
    """Each function has a record of its type and at least one line."""
    btf, ext = object_.section(".BTF"), object_.section(".BTF.ext")
    assert btf is not None
    assert ext is not None
    types, lines = (set(extinfo.records(ext.data, btf.data, table)) for table in (extinfo.FUNCTIONS, extinfo.LINES))
    for symbol in object_.symbols:
        if symbol.kind == elf.STT_FUNC:
            place = (object_.sections[symbol.section].name, symbol.value)
            if place not in types or place not in lines:
                raise InternalError(f"LLVM made no BTF records for the function {symbol.name!r}")
