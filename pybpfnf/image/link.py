"""Functions of an object linked to programs: relocations resolved, reached subprograms appended.

    lwt_seg6local: [one: call .text+0x28]   .text: [cb] [sub]
                   becomes        one: [one: call +51] [cb] [sub]

as libbpf and cilium/ebpf do. Global names become names of maps and kernel functions in `Insn.ref`; nothing is loaded here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import final

from pybpfnf.abi.codec import SLOT_SIZE, DecodeError, decode
from pybpfnf.abi.forms import FORMS, Insn, Kind
from pybpfnf.errors import ObjectError
from pybpfnf.image.maps import Place, is_data
from pybpfnf.image.objfile import ObjectFile, Relocation, Section, Symbol, SymbolKind
from pybpfnf.records import dataclass

_CALL, _KFUNC_CALL, _LD_FUNC, _LD_MAP, _LD_MAP_VALUE = (
    FORMS[name] for name in ("call_local", "call_kfunc", "ld_func", "ld_map", "ld_map_value")
)
# The relocation that each kind of instruction takes (Documentation/bpf/llvm_reloc.rst). R_BPF_64_ABS64, ABS32 and NODYLD32
# stand in data: those of .BTF repeat what symbols say, others are addresses that no object can know.
_R_BPF_64_64, _R_BPF_64_32 = 1, 10
_RELOCATIONS = {Kind.LOAD_IMM64: _R_BPF_64_64, Kind.CALL_LOCAL: _R_BPF_64_32, Kind.CALL_HELPER: _R_BPF_64_32}
_PLAIN_LOAD = FORMS["lddw"]
_OLD_CALLX = bytes([FORMS["callx"].opcode, 0, 0, 0])
_CALLABLE = range(1, 10)  # registers; of r0, both ways are the same


@final
@dataclass(frozen=True)
class Function:
    """A function as it stands in its section, bytes `start` to `end`. A `local` one and any in .text is no program of its own."""

    name: str
    section: Section
    start: int
    end: int
    local: bool

    @property
    def key(self) -> tuple[int, int]:
        return self.section.index, self.start

    @property
    def is_program(self) -> bool:
        return not self.local and not is_text(self.section)

    @property
    def slots(self) -> int:
        return (self.end - self.start) // SLOT_SIZE

    @cached_property
    def insns(self) -> tuple[Insn, ...]:
        try:
            return decode(_with_register_calls(self.section.data[self.start : self.end]))
        except DecodeError as error:
            raise ObjectError(f"function {self.name!r}: {error.message}") from error


def _with_register_calls(code: bytes) -> bytes:
    """Calls through a register as RFC 9669 has them. LLVM before 19 put the register into imm, where it is reserved."""
    if _OLD_CALLX not in code:
        return code
    out = bytearray(code)
    for at in range(0, len(code) - SLOT_SIZE + 1, SLOT_SIZE):
        if code[at : at + 4] == _OLD_CALLX and code[at + 4] in _CALLABLE and not any(code[at + 5 : at + SLOT_SIZE]):
            out[at : at + SLOT_SIZE] = bytes([code[at], code[at + 4], *bytes(SLOT_SIZE - 2)])
    return bytes(out)


def is_text(section: Section) -> bool:
    """Sections of subprograms. LLVM moves functions that it thinks cold to `.text.unlikely.`."""
    return section.name == ".text" or section.name.startswith(".text.")


def read_functions(obj: ObjectFile) -> tuple[Function, ...]:
    """Every function, by section and place; raises ObjectError where symbols do not divide a section into functions."""
    return tuple(function for section in obj.sections if section.executable for function in _functions_in(obj, section))


def _functions_in(obj: ObjectFile, section: Section) -> Iterator[Function]:
    symbols = [symbol for symbol in obj.symbols if symbol.section == section.index and symbol.kind is SymbolKind.FUNCTION]
    symbols.sort(key=lambda symbol: symbol.value)
    limits = [*(symbol.value for symbol in symbols[1:]), len(section.data)]
    for symbol, limit in zip(symbols, limits, strict=False):  # an empty .text has a limit and no symbol
        end = symbol.value + symbol.size if symbol.size else limit
        if symbol.value % SLOT_SIZE or end % SLOT_SIZE or not symbol.value < end <= limit:
            raise ObjectError(f"function {symbol.name!r} does not fit in section {section.name!r}, or overlaps the next")
        yield Function(symbol.name, section, symbol.value, end, symbol.local)


@final
@dataclass(frozen=True)
class Linked:
    """One program's instructions, and where each function landed: its first instruction's slot."""

    insns: tuple[Insn, ...]
    functions: tuple[tuple[Function, int], ...]


@final
class Linker:
    """Links any of an object's programs; holds only what was read from it."""

    def __init__(self, obj: ObjectFile, functions: Iterable[Function], maps: Iterable[Place], kfuncs: Iterable[str] = ()) -> None:
        self._sections = obj.sections
        self._functions: Mapping[tuple[int, int], Function] = {function.key: function for function in functions}
        self._maps: Mapping[tuple[int, int], str] = {(place.section, place.offset): place.spec.name for place in maps}
        self._relocations = obj.relocations
        self._kfuncs = frozenset(kfuncs)

    def link(self, program: Function) -> Linked:
        """The program, then each function it reaches, once, in the order in which they are met."""
        placed = {program.key: (program, 0)}
        queue = [program]
        end = program.slots
        insns: list[Insn] = []
        for function in queue:  # grows meanwhile
            slot = placed[function.key][1]
            for insn, callee in self._resolved(function):
                resolved = insn
                if callee is not None:
                    if callee.key not in placed:
                        placed[callee.key] = callee, end
                        end += callee.slots
                        queue.append(callee)
                    # The kernel counts from the instruction after the call, also for the address of a function.
                    distance = placed[callee.key][1] - slot - 1
                    resolved = replace(insn, imm=distance & 0xFFFFFFFF if insn.form is _LD_FUNC else distance)
                insns.append(resolved)
                slot += insn.slots
        return Linked(tuple(insns), tuple(placed.values()))

    def _resolved(self, function: Function) -> Iterator[tuple[Insn, Function | None]]:
        """Each instruction with its relocation done, and the function that it calls or points at, if it does."""
        relocations = self._relocations_of(function)
        for offset, insn in _walk(function):
            try:
                if offset in relocations:
                    yield self._relocate(insn, relocations[offset])
                else:
                    yield self._unrelocated(function, offset, insn)
            except ObjectError as error:
                raise ObjectError(f"function {function.name!r}, byte {offset:#x}: {error.message}", hint=error.hint) from None

    def _relocations_of(self, function: Function) -> dict[int, Relocation]:
        rows = self._relocations.get(function.section.index, ())
        found = {row.offset: row for row in rows if function.start <= row.offset < function.end}
        misplaced = found.keys() - {offset for offset, _ in _walk(function)}
        if misplaced:
            raise ObjectError(f"function {function.name!r}: a relocation at byte {min(misplaced):#x}, where no instruction starts")
        return found

    def _unrelocated(self, function: Function, offset: int, insn: Insn) -> tuple[Insn, Function | None]:
        if insn.form is _CALL:
            return insn, self._function(function.section.index, offset + (insn.imm + 1) * SLOT_SIZE)
        if insn.form.kind is Kind.LOAD_IMM64 and insn.form is not _PLAIN_LOAD:
            raise ObjectError(f"{insn.form.name} without a relocation that says of what")
        return insn, None

    def _relocate(self, insn: Insn, relocation: Relocation) -> tuple[Insn, Function | None]:
        symbol = relocation.symbol
        if symbol.section is None and symbol.name in self._kfuncs and insn.form.kind in (Kind.CALL_LOCAL, Kind.CALL_HELPER):
            return replace(insn, form=_KFUNC_CALL, src=2, imm=0, ref=symbol.name), None
        if symbol.section is None:
            raise ObjectError(
                f"{symbol.name!r} is not defined in the object",
                hint="functions of the kernel are declared in section .ksyms; kernel symbols and kconfig values are not supported",
            )
        if _RELOCATIONS.get(insn.form.kind) != relocation.type:
            raise ObjectError(f"{insn.form.name} with a relocation of type {relocation.type} to {symbol.name!r}")
        section = self._sections[symbol.section]
        if insn.form.kind is not Kind.LOAD_IMM64:
            # A call through a section's symbol counts instructions from the start of the section, and is one short.
            target = symbol.value + (insn.imm + 1) * SLOT_SIZE
            return replace(insn, form=_CALL, src=1), self._function(symbol.section, target)
        target = symbol.value + _signed(insn.imm)
        if section.executable:
            return replace(insn, form=_LD_FUNC, src=4), self._function(symbol.section, target)
        return self._load_address(insn, section, symbol, target), None

    def _load_address(self, insn: Insn, section: Section, symbol: Symbol, target: int) -> Insn:
        if is_data(section):
            if not 0 <= target <= len(section.data):
                raise ObjectError(f"byte {target} is outside of section {section.name!r}")
            if section.index in self._relocations:
                pointed = self._relocations[section.index][0].symbol.name
                raise ObjectError(
                    f"section {section.name!r} holds addresses (of {pointed!r}), which are not supported",
                    hint="keep numbers in global variables, not pointers: arrays of char[N] in place of char *",
                )
            return replace(insn, form=_LD_MAP_VALUE, src=2, imm=target << 32, ref=section.name)
        name = self._maps.get((section.index, target))
        if name is None:
            raise ObjectError(f"{symbol.name!r} in section {section.name!r} is neither a map nor data")
        return replace(insn, form=_LD_MAP, src=1, imm=0, ref=name)

    def _function(self, section: int, offset: int) -> Function:
        function = self._functions.get((section, offset))
        if function is None:
            raise ObjectError(f"no function starts at byte {offset:#x} of section {self._sections[section].name!r}")
        return function


def _walk(function: Function) -> Iterator[tuple[int, Insn]]:
    offset = function.start
    for insn in function.insns:
        yield offset, insn
        offset += insn.slots * SLOT_SIZE


def _signed(value: int) -> int:
    """The addend: LLVM writes it to the low immediate, sign-extended or not."""
    low = value & 0xFFFFFFFF
    return low - (1 << 32) if low >> 31 else low
