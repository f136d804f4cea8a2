"""Named variables and fault counters: what `.pybpfnf` lists, found through symbols; for other objects, the scalars that BTF describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from pybpfnf.errors import ObjectError
from pybpfnf.image.btf import Btf
from pybpfnf.image.btftypes import read_scalar
from pybpfnf.image.datasec import variable_offset
from pybpfnf.image.maps import is_data
from pybpfnf.image.meta import FAULTS_SYMBOL, LOADERS_SYMBOLS, SECTION, Meta, MetaVariable
from pybpfnf.image.model import FaultCounters, FaultSite, Role, Variable
from pybpfnf.image.objfile import ObjectFile, Section
from pybpfnf.types.layout import SCALAR_TYPES, U64, ValueType

_COUNTER_SIZE = 8
_ROLES = frozenset(role.value for role in Role)

Variables: TypeAlias = dict[str, Variable]


def read_variables(obj: ObjectFile, btf: Btf | None, meta: Meta | None) -> Variables:
    """The variables by name. Where the object has `.pybpfnf`, those that it lists and no other."""
    if meta is not None:
        return {name: _listed(obj, name, row) for name, row in meta.variables.items()}
    return _described(obj, btf) if btf is not None else {}


def _listed(obj: ObjectFile, name: str, row: MetaVariable) -> Variable:
    if row.type not in SCALAR_TYPES or row.role not in _ROLES:
        raise ObjectError(f"section {SECTION} lists {name!r} as {row.role!r} of type {row.type!r}")
    section, offset = _locate(obj, name)
    return _variable(section, name, Role(row.role), SCALAR_TYPES[row.type], offset, row.required)


def _described(obj: ObjectFile, btf: Btf) -> Variables:
    """Global variables of objects from elsewhere: constants in .rodata can be configured, the others are state."""
    found: Variables = {}
    for section in filter(is_data, obj.sections):
        role = Role.CONFIG if section.name.startswith(".rodata") else Role.STATE
        for variable, recorded in btf.variables(section.name):
            type_ = read_scalar(btf, variable.value)
            offset = variable_offset(obj, section, variable.name, recorded)
            if type_ is not None:
                found[variable.name] = _variable(section, variable.name, role, type_, offset, False)
    return found


def _variable(section: Section, name: str, role: Role, type_: ValueType, offset: int, required: bool) -> Variable:
    default = section.data[offset : offset + type_.size]
    if len(default) < type_.size:
        raise ObjectError(f"variable {name!r} does not fit in section {section.name!r}")
    return Variable(name, role, type_, section.name, offset, type_.size, required, default)


def _locate(obj: ObjectFile, name: str) -> tuple[Section, int]:
    symbol = obj.named_symbols.get(name)
    if symbol is None or symbol.section is None or not is_data(obj.sections[symbol.section]):
        raise ObjectError(f"section {SECTION} lists {name!r}, but no data section has a symbol of that name")
    return obj.sections[symbol.section], symbol.value


def read_by_loader(obj: ObjectFile, meta: Meta | None) -> Mapping[str, Variable]:
    """What the compiler has left to the loader, where a function asks for it; nothing for objects from elsewhere."""
    found: dict[str, Variable] = {}
    for symbol in LOADERS_SYMBOLS:
        if meta is not None and symbol in obj.named_symbols:
            section, offset = _locate(obj, symbol)
            found[symbol] = _variable(section, symbol, Role.CONFIG, U64, offset, False)
    return found


def read_faults(obj: ObjectFile, meta: Meta | None) -> FaultCounters | None:
    """Where fault exits are counted; None for objects without sites or built without counters."""
    if meta is None or not meta.counted or not meta.sites:
        return None
    section, offset = _locate(obj, FAULTS_SYMBOL)
    if offset + _COUNTER_SIZE * len(meta.sites) > len(section.data):
        raise ObjectError(f"the {len(meta.sites)} fault counters do not fit in section {section.name!r}")
    sites = (
        FaultSite(number, site.file, site.line, site.column, site.message, site.function, site.callers)
        for number, site in enumerate(meta.sites)
    )
    return FaultCounters(section.name, offset, tuple(sites))
