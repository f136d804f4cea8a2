"""A whole module: declarations, maps, variables, functions, metadata, as LLVM text; and what `.pybpfnf` says about it."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import final

from pybpfnf.abi.maps import MAP_TYPES
from pybpfnf.backend.building.debuginfo import DebugInfo
from pybpfnf.backend.building.drops import drop_places
from pybpfnf.backend.building.faults import FaultSites
from pybpfnf.backend.building.frame import Shared
from pybpfnf.backend.building.hide import grows
from pybpfnf.backend.building.kfuncs import declare_kfuncs
from pybpfnf.backend.building.spare import spare_map
from pybpfnf.backend.building.texts import Texts
from pybpfnf.backend.building.values import alignment, literal, memory_type, string
from pybpfnf.backend.lowering.function import lower_function
from pybpfnf.backend.lowering.subprogram import lower_subprogram
from pybpfnf.backend.lowering.tails import define_programs
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import S32, U64, AddressType, ValueType
from pybpfnf.image.meta import FAULTS_SYMBOL, LOADERS_SYMBOLS, Chain, Meta, MetaMap, MetaProgram, MetaVariable
from pybpfnf.llvm import TRIPLE
from pybpfnf.records import dataclass

LICENSE_SYMBOL = "__pybpfnf_license"
_SWAPPED_BITS = (16, 32, 64)


@final
@dataclass(frozen=True, slots=True)
class Lowered:
    """LLVM text before optimisation, and what the section `.pybpfnf` will say; where its code came from is seen in what LLVM makes of it.
    `calls`: the chains of calls that code was inlined through, by the number of their discriminator less one."""

    text: str
    meta: Meta
    subprograms: frozenset[str] = frozenset()
    calls: tuple[Chain, ...] = ()


def lower_module(module: ir.Module, *, fault_counters: bool, spared: frozenset[str] = frozenset()) -> Lowered:
    """`spared`: functions whose large values are not on the stack (`spare`)."""
    debug = DebugInfo(module.sources, module.functions[0].span.file)
    sites = FaultSites(counted=fault_counters)
    texts = Texts()
    shared = Shared(sites, texts, {}, spared)
    may_grow = any(grows(function.body) for function in module.functions)
    subprograms = [lower_subprogram(subprogram, debug, shared, grows=may_grow) for subprogram in module.subprograms]
    functions = [lower_function(function, debug, shared) for function in module.functions]
    counted = fault_counters and bool(sites.sites)
    parts = [
        f'target triple = "{TRIPLE}"',
        "declare ptr @llvm.preserve.static.offset(ptr readnone)",
        *(f"declare i{bits} @llvm.bswap.i{bits}(i{bits})" for bits in _SWAPPED_BITS),
        *declare_kfuncs(module, debug),
        *(_map(map_, debug) for map_ in module.maps),
        *(_map(spare_map(name, size), debug) for name, size in sorted(shared.spares.items())),
        *(_queue(queue, debug) for queue in module.queues),
        *(_events(buffer, debug) for buffer in module.events),
        *(define_programs(array, debug) for array in module.programs),
        *(_variable(variable, debug) for variable in module.variables),
        *([_fault_counters(len(sites.sites), debug)] if counted else []),
        *texts.definitions(),
        _license(module.license),
        *functions,
        *subprograms,
        debug.finish(),
    ]
    return Lowered("\n".join(parts), _meta(module, sites, counted), frozenset(shared.subprograms), debug.calls)


# ----------------------------------------------------------------------------------------------------------- globals


def _map(map_: ir.Map, debug: DebugInfo) -> str:
    """libbpf's form of a definition: numbers are pointers to arrays of so many, types are pointers to them."""
    number = debug.type_of(S32)
    numbers = {"type": map_.row.id, "max_entries": map_.max_entries} | ({"map_flags": map_.row.flags} if map_.row.flags else {})
    members = [(name, debug.pointer_to(debug.array_of(number, 32, value))) for name, value in numbers.items()]
    members += [(name, debug.pointer_to(debug.type_of(type_))) for name, type_ in (("key", map_.key), ("value", map_.value))]
    return _definition(map_.name, members, debug)


