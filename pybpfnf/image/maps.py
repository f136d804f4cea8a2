"""The maps of an object: BTF definitions in `.maps`, structs in `maps`, and data sections, which are maps of one value."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import final

from pybpfnf.abi.maps import BPF_F_MMAPABLE, BPF_F_RDONLY_PROG, MAP_TYPES, MAP_TYPES_BY_ID
from pybpfnf.errors import ObjectError
from pybpfnf.image.btf import Btf, Kind, Type
from pybpfnf.image.btftypes import read_type
from pybpfnf.image.model import MapSpec
from pybpfnf.image.objfile import ObjectFile, Section, Symbol, SymbolKind
from pybpfnf.records import dataclass
from pybpfnf.types.layout import StructType

BTF_SECTION, LEGACY_SECTION = ".maps", "maps"
_R_BPF_64_ABS64, _POINTER_SIZE = 2, 8
_PROGRAM_SIZE = 4  # of a value of a program array: a descriptor
_PIN_BY_NAME = 1  # LIBBPF_PIN_BY_NAME
_PIN_OBJECT_NS, _PIN_GLOBAL_NS = 1, 2  # iproute2, include/bpf_elf.h: for programs of the object, and for all
# Types for which the kernel refuses key and value types (map_check_no_btf in kernel/bpf, as bpf_object__create_map in libbpf lists).
_WITHOUT_BTF = frozenset(
    {"prog_array", "perf_event_array", "cgroup_array", "stack_trace", "array_of_maps", "hash_of_maps", "devmap", "devmap_hash", "cpumap"}
    | {"xskmap", "sockmap", "sockhash", "queue", "stack", "ringbuf"}
)


@final
@dataclass(frozen=True, slots=True)
class Place:
    """A map and where relocations find it: `offset` bytes into section number `section`."""

    section: int
    offset: int
    spec: MapSpec


def is_data(section: Section) -> bool:
    """Whether the section becomes a map of its own: .rodata, .data, .bss and what goes on after a dot."""
    base = section.name[1:].partition(".")[0] if section.name.startswith(".") else ""
    return section.allocated and base in ("rodata", "data", "bss") and bool(section.data) and not section.executable


def read_maps(obj: ObjectFile, btf: Btf | None) -> tuple[Place, ...]:
    """Every map that the object defines, data sections included; raises ObjectError naming the map that cannot be used."""
    return (*_btf_maps(obj, btf), *_legacy_maps(obj), *_data_maps(obj, btf))


def _data_maps(obj: ObjectFile, btf: Btf | None) -> Iterator[Place]:
    for section in filter(is_data, obj.sections):
        frozen = section.name.startswith(".rodata")
        datasec = btf.datasecs.get(section.name) if btf is not None else None
        yield Place(
            section.index,
            0,
            MapSpec(
                name=section.name,
                type="array",
                key_size=4,
                value_size=len(section.data),
                max_entries=1,
                # Mapped, one variable can be changed without its neighbours, which programs may be changing.
                flags=BPF_F_RDONLY_PROG if frozen else BPF_F_MMAPABLE,
                initial=section.data,
                frozen=frozen,
                btf_value_type=datasec.id if datasec is not None else 0,
            ),
        )


def _symbols_in(obj: ObjectFile, section: Section) -> list[Symbol]:
    kinds = (SymbolKind.OBJECT, SymbolKind.OTHER)
    found = [symbol for symbol in obj.symbols if symbol.section == section.index and symbol.kind in kinds]
    return sorted(found, key=lambda symbol: symbol.value)


def _type_name(name: str, number: int) -> str:
    if number not in MAP_TYPES_BY_ID:
        raise ObjectError(f"map {name!r} has type {number}, which is not known")
    return MAP_TYPES_BY_ID[number].name


# --- BTF definitions ---


def _btf_maps(obj: ObjectFile, btf: Btf | None) -> Iterator[Place]:
    section = obj.section(BTF_SECTION)
    if section is None or not section.data:
        return
    if btf is None:
        raise ObjectError("section .maps without .BTF, which says what its maps are", hint="compile with -g")
    variables = {variable.name: variable for variable, _ in btf.variables(BTF_SECTION)}
    for symbol in _symbols_in(obj, section):
        if symbol.name not in variables:
            raise ObjectError(f"map {symbol.name!r} has no type in .BTF", hint="compile with -g")
        spec = _btf_map(btf, symbol.name, variables[symbol.name])
        yield Place(section.index, symbol.value, replace(spec, programs=_programs(obj, btf, symbol, variables[symbol.name])))


def _btf_map(btf: Btf, name: str, variable: Type) -> MapSpec:
    definition = btf.strip(variable.value)
    if definition.kind is not Kind.STRUCT:
        raise ObjectError(f"map {name!r} is not defined by a struct")
    numbers: dict[str, int] = {}
    types: dict[str, int] = {}
    for name_offset, member_type, _offset in definition.entries():
        member = btf.string(name_offset)
        if member in ("key", "value"):
            types[member] = _pointed(btf, name, member, member_type).id
            numbers[f"{member}_size"] = btf.size_of(types[member])
        elif member in ("type", "max_entries", "map_flags", "key_size", "value_size", "pinning"):
            numbers[member] = _number(btf, name, member, member_type)
        elif member == "values" and "type" in numbers and _type_name(name, numbers["type"]) == "prog_array":
            numbers["value_size"] = _PROGRAM_SIZE
        else:
            raise ObjectError(f"map {name!r}: {member!r} in a map definition is not supported")
    if "type" not in numbers:
        raise ObjectError(f"map {name!r} does not say its type")
    type_name = _type_name(name, numbers["type"])
    if numbers.get("pinning", 0) not in (0, _PIN_BY_NAME):
        raise ObjectError(f"map {name!r} asks for pinning {numbers['pinning']}; 0 (none) and {_PIN_BY_NAME} (by name) are known")
    typed = type_name not in _WITHOUT_BTF
    return MapSpec(
        name=name,
        type=type_name,
        key_size=numbers.get("key_size", 0),
        value_size=numbers.get("value_size", 0),
        max_entries=numbers.get("max_entries", 0),
        flags=numbers.get("map_flags", 0),
        pin_by_name=numbers.get("pinning") == _PIN_BY_NAME,
        btf_key_type=types.get("key", 0) if typed else 0,
        btf_value_type=types.get("value", 0) if typed else 0,
        key_type=read_type(btf, types["key"]) if "key" in types else None,
        value_type=read_type(btf, types["value"]) if "value" in types else _record_type(btf, type_name, definition),
    )


def _programs(obj: ObjectFile, btf: Btf, symbol: Symbol, variable: Type) -> tuple[tuple[int, str], ...]:
    """The slots of a program array: relocations of pointers in `values`, the last member (libbpf, bpf_object__collect_map_relos)."""
    values = [offset // 8 for name, _, offset in btf.strip(variable.value).entries() if btf.string(name) == "values"]
    if not values or symbol.section is None:
        return ()
    start, found = symbol.value + values[0], []
    for relocation in obj.relocations.get(symbol.section, ()):
        if start <= relocation.offset < symbol.value + symbol.size:
            target = relocation.symbol
            if relocation.type != _R_BPF_64_ABS64 or target.kind is not SymbolKind.FUNCTION or target.local:
                message = f"map {symbol.name!r}: {target.name!r} in its values is no program"
                raise ObjectError(message, hint="name a function that is not static")
            found.append(((relocation.offset - start) // _POINTER_SIZE, target.name))
    return tuple(sorted(found))


def _record_type(btf: Btf, type_name: str, definition: Type) -> StructType | None:
    """The item of the array that `type` points to, where it is a struct: in C it is an int."""
    if not MAP_TYPES[type_name].of_records:
        return None
    pointer = next(type_ for name, type_, _ in definition.entries() if btf.string(name) == "type")
    found = read_type(btf, btf.strip(btf.strip(pointer).value).trailer[0])
    return found if isinstance(found, StructType) else None


def _pointed(btf: Btf, name: str, member: str, number: int) -> Type:
    pointer = btf.strip(number)
    if pointer.kind is not Kind.PTR:
        raise ObjectError(f"map {name!r}: {member!r} is not a pointer", hint=f"write __type({member}, ...)")
    return btf.type(pointer.value)


def _number(btf: Btf, name: str, member: str, number: int) -> int:
    """A number N is written as a pointer to an array of N."""
    array = btf.strip(_pointed(btf, name, member, number).id)
    if array.kind is not Kind.ARRAY:
        raise ObjectError(f"map {name!r}: {member!r} is not a number", hint=f"write __uint({member}, ...)")
    return array.trailer[2]


# --- structs in a section `maps`, the form before BTF ---


def _legacy_maps(obj: ObjectFile) -> Iterator[Place]:
    section = obj.section(LEGACY_SECTION)
    if section is None or not section.data:
        return
    for symbol in _symbols_in(obj, section):
        raw = section.data[symbol.value : symbol.value + symbol.size]
        if symbol.size not in _LEGACY or len(raw) < symbol.size:
            known = ", ".join(map(str, sorted(_LEGACY)))
            raise ObjectError(f"map {symbol.name!r} is defined by {symbol.size} bytes; structs of {known} bytes are known")
        words = struct.unpack(f"<{symbol.size // 4}I", raw)
        spec = _LEGACY[symbol.size](symbol.name, words)
        if symbol.size == _BPF_ELF_MAP_SIZE and spec.type == "prog_array":
            spec = replace(spec, programs=_tail_sections(obj, spec, words[_BPF_ELF_MAP_ID]))
        yield Place(section.index, symbol.value, spec)


def _bpf_map_def(name: str, words: tuple[int, ...]) -> MapSpec:
    """struct bpf_map_def of the kernel's samples; 28 bytes with an inner map and a NUMA node at the end, which must be unset."""
    number, key_size, value_size, max_entries, flags, *rest = words
    if any(rest):
        raise ObjectError(f"map {name!r}: inner maps and NUMA nodes are not supported")
    return MapSpec(name, _type_name(name, number), key_size, value_size, max_entries, flags)


