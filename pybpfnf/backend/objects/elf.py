"""A small rewriter of relocatable ELF64 objects: read what LLVM wrote, leave sections and symbols out, add sections, write.

Little-endian only, no program headers: what a BPF object is (System V ABI, chapters 4 and 5). The bytes written depend on nothing
but what is kept: one table of names, sections in their order, each at its alignment.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import final

from pybpfnf.records import dataclass

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQ")
_SECTIONS_AT = _HEADER.size
_TABLE_ALIGNMENT = 8

SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_NOBITS, SHT_REL = 1, 2, 3, 8, 9
STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_SECTION, STT_FILE = range(5)
_STB_LOCAL = 0
SHN_UNDEF, _SHN_LORESERVE = 0, 0xFF00


@final
@dataclass(frozen=True, slots=True)
class Section:
    """One section; of SHT_NOBITS ones `data` is empty and `size` says how long they are. `link` and `info` of tables that refer to
    sections or symbols are written anew."""

    name: str
    type: int
    flags: int
    data: bytes
    size: int
    alignment: int
    entry_size: int = 0
    info: int = 0


@final
@dataclass(frozen=True, slots=True)
class Symbol:
    """`section` is the index of its section, or a reserved number."""

    name: str
    info: int
    other: int
    section: int
    value: int
    size: int

    @property
    def kind(self) -> int:
        return self.info & 15

    @property
    def local(self) -> bool:
        return self.info >> 4 == _STB_LOCAL


@final
@dataclass(frozen=True, slots=True)
class Object:
    """`sections[0]` and `symbols[0]` are the null entries that ELF has. The tables of names and symbols are not among the sections."""

    header: bytes  # the 16 bytes e_ident, and e_type to e_version
    flags: int
    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]

    def section(self, name: str) -> Section | None:
        return next((section for section in self.sections if section.name == name), None)


def read(data: bytes) -> Object:
    """An object as LLVM writes it; anything else is a struct.error or an IndexError."""
    header = _HEADER.unpack_from(data)
    table, flags, count, names_index = header[6], header[7], header[12], header[13]
    rows = [_SECTION.unpack_from(data, table + index * _SECTION.size) for index in range(count)]
    names = _contents(data, rows[names_index])
    symbol_table = next(row for row in rows if row[1] == SHT_SYMTAB)
    symbol_names = _contents(data, rows[symbol_table[6]])
    symbols = [_symbol(row, symbol_names) for row in _SYMBOL.iter_unpack(_contents(data, symbol_table))]
    sections = tuple(_section(data, row, names) for row in rows)
    return _without(Object(data[:24], flags, sections, tuple(symbols)), lambda section: section.type not in (SHT_SYMTAB, SHT_STRTAB))


def _contents(data: bytes, row: tuple[int, ...]) -> bytes:
    return b"" if row[1] == SHT_NOBITS else data[row[4] : row[4] + row[5]]


def _section(data: bytes, row: tuple[int, ...], names: bytes) -> Section:
    return Section(_name(names, row[0]), row[1], row[2], _contents(data, row), row[5], row[8], row[9], row[7])


def _symbol(row: tuple[int, ...], names: bytes) -> Symbol:
    return Symbol(_name(names, row[0]), *row[1:])


def _name(names: bytes, offset: int) -> str:
    return names[offset : names.index(b"\0", offset)].decode()


def strip(object_: Object, keep: Callable[[Section], bool]) -> Object:
    """Without the sections that are not kept and the relocations that go with them, and without symbols that neither name something
    of a kept section nor are needed by a kept relocation."""
    kept = _without(object_, lambda section: keep(section) and (section.type != SHT_REL or keep(object_.sections[section.info])))
    needed = {index for section in kept.sections if section.type == SHT_REL for index in _symbols_of(section)}
    return _with_symbols(kept, [index for index, symbol in enumerate(kept.symbols) if index in needed or _is_kept(index, symbol)])


def _is_kept(index: int, symbol: Symbol) -> bool:
    return index == 0 or (symbol.kind in (STT_OBJECT, STT_FUNC, STT_NOTYPE) and not (symbol.local and symbol.kind == STT_NOTYPE))


def _without(object_: Object, keep: Callable[[Section], bool]) -> Object:
    """Leave sections out, and the symbols in them; indexes are made anew."""
    places = [index for index, section in enumerate(object_.sections) if index == 0 or keep(section)]
    new_place = {old: new for new, old in enumerate(places)}
    sections = tuple(
        replace(section, info=new_place.get(section.info, 0)) if section.type == SHT_REL else section
        for section in (object_.sections[place] for place in places)
    )
    symbols = object_.symbols
    kept = [index for index, symbol in enumerate(symbols) if symbol.section >= _SHN_LORESERVE or symbol.section in new_place]
    moved = replace(
        object_,
        sections=sections,
        symbols=tuple(replace(symbol, section=new_place.get(symbol.section, symbol.section)) for symbol in symbols),
    )
    return _with_symbols(moved, kept)


def _with_symbols(object_: Object, kept: Sequence[int]) -> Object:
    """Only these symbols; relocations get their new numbers."""
    new_index = {old: new for new, old in enumerate(kept)}
    sections = tuple(
        replace(section, data=_renumbered(section.data, new_index)) if section.type == SHT_REL else section for section in object_.sections
    )
    return replace(object_, sections=sections, symbols=tuple(object_.symbols[index] for index in kept))


def _symbols_of(relocations: Section) -> Iterable[int]:
    return (info >> 32 for _, info in _RELOCATION.iter_unpack(relocations.data))


def _renumbered(relocations: bytes, new_index: dict[int, int]) -> bytes:
    # A relocation whose symbol is gone belongs to a section that is about to go too.
    rows = _RELOCATION.iter_unpack(relocations)
    return b"".join(_RELOCATION.pack(offset, new_index.get(info >> 32, 0) << 32 | info & 0xFFFFFFFF) for offset, info in rows)


def moved_relocations(relocations: bytes, offset: Callable[[int], int]) -> bytes:
    """A table of relocations whose section's bytes have moved: `offset` says an offset's new one."""
    return b"".join(_RELOCATION.pack(offset(at), info) for at, info in _RELOCATION.iter_unpack(relocations))


def relocations_of(object_: Object, index: int) -> dict[int, Symbol]:
    """The symbol of each relocation of a section, by the offset that it changes."""
    tables = (section for section in object_.sections if section.type == SHT_REL and section.info == index)
    return {at: object_.symbols[info >> 32] for table in tables for at, info in _RELOCATION.iter_unpack(table.data)}


def write(object_: Object) -> bytes:
    """The bytes of the object: header, sections, symbols, names, section headers."""
    names = _Names()
    symbols = b"".join(
        _SYMBOL.pack(names.offset(symbol.name), symbol.info, symbol.other, symbol.section, symbol.value, symbol.size)
        for symbol in object_.symbols
    )
    first_global = next((index for index, symbol in enumerate(object_.symbols) if not symbol.local), len(object_.symbols))
    sections = [
        *object_.sections,
        Section(".symtab", SHT_SYMTAB, 0, symbols, len(symbols), _TABLE_ALIGNMENT, _SYMBOL.size, first_global),
        Section(".strtab", SHT_STRTAB, 0, b"", 0, 1),
    ]
    symbol_table, name_table = len(sections) - 2, len(sections) - 1
    name_offsets = [names.offset(section.name) for section in sections]
    sections[name_table] = replace(sections[name_table], data=names.bytes, size=len(names.bytes))
    links = {SHT_REL: symbol_table, SHT_SYMTAB: name_table}

    body, rows = bytearray(_SECTIONS_AT), []
    for section, name in zip(sections, name_offsets, strict=True):
        body += bytes(-len(body) % max(1, section.alignment))
        place = len(body) if section.type else 0
        link = links.get(section.type, 0)
        rows.append(
            _SECTION.pack(
                name, section.type, section.flags, 0, place, section.size, link, section.info, section.alignment, section.entry_size
            )
        )
        body += section.data
    body += bytes(-len(body) % _TABLE_ALIGNMENT)
    body[: len(object_.header)] = object_.header
    tail = _HEADER.unpack(
        object_.header
        + struct.pack("<QQQIHHHHHH", 0, 0, len(body), object_.flags, _HEADER.size, 0, 0, _SECTION.size, len(sections), name_table)
    )
    body[: _HEADER.size] = _HEADER.pack(*tail)
    return bytes(body) + b"".join(rows)


@final
class _Names:
    """A table of names, each once."""

    def __init__(self) -> None:
        self.bytes = b"\0"
        self._offsets = {"": 0}

    def offset(self, name: str) -> int:
        if name not in self._offsets:
            self._offsets[name] = len(self.bytes)
            self.bytes += name.encode() + b"\0"
        return self._offsets[name]