def _queue(queue: ir.Queue, debug: DebugInfo) -> str:
    """As a map's, without a key. The type of values is for who reads the object: the kernel takes none of these maps."""
    numbers = {"type": MAP_TYPES[queue.kind].id, "max_entries": queue.max_entries}
    members = [(name, debug.pointer_to(debug.array_of(debug.type_of(S32), 32, value))) for name, value in numbers.items()]
    return _definition(queue.name, [*members, ("value", debug.pointer_to(debug.type_of(queue.value)))], debug)


def _events(buffer: ir.EventBuffer, debug: DebugInfo) -> str:
    """A definition that says the type of the records: the array whose length is the map's type is one of records.

    The kernel wants neither key nor value of these maps, and libbpf takes no member beside its own; of an array it reads the length.
    """
    number, row = debug.type_of(S32), MAP_TYPES[buffer.kind]
    numbers = (
        {"max_entries": buffer.size} if row.max_entries_is_size else {"key_size": row.fixed_key_size, "value_size": row.fixed_value_size}
    )
    members = [("type", debug.pointer_to(debug.array_of(debug.type_of(buffer.record), buffer.record.size * 8, row.id)))]
    members += [(name, debug.pointer_to(debug.array_of(number, 32, value or 0))) for name, value in numbers.items()]
    return _definition(buffer.name, members, debug)


def _definition(name: str, members: list[tuple[str, str]], debug: DebugInfo) -> str:
    variable = debug.variable(name, debug.structure("", [(member, type_, 64) for member, type_ in members]))
    fields = ", ".join(["ptr"] * len(members))
    return f'@{name} = dso_local global {{ {fields} }} zeroinitializer, section ".maps", align 8, !dbg {variable}'


def _variable(variable: ir.Variable, debug: DebugInfo) -> str:
    """Config is `externally_initialized`: without it LLVM would compile the default in, and setting it would do nothing."""
    is_config = isinstance(variable, ir.Config)
    initial = variable.default if isinstance(variable, ir.Config) else variable.initial
    type_ = debug.qualified(debug.type_of(variable.type), const=is_config)
    kind = "externally_initialized constant" if is_config else "global"
    value = _initializer(variable.type, 0 if initial is None else initial)
    place = f"align {alignment(variable.type.size)}, !dbg {debug.variable(variable.name, type_)}"
    return f"@{variable.name} = dso_local {kind} {value}, {place}"


def _initializer(type_: ValueType, value: int | bytes) -> str:
    if isinstance(type_, AddressType):
        data = value if isinstance(value, bytes) else bytes(type_.size)
        return f"[{type_.size} x i8] {f'c{string(data)}' if any(data) else 'zeroinitializer'}"
    return f"{memory_type(type_)} {literal(value)}"


def _fault_counters(count: int, debug: DebugInfo) -> str:
    type_ = debug.array_of(debug.type_of(U64), 64, count)
    return f"@{FAULTS_SYMBOL} = dso_local global [{count} x i64] zeroinitializer, align 8, !dbg {debug.variable(FAULTS_SYMBOL, type_)}"


def _license(license_: str) -> str:
    data = license_.encode() + b"\0"
    return f'@{LICENSE_SYMBOL} = dso_local constant [{len(data)} x i8] c{string(data)}, section "license", align 1'


# -------------------------------------------------------------------------------------------------------------- meta


def _meta(module: ir.Module, sites: FaultSites, counted: bool) -> Meta:
    return Meta(
        programs={
            function.name: MetaProgram(function.hook.name, function.on_fault, function.doc, drop_places(function))
            for function in module.functions
        },
        variables={variable.name: _meta_variable(variable) for variable in module.variables if variable.name not in LOADERS_SYMBOLS},
        maps={map_.name: MetaMap(str(map_.key), str(map_.value), _default(map_)) for map_ in module.maps},
        sites=tuple(sites.sites),
        counted=counted,
    )


def _meta_variable(variable: ir.Variable) -> MetaVariable:
    match variable:
        case ir.Config():
            return MetaVariable("config", str(variable.type), required=variable.default is None)
        case ir.State():
            return MetaVariable("state", str(variable.type), required=False)


def _default(map_: ir.Map) -> int | str | None:
    """A struct as its bytes in hexadecimal."""
    if not isinstance(map_.default, bytes):
        return map_.default
    return str(IPv6Address(map_.default)) if isinstance(map_.value, AddressType) else map_.default.hex()