def _bpf_elf_map(name: str, words: tuple[int, ...]) -> MapSpec:
    """struct bpf_elf_map of iproute2 (include/bpf_elf.h). `id` means something to tail-call sections, and to inner maps."""
    number, key_size, value_size, max_entries, flags, _id, pinning, inner_id, inner_index = words
    if inner_id or inner_index:
        raise ObjectError(f"map {name!r}: inner maps are not supported")
    if pinning not in (0, _PIN_OBJECT_NS, _PIN_GLOBAL_NS):
        known = f"0 (none), {_PIN_OBJECT_NS} (PIN_OBJECT_NS) and {_PIN_GLOBAL_NS} (PIN_GLOBAL_NS)"
        raise ObjectError(f"map {name!r} asks for pinning {pinning}; {known} are known")
    return MapSpec(name, _type_name(name, number), key_size, value_size, max_entries, flags, pin_by_name=pinning == _PIN_GLOBAL_NS)


def _tail_sections(obj: ObjectFile, spec: MapSpec, number: int) -> tuple[tuple[int, str], ...]:
    """The slots of the program array with this id: a program in a section `ID/SLOT` is in that slot (iproute2, lib/bpf_legacy.c,
    bpf_fill_prog_arrays, which reads both numbers as C does)."""
    slots: dict[int, str] = {}
    for section in obj.sections:
        match = _TAIL_SECTION.fullmatch(section.name)
        if match is None or not section.executable or _c_number(match[1]) != number:
            continue
        slot = _c_number(match[2])
        if slot >= spec.max_entries:
            raise ObjectError(f"section {section.name!r} is for slot {slot} of map {spec.name!r}, which has {spec.max_entries}")
        functions = [symbol for symbol in obj.symbols if symbol.section == section.index and symbol.kind is SymbolKind.FUNCTION]
        slots.update((slot, symbol.name) for symbol in functions if symbol.value == 0)
    return tuple(sorted(slots.items()))


def _c_number(text: str) -> int:
    """As scanf reads %i: 0x begins a hexadecimal number, 0 an octal one."""
    return int(text, 16 if text[:2] in ("0x", "0X") else 8 if text[0] == "0" else 10)


_LEGACY = {20: _bpf_map_def, 28: _bpf_map_def, 36: _bpf_elf_map}
_BPF_ELF_MAP_SIZE, _BPF_ELF_MAP_ID = 36, 5
_TAIL_SECTION = re.compile(r"(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)/(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")
