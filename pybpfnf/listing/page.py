"""The page that `listing` gives: what the program is, what it uses, its code, where it can fault."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.image.model import FaultSite, MapSpec, ObjectImage, ProgramImage, Variable
from pybpfnf.image.stack import STACK_SIZE, deepest_chain
from pybpfnf.listing.code import code_lines
from pybpfnf.types.layout import FieldType
from pybpfnf.types.scalars import decode_scalar

Row = Sequence[str]


def listing(program: ProgramImage, image: ObjectImage) -> str:
    """The program as plain text, ending in a newline. Works on any object: what it does not tell is left out."""
    sections = [
        _head(program, image),
        _titled("maps", (_map_row(image.maps[name]) for name in program.map_names if name in image.maps)),
        _titled("variables", (_variable_row(variable) for variable in _variables(program, image))),
        list(code_lines(program, image)),
        _titled("fault sites", (_site_row(site, program) for site in _sites(program, image))),
    ]
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def _head(program: ProgramImage, image: ObjectImage) -> list[str]:
    rows = [("section", program.section), ("license", image.license or "none")]
    type_ = PROGRAM_TYPES.get(program.type or "")
    if type_ is not None:
        verdicts = ", ".join(f"{name} {number}" for name, number in type_.verdicts.items())
        rows = [("type", type_.name), *rows, ("packet", type_.packet.value), ("verdicts", verdicts)]
    if program.on_fault is not None:
        rows.append(("on fault", verdict_name(program, program.on_fault)))
    rows.append(("stack", f"{deepest_chain(program)} of {STACK_SIZE} bytes"))
    rows.append(("length", f"{program.slots} slots, {program.slots * 8} bytes"))
    return [f"program {program.name}", *(f"    {line}" for line in program.doc.splitlines()[:1]), *_aligned(rows)]


def verdict_name(program: ProgramImage, number: int) -> str:
    """`DROP` for 2 where the program's type says so, else the number."""
    type_ = PROGRAM_TYPES.get(program.type or "")
    names = {} if type_ is None else {value: name for name, value in type_.verdicts.items()}
    return names.get(number, str(number))


def _titled(title: str, rows: Iterable[Row]) -> list[str]:
    lines = _aligned(list(rows))
    return [title, *lines] if lines else []


def _aligned(rows: Sequence[Row]) -> list[str]:
    """Rows of equal length as lines, columns aligned."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _map_row(spec: MapSpec) -> Row:
    if spec.initial is not None:
        rights = "read-only data" if spec.frozen else "data"
        return (spec.name, spec.type, rights, f"{spec.value_size} bytes", "", "")
    default = "" if spec.default is None else f"default {spec.default}"
    if spec.programs:
        default = ", ".join(f"{slot}: {name}" for slot, name in spec.programs)
    key = _sized("key", spec.key_type, spec.key_size)
    return (spec.name, spec.type, key, _sized("value", spec.value_type, spec.value_size), f"max_entries {spec.max_entries}", default)


def _sized(what: str, type_: FieldType | None, size: int) -> str:
    if size == 0:
        return ""
    return f"{what} {type_}" if type_ is not None else f"{what} {size} bytes"


def _variables(program: ProgramImage, image: ObjectImage) -> Iterator[Variable]:
    """Those in data sections that the program names."""
    used = set(program.map_names)
    return (variable for variable in image.variables.values() if variable.map in used)


def _variable_row(variable: Variable) -> Row:
    value = "must be given" if variable.required else f"= {_value(variable)}"
    return (variable.name, variable.role.value.capitalize(), str(variable.type), f"{variable.map}+{variable.offset}", value)


def _value(variable: Variable) -> str:
    """The default as the language writes it."""
    return str(decode_scalar(variable.type, variable.default))


def _sites(program: ProgramImage, image: ObjectImage) -> Iterator[FaultSite]:
    """Those of the program, of the functions inlined in it, and of its subprograms."""
    if image.faults is None or program.on_fault is None:
        return iter(())
    functions = {program.name, *(record.name for record in program.functions)}
    return (site for site in image.faults.sites if site.function in functions)


def _site_row(site: FaultSite, program: ProgramImage) -> Row:
    verdict = "" if program.on_fault is None else f"returns {verdict_name(program, program.on_fault)}"
    callers = "".join(f", called from {caller}" for caller in site.callers)
    return (f"{site.number}", f"{site.file}:{site.line}:{site.column}", site.message, f"{verdict}{callers}")
