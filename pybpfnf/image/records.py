"""Records of .BTF.ext moved along with the functions that linking placed: from bytes in a section to slots of a program."""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import final

from pybpfnf.abi.codec import SLOT_SIZE
from pybpfnf.errors import ObjectError
from pybpfnf.image.btf import Btf
from pybpfnf.image.btfext import BtfExt, Record
from pybpfnf.image.link import Function, Linked
from pybpfnf.image.meta import Chain, MetaCalls
from pybpfnf.image.model import FunctionRecord, LineRecord
from pybpfnf.records import dataclass

_FUNC_INFO = struct.Struct("<II")  # struct bpf_func_info: insn_off, type_id
_LINE_INFO = struct.Struct("<IIII")  # struct bpf_line_info: insn_off, file_name_off, line_off, line_col
_COLUMN_BITS = 10  # of line_col; the line is above them


@final
@dataclass(frozen=True, slots=True)
class Placed:
    """One program's records, as `ProgramImage` has them."""

    functions: tuple[FunctionRecord, ...]
    lines: tuple[LineRecord, ...]
    func_info: bytes
    line_info: bytes


@final
class Records:
    """All records of one object, ready to be placed for any of its programs."""

    def __init__(self, btf: Btf | None, ext: BtfExt, calls: MetaCalls) -> None:
        self._btf = btf
        self._calls = calls
        self._functions = _by_section(ext.functions)
        self._lines = _by_section(ext.lines)
        self._core = _by_section(ext.core)

    def place(self, linked: Linked) -> Placed:
        """Raises ObjectError for a program with CO-RE relocations, which need the types of a running kernel."""
        functions: list[FunctionRecord] = []
        lines: dict[int, tuple[int, ...]] = {}  # words by slot: the kernel wants one record a slot, in order
        callers: dict[int, Chain] = {}
        for function, slot in linked.functions:
            self._refuse_core(function)
            types = [record.words[0] for record in _within(self._functions, function) if record.offset == function.start]
            functions.append(FunctionRecord(slot, function.name, types[0] if types else 0))
            for record in _within(self._lines, function):
                at = slot + (record.offset - function.start) // SLOT_SIZE
                lines[at], callers[at] = record.words, self._chain(record)
        return Placed(tuple(functions), self._line_records(lines, callers), _func_info(functions), _line_info(functions, lines))

    def _refuse_core(self, function: Function) -> None:
        record = next(iter(_within(self._core, function)), None)
        if record is None or self._btf is None:
            return
        name = self._btf.type(record.words[0]).name or "an anonymous type"
        raise ObjectError(
            f"function {function.name!r} needs a CO-RE relocation (of {name}), which is not supported",
            hint="include the kernel's headers in place of vmlinux.h, or compile without preserve_access_index",
        )

    def _chain(self, record: Record) -> Chain:
        places = self._calls.places.get(record.section, ())
        before = bisect_right(places, record.offset, key=lambda place: place[0])
        number = places[before - 1][1] if before else 0
        return self._calls.chains[number - 1] if number else ()

    def _line_records(self, lines: dict[int, tuple[int, ...]], callers: dict[int, Chain]) -> tuple[LineRecord, ...]:
        return tuple(self._line_record(slot, lines[slot], callers[slot]) for slot in sorted(lines))

    def _line_record(self, slot: int, words: tuple[int, ...], callers: Chain) -> LineRecord:
        assert self._btf is not None  # no records are decoded without it
        file, text, place = words
        line, column = place >> _COLUMN_BITS, place & ((1 << _COLUMN_BITS) - 1)
        return LineRecord(slot, self._btf.string(file), line, column, self._btf.string(text), callers)


def _func_info(functions: Iterable[FunctionRecord]) -> bytes:
    """The kernel wants a record for each function, or none (check_btf_func in kernel/bpf/verifier.c)."""
    rows = [(record.slot, record.type_id) for record in functions]
    return b"".join(_FUNC_INFO.pack(*row) for row in rows) if all(type_id for _, type_id in rows) else b""


def _line_info(functions: Iterable[FunctionRecord], lines: dict[int, tuple[int, ...]]) -> bytes:
    """The kernel wants a record at the first instruction of each function, or none (check_btf_line)."""
    if any(record.slot not in lines for record in functions):
        return b""
    return b"".join(_LINE_INFO.pack(slot, *lines[slot]) for slot in sorted(lines))


def _by_section(records: Iterable[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record.section, []).append(record)
    for rows in found.values():
        rows.sort(key=lambda record: record.offset)
    return found


def _within(records: dict[str, list[Record]], function: Function) -> list[Record]:
    rows = records.get(function.section.name, [])
    first, last = (bisect_left(rows, offset, key=lambda record: record.offset) for offset in (function.start, function.end))
    return rows[first:last]
