"""Which chain of calls each instruction was inlined through: the discriminators of DWARF's line table.

    line 9 of `inner`, inlined at line 13 of `probe`       discriminator 1, calls[0] = (probe.py:13:9,)

.BTF.ext says file, line and column of an instruction, of the innermost function alone. So `DebugInfo` gives each chain of calls a
number, as the discriminator of its locations, and LLVM takes it along to `.debug_line` (DWARF 5, section 6.2), which is read here
before it is stripped. Places that LLVM made of two, from different calls, have none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, final

from pybpfnf.backend.objects import elf, extinfo
from pybpfnf.errors import InternalError
from pybpfnf.image.meta import Chain, MetaCalls

_SECTION: Final = ".debug_line"
_VERSION: Final = 5
_UNIT: Final = 4  # bytes of a unit's length, which does not count itself
_HEADER_LENGTH: Final = 8  # where it stands in a unit: after the length, version, sizes of address and segment selector
_COPY, _ADVANCE_PC, _CONST_ADD_PC, _FIXED_ADVANCE_PC = 1, 2, 8, 9  # DW_LNS_*
_END_SEQUENCE, _SET_ADDRESS, _SET_DISCRIMINATOR = 1, 2, 4  # DW_LNE_*

Numbers = list[tuple[str, int]]  # of each line record, in the order of .BTF.ext: its section, and the number of its chain; 0: none


def read_numbers(object_: elf.Object) -> Numbers:
    """The number of the chain of each line record; of an object with DWARF."""
    found = {(section, offset): number for section, offset, number in _rows(object_)}
    return [(section, found.get((section, offset), 0)) for section, offset in _line_records(object_)]


def place_calls(object_: elf.Object, numbers: Numbers, chains: tuple[Chain, ...]) -> MetaCalls:
    """The chains by the places that the line records have in `object_`, where instructions may have moved; a record keeps its rank."""
    places: dict[str, list[tuple[int, int]]] = {}
    for (section, number), (_, offset) in zip(numbers, _line_records(object_), strict=True):
        rows = places.setdefault(section, [(0, 0)])
        if rows[-1][1] != number:
            rows.append((offset, number))
    return MetaCalls(chains, {section: tuple(rows[1:]) for section, rows in places.items() if rows[1:]})


def _line_records(object_: elf.Object) -> Iterator[tuple[str, int]]:
    btf, ext = object_.section(".BTF"), object_.section(".BTF.ext")
    return extinfo.records(ext.data, btf.data, extinfo.LINES) if btf is not None and ext is not None else iter(())


def _rows(object_: elf.Object) -> Iterator[tuple[str, int, int]]:
    """(section, offset in bytes, discriminator) of each row of the table."""
    for index, section in enumerate(object_.sections):
        if section.name == _SECTION:
            symbols, start = elf.relocations_of(object_, index), 0
            while start < section.size:
                program = _Program(object_, section.data, start, symbols)
                yield from program.rows()
                start = program.end


@final
class _Program:
    """The line number program of one unit, and its registers `address` and `discriminator`; the others are passed over."""

    def __init__(self, object_: elf.Object, data: bytes, start: int, symbols: Mapping[int, elf.Symbol]) -> None:
        self._object, self._data, self._symbols = object_, data, symbols
        self.end = start + _UNIT + int.from_bytes(data[start : start + _UNIT], "little")
        version = int.from_bytes(data[start + _UNIT : start + _UNIT + 2], "little")
        if version != _VERSION:
            raise InternalError(f"LLVM made a line table of DWARF {version}, not {_VERSION}")
        fields = start + _HEADER_LENGTH + 4
        self._position = fields + int.from_bytes(data[start + _HEADER_LENGTH : fields], "little")
        self._step, self._range, self._opcode_base = data[fields], data[fields + 4], data[fields + 5]
        self._operands = data[fields + 6 : fields + 5 + self._opcode_base]  # of the standard opcodes, from 1 on
        self._section, self._address, self._discriminator = "", 0, 0

    def rows(self) -> Iterator[tuple[str, int, int]]:
        while self._position < self.end:
            if self._next():
                yield self._section, self._address, self._discriminator
                self._discriminator = 0

    def _next(self) -> bool:
        """One opcode; whether it appends a row."""
        opcode = self._byte()
        if opcode >= self._opcode_base:
            self._advance(opcode)
            return True
        if opcode == 0:
            return self._extended()
        if opcode == _ADVANCE_PC:
            self._address += self._uleb() * self._step
        elif opcode == _CONST_ADD_PC:
            self._advance(255)
        elif opcode == _FIXED_ADVANCE_PC:
            self._address += self._number(2)
        else:
            for _ in range(self._operands[opcode - 1]):
                self._uleb()
        return opcode == _COPY

    def _advance(self, opcode: int) -> None:
        """As a special opcode does."""
        self._address += (opcode - self._opcode_base) // self._range * self._step

    def _extended(self) -> bool:
        end = self._uleb() + self._position
        opcode = self._byte()
        if opcode == _SET_ADDRESS:
            symbol = self._symbols[self._position]
            self._section = self._object.sections[symbol.section].name
            self._address = symbol.value + self._number(end - self._position)
        elif opcode == _SET_DISCRIMINATOR:
            self._discriminator = self._uleb()
        elif opcode == _END_SEQUENCE:
            self._discriminator = 0
        self._position = end
        return False

    def _byte(self) -> int:
        self._position += 1
        return self._data[self._position - 1]

    def _number(self, size: int) -> int:
        self._position += size
        return int.from_bytes(self._data[self._position - size : self._position], "little")

    def _uleb(self) -> int:
        """An LEB128 number; a signed one, which is passed over, has the same length."""
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
