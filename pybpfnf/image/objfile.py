"""ELF bytes as frozen data: sections, symbols, relocations. The only owner of pyelftools; nothing here knows BPF's meaning.

pyelftools gives the layouts and the names of constants; the walk is ours, so that bytes of any kind end in data or in
one ObjectError.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cached_property
from typing import Any, final

from elftools.elf.constants import SH_FLAGS
from elftools.elf.structs import ELFStructs

from pybpfnf.errors import ObjectError
from pybpfnf.records import dataclass

_MAGIC = b"\x7fELF"
_CLASS_64, _LITTLE_ENDIAN = 2, 1
_HEADER_SIZE, _SECTION_HEADER_SIZE, _SYMBOL_SIZE, _RELOCATION_SIZE = 64, 64, 24, 16
# Room for any data section that a kernel would take as one map value, and no way to ask for all memory through .bss.
_LARGEST_SECTION = 64 << 20


@final
@dataclass(frozen=True, slots=True)
class Section:
    """One section; `data` is what it holds at load time: zeros for .bss and its like."""

    index: int
    name: str
    type: str | int  # "SHT_PROGBITS"; a number where it has no name
    flags: int
    data: bytes
    link: int
    info: int

    @property
    def executable(self) -> bool:
        return self.type == "SHT_PROGBITS" and bool(self.flags & SH_FLAGS.SHF_EXECINSTR)

    @property
    def allocated(self) -> bool:
        return bool(self.flags & SH_FLAGS.SHF_ALLOC)


class SymbolKind(Enum):
    FUNCTION = "STT_FUNC"
    OBJECT = "STT_OBJECT"
    SECTION = "STT_SECTION"
    OTHER = "other"


@final
@dataclass(frozen=True, slots=True)
class Symbol:
    """`value` counts bytes from the start of section number `section`, which is None where no section of the file defines it."""

    name: str
    kind: SymbolKind
    value: int
    size: int
    section: int | None
    local: bool
    hidden: bool


@final
@dataclass(frozen=True, slots=True)
class Relocation:
    """What stands `offset` bytes into its section depends on `symbol`; `type` is the number of an R_BPF_*."""

    offset: int
    type: int
    symbol: Symbol


@final
@dataclass(frozen=True)
class ObjectFile:
    """`relocations` has an entry for each allocated section that has any, by section number."""

    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]
    relocations: Mapping[int, tuple[Relocation, ...]]

    def section(self, name: str) -> Section | None:
        """The first section of that name."""
        return next((section for section in self.sections if section.name == name), None)

    @cached_property
    def named_symbols(self) -> Mapping[str, Symbol]:
        """Functions and variables that the file defines, by name; a global one hides a local one of the same name."""
        defined = [symbol for symbol in self.symbols if symbol.section is not None and symbol.kind is not SymbolKind.SECTION]
        return {symbol.name: symbol for symbol in sorted(defined, key=lambda symbol: not symbol.local)}


def read_object(data: bytes) -> ObjectFile:
    """Read a relocatable little-endian BPF object; raises ObjectError for anything else."""
    return _Reader(data).read()


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.structs = ELFStructs(little_endian=True, elfclass=64)
        self.structs.create_basic_structs()
        self.structs.create_advanced_structs("ET_REL", "EM_BPF", None)

    def read(self) -> ObjectFile:
        sections = self._sections(self._header())
        symbols = self._symbols(sections)
        return ObjectFile(sections, symbols, self._relocations(sections, symbols))

    def _header(self) -> Any:
        if self.data[:4] != _MAGIC:
            raise ObjectError("not an ELF object", hint="give an object that `pybpfnf build` or `clang -target bpf -c` wrote")
        if len(self.data) < _HEADER_SIZE:
            raise ObjectError(f"truncated: {len(self.data)} bytes are less than an ELF header")
        if self.data[4] != _CLASS_64:
            raise ObjectError("not a 64-bit ELF object")
        if self.data[5] != _LITTLE_ENDIAN:
            raise ObjectError("a big-endian object", hint="compile for little-endian BPF (clang -target bpfel)")
        header = self.structs.Elf_Ehdr.parse(self.data[:_HEADER_SIZE])
        if header["e_machine"] != "EM_BPF":
            raise ObjectError(f"made for the machine {header['e_machine']}, not for BPF", hint="compile with clang -target bpf")
        if header["e_type"] != "ET_REL":
            raise ObjectError(f"not a relocatable object ({header['e_type']})", hint="compile with -c and do not link")
        if header["e_shentsize"] != _SECTION_HEADER_SIZE:
            raise ObjectError(f"section headers of {header['e_shentsize']} bytes; ELF64 has {_SECTION_HEADER_SIZE}")
        return header

    def _sections(self, header: Any) -> tuple[Section, ...]:
        table = self._slice(header["e_shoff"], header["e_shnum"] * _SECTION_HEADER_SIZE, "the table of section headers")
        headers = [self.structs.Elf_Shdr.parse(raw) for raw in _records(table, _SECTION_HEADER_SIZE)]
        if not 0 < header["e_shstrndx"] < len(headers):
            raise ObjectError("truncated or malformed: it has no table of section names")
        names = self._contents(headers[header["e_shstrndx"]], "the table of section names")
        return tuple(self._section(index, row, _string(names, row["sh_name"])) for index, row in enumerate(headers))

    def _section(self, index: int, row: Any, name: str) -> Section:
        data = b"" if name.startswith(".debug_") else self._contents(row, f"section {name!r}")
        return Section(index, name, row["sh_type"], row["sh_flags"], data, row["sh_link"], row["sh_info"])

    def _contents(self, row: Any, what: str) -> bytes:
        if row["sh_type"] == "SHT_NULL":
            return b""
        if row["sh_size"] > _LARGEST_SECTION:
            raise ObjectError(f"{what} has {row['sh_size']} bytes; the most is {_LARGEST_SECTION}")
        if row["sh_type"] == "SHT_NOBITS":
            return bytes(row["sh_size"])
        return self._slice(row["sh_offset"], row["sh_size"], what)

    def _slice(self, offset: int, size: int, what: str) -> bytes:
        if offset + size > len(self.data):
            raise ObjectError(f"truncated: {what} ends at byte {offset + size}, the file at {len(self.data)}")
        return self.data[offset : offset + size]

    def _symbols(self, sections: tuple[Section, ...]) -> tuple[Symbol, ...]:
        table = next((section for section in sections if section.type == "SHT_SYMTAB"), None)
        if table is None:
            return ()
        if table.link >= len(sections) or len(table.data) % _SYMBOL_SIZE:
            raise ObjectError(f"section {table.name!r} is not a symbol table")
        names = sections[table.link].data
        return tuple(self._symbol(raw, names, sections) for raw in _records(table.data, _SYMBOL_SIZE))

    def _symbol(self, raw: bytes, names: bytes, sections: tuple[Section, ...]) -> Symbol:
        row = self.structs.Elf_Sym.parse(raw)
        # Undefined, absolute and common symbols have reserved numbers, which pyelftools gives as text or which are too large.
        place = row["st_shndx"]
        section = place if isinstance(place, int) and 0 < place < len(sections) else None
        kind = _SYMBOL_KINDS.get(row["st_info"]["type"], SymbolKind.OTHER)
        name = _string(names, row["st_name"])
        if kind is SymbolKind.SECTION and section is not None:
            name = sections[section].name
        value, size = row["st_value"], row["st_size"]
        if section is not None and sections[section].allocated and value + size > len(sections[section].data):
            raise ObjectError(f"symbol {name!r} ends past the end of section {sections[section].name!r}")
        hidden = row["st_other"]["visibility"] in ("STV_HIDDEN", "STV_INTERNAL")
        return Symbol(name, kind, value, size, section, row["st_info"]["bind"] == "STB_LOCAL", hidden)

    def _relocations(self, sections: tuple[Section, ...], symbols: tuple[Symbol, ...]) -> dict[int, tuple[Relocation, ...]]:
        found: dict[int, tuple[Relocation, ...]] = {}
        for section in sections:
            if section.type not in ("SHT_REL", "SHT_RELA") or section.info >= len(sections) or not sections[section.info].allocated:
                continue
            if section.type == "SHT_RELA" or len(section.data) % _RELOCATION_SIZE:
                raise ObjectError(f"section {section.name!r} is not a table of relocations as BPF has them")
            rows = tuple(self._relocation(raw, section.name, symbols) for raw in _records(section.data, _RELOCATION_SIZE))
            found[section.info] = found.get(section.info, ()) + rows
        return found

    def _relocation(self, raw: bytes, section: str, symbols: tuple[Symbol, ...]) -> Relocation:
        row = self.structs.Elf_Rel.parse(raw)
        if row["r_info_sym"] >= len(symbols):
            raise ObjectError(f"section {section!r} names symbol {row['r_info_sym']} of {len(symbols)}")
        return Relocation(row["r_offset"], row["r_info_type"], symbols[row["r_info_sym"]])


_SYMBOL_KINDS = {kind.value: kind for kind in SymbolKind}


def _records(table: bytes, size: int) -> Iterator[bytes]:
    return (table[start : start + size] for start in range(0, len(table), size))


def _string(table: bytes, offset: int) -> str:
    """The text at `offset` up to a NUL; bytes that are not UTF-8 appear escaped, an offset past the end gives nothing."""
    end = table.find(b"\0", offset)
    return table[offset : end if end >= 0 else len(table)].decode(errors="backslashreplace")
