"""What an object is, once read: frozen data that any object gives, from here or from clang. No fd, no address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import Enum
from functools import cached_property
from typing import final

from pybpfnf.abi.forms import Insn, Kind
from pybpfnf.errors import InputError
from pybpfnf.records import dataclass
from pybpfnf.types.layout import FieldType, ValueType


@final
@dataclass(frozen=True, slots=True)
class LineRecord:
    """From `slot` on, instructions stand for this source line (.BTF.ext line_info). Lines and columns from 1; 0: unknown.

    `callers`, of a line in a function that was inlined: FILE:LINE:COLUMN of the calls, the innermost first, where `.pybpfnf` says it."""

    slot: int
    file: str
    line: int
    column: int
    text: str
    callers: tuple[str, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class FunctionRecord:
    """A function starts at `slot`; `type_id` is its BTF_KIND_FUNC id in the object's BTF, 0 where there is none."""

    slot: int
    name: str
    type_id: int


class Role(Enum):
    CONFIG = "config"  # in .rodata: set at load time, read-only afterwards
    STATE = "state"  # in .data or .bss: the control plane may change it while packets flow


@final
@dataclass(frozen=True, slots=True)
class Variable:
    """A Config or State of the source, at `offset` in the data section's map: integers and bool in host byte order, an IPv6Address
    as on the wire."""

    name: str
    role: Role
    type: ValueType
    map: str
    offset: int
    size: int
    required: bool  # a Config without default: a value must be given
    default: bytes


@final
@dataclass(frozen=True, slots=True)
class FaultSite:
    """A place in the source where the function may return its on_fault verdict; `number` indexes the fault counters."""

    number: int
    file: str
    line: int
    column: int
    message: str
    function: str
    callers: tuple[str, ...] = ()  # of a line in a function that was inlined: FILE:LINE:COLUMN of the calls, the innermost first


@final
@dataclass(frozen=True, slots=True)
class FaultCounters:
    """Where the counters are: a u64 in host byte order for each site, from `offset` in the value of map `map`."""

    map: str
    offset: int
    sites: tuple[FaultSite, ...]


@final
@dataclass(frozen=True, slots=True)
class MapSpec:
    """A map to create. Data sections (`.rodata*`, `.data*`, `.bss*`) are arrays of one value with `initial` contents;
    `frozen` ones are read-only for programs and, after loading, for user space."""

    name: str
    type: str  # a row of abi.maps
    key_size: int
    value_size: int
    max_entries: int
    flags: int = 0
    pin_by_name: bool = False
    initial: bytes | None = None
    frozen: bool = False
    btf_key_type: int = 0
    btf_value_type: int = 0
    key_type: FieldType | None = None  # where `.pybpfnf` or .BTF describes it
    value_type: FieldType | None = None  # also of the records of a ring buffer or perf event array
    programs: tuple[tuple[int, str], ...] = ()  # of a prog_array: the slots that have one, and its name
    default: int | str | None = None  # what a missing key reads as, where `.pybpfnf` gives it; an address as text


@final
@dataclass(frozen=True)
class ProgramImage:
    """One program, linked: its own instructions first, then each subprogram that it reaches, calls resolved.

    Maps and kernel functions are named in `Insn.ref`. `type` is None where the section does not say it. `on_fault` is the
    language's; None elsewhere. `func_info` and `line_info` are arrays of struct bpf_func_info (8 bytes each) and bpf_line_info (16)
    for BPF_PROG_LOAD, type ids and string offsets of `ObjectImage.btf`; b"" where the object lacks a record that the kernel would
    ask for.
    """

    name: str
    section: str
    type: str | None
    insns: tuple[Insn, ...]
    functions: tuple[FunctionRecord, ...] = ()
    lines: tuple[LineRecord, ...] = ()
    on_fault: int | None = None
    doc: str = ""
    drops: str = ""  # where the source returns DROP, as FILE:LINE; "" where that is not known
    func_info: bytes = b""
    line_info: bytes = b""

    def dropped(self, said: str) -> str:
        """That the program returned DROP, in a sentence that begins so, with the lines where its source does."""
        return f"{said} at {self.drops}" if self.drops else said

    @cached_property
    def slots(self) -> int:
        """Length in instruction slots, as the kernel counts."""
        return sum(insn.slots for insn in self.insns)

    @cached_property
    def map_names(self) -> tuple[str, ...]:
        """The maps that the instructions name, in order of first use."""
        return self._referred(Kind.LOAD_IMM64)

    @cached_property
    def kfunc_names(self) -> tuple[str, ...]:
        """The kernel functions that the instructions call by name, in order of first use."""
        return self._referred(Kind.CALL_KFUNC)

    def _referred(self, kind: Kind) -> tuple[str, ...]:
        return tuple(dict.fromkeys(insn.ref for insn in self.insns if insn.ref is not None and insn.form.kind is kind))

    def line_at(self, slot: int) -> LineRecord | None:
        """The record that covers the instruction at `slot`, None where there is none."""
        covering = None
        for record in self.lines:
            if record.slot > slot:
                break
            covering = record
        return covering


@final
@dataclass(frozen=True)
class ObjectImage:
    """An object file as data. `btf` is the raw .BTF with DATASEC sizes and offsets filled in, as the kernel wants it; b"" without."""

    programs: tuple[ProgramImage, ...]
    maps: Mapping[str, MapSpec]
    license: str = ""
    btf: bytes = b""
    variables: Mapping[str, Variable] = field(default_factory=dict)
    faults: FaultCounters | None = None
    by_loader: Mapping[str, Variable] = field(default_factory=dict)  # what whoever loads it sets, by symbol (image.meta)

    def program(self, name: str | None = None) -> ProgramImage:
        """The program of that name, or the only one; raises InputError with the names there are."""
        names = ", ".join(program.name for program in self.programs)
        if name is None:
            if len(self.programs) == 1:
                return self.programs[0]
            raise InputError(f"the object has {len(self.programs)} programs: {names}", hint="name one of them with --program")
        for program in self.programs:
            if program.name == name:
                return program
        raise InputError(f"no program {name!r} in the object", hint=f"it has: {names}")
