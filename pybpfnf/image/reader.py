"""Read an object: ELF bytes, from our back end or from any compiler, become an ObjectImage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from pybpfnf.abi.programs import PROGRAM_TYPES, type_of_section
from pybpfnf.errors import InputError, ObjectError
from pybpfnf.image.btf import decode_btf
from pybpfnf.image.btfext import BtfExt, decode_btf_ext
from pybpfnf.image.datasec import fixup_datasec
from pybpfnf.image.link import Function, Linker, is_text, read_functions
from pybpfnf.image.maps import Place, read_maps
from pybpfnf.image.meta import SECTION, Meta, MetaCalls, MetaMap, decode_meta
from pybpfnf.image.model import MapSpec, ObjectImage, ProgramImage
from pybpfnf.image.objfile import ObjectFile, read_object
from pybpfnf.image.records import Records
from pybpfnf.image.variables import read_by_loader, read_faults, read_variables
from pybpfnf.types.layout import SCALAR_TYPES

_NO_TYPES: Mapping[str, str] = {}


def read(data: bytes, *, name: str = "<object>", types: Mapping[str, str] = _NO_TYPES) -> ObjectImage:
    """Everything in an object that this package uses, linked: programs, maps, types, variables, fault sites.

    `name` is what messages call the object. `types` says the type of programs by name, over what section names say.
    Raises ObjectError for bytes that are no usable object, InputError for `types` that do not fit it.
    """
    try:
        image = _read(data)
    except ObjectError as error:
        raise ObjectError(f"{name}: {error.message}", hint=error.hint) from error
    return _typed(image, types) if types else image


def _read(data: bytes) -> ObjectImage:
    obj = read_object(data)
    functions = read_functions(obj)
    programs = [function for function in functions if function.is_program]
    if not programs:
        raise _no_programs(functions)
    btf_section, ext_section, meta_section = (obj.section(section) for section in (".BTF", ".BTF.ext", SECTION))
    btf = decode_btf(btf_section.data) if btf_section is not None else None
    ext = decode_btf_ext(ext_section.data, btf) if ext_section is not None and btf is not None else BtfExt()
    meta = decode_meta(meta_section.data) if meta_section is not None else None
    places = read_maps(obj, btf)
    maps = _maps(places, meta)
    _check_slots(maps, programs)
    linker = Linker(obj, functions, places, btf.kfuncs if btf is not None else ())
    records = Records(btf, ext, meta.calls if meta is not None else MetaCalls())
    return ObjectImage(
        programs=tuple(_program(function, linker, records, meta) for function in programs),
        maps=maps,
        license=_license(obj),
        btf=fixup_datasec(btf, obj) if btf is not None else b"",
        variables=read_variables(obj, btf, meta),
        faults=read_faults(obj, meta),
        by_loader=read_by_loader(obj, meta),
    )


def _program(function: Function, linker: Linker, records: Records, meta: Meta | None) -> ProgramImage:
    linked = linker.link(function)
    placed = records.place(linked)
    said = meta.programs.get(function.name) if meta is not None else None
    if said is not None and said.type not in PROGRAM_TYPES:
        raise ObjectError(f"section {SECTION} gives program {function.name!r} the type {said.type!r}, which is not known")
    return ProgramImage(
        name=function.name,
        section=function.section.name,
        type=said.type if said is not None else _section_type(function.section.name),
        insns=linked.insns,
        functions=placed.functions,
        lines=placed.lines,
        on_fault=said.on_fault if said is not None else None,
        doc=said.doc if said is not None else "",
        drops=said.drops if said is not None else "",
        func_info=placed.func_info,
        line_info=placed.line_info,
    )


def _section_type(section: str) -> str | None:
    row = type_of_section(section)
    return row.name if row is not None else None


def _typed(image: ObjectImage, types: Mapping[str, str]) -> ObjectImage:
    for name, type_name in types.items():
        image.program(name)  # raises for one that the object does not have
        if type_name not in PROGRAM_TYPES:
            raise InputError(f"no program type {type_name!r}", hint=f"there are: {', '.join(PROGRAM_TYPES)}")
    return replace(image, programs=tuple(replace(program, type=types.get(program.name, program.type)) for program in image.programs))


def _maps(places: tuple[Place, ...], meta: Meta | None) -> dict[str, MapSpec]:
    maps: dict[str, MapSpec] = {}
    for place in places:
        if place.spec.name in maps:
            raise ObjectError(f"two maps or data sections are named {place.spec.name!r}")
        maps[place.spec.name] = place.spec
    for name, row in meta.maps.items() if meta is not None else ():
        if name not in maps:
            raise ObjectError(f"section {SECTION} lists a map {name!r}, which the object does not have")
        maps[name] = _listed(maps[name], row)
    return maps


def _check_slots(maps: Mapping[str, MapSpec], programs: Iterable[Function]) -> None:
    names = {program.name for program in programs}
    for spec in maps.values():
        for slot, name in spec.programs:
            if name not in names:
                raise ObjectError(f"slot {slot} of map {spec.name!r} has {name!r}, which is no program of the object")


def _listed(spec: MapSpec, row: MetaMap) -> MapSpec:
    """A scalar is as listed; what a struct is made of is in .BTF alone."""
    key, value = SCALAR_TYPES.get(row.key, spec.key_type), SCALAR_TYPES.get(row.value, spec.value_type)
    return replace(spec, key_type=key, value_type=value, default=row.default)


def _license(obj: ObjectFile) -> str:
    section = obj.section("license")
    return section.data.partition(b"\0")[0].decode(errors="backslashreplace") if section is not None else ""


def _no_programs(functions: tuple[Function, ...]) -> ObjectError:
    if any(is_text(function.section) for function in functions):
        return ObjectError(
            "no programs: its functions are in .text, where subprograms are",
            hint='put the program in a section that says its type: SEC("lwt_seg6local")',
        )
    return ObjectError("no programs: no executable section has functions")
