"""The code of a listing: source lines, labels at jump targets, a comment where an instruction touches something with a name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pybpfnf.abi.forms import Insn, Kind
from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.abi.slots import slots_of, target_slot
from pybpfnf.abi.text import format_insn
from pybpfnf.image.model import LineRecord, ObjectImage, ProgramImage
from pybpfnf.listing.flow import Pointers, pointers_before

_INDENT = 8
_COMMENT_COLUMN = 56
_MEMORY = (Kind.LOAD, Kind.STORE_REG, Kind.STORE_IMM, Kind.ATOMIC)


def code_lines(program: ProgramImage, image: ObjectImage) -> Iterator[str]:
    """Lines of the form `slot: instruction ; comment`, below the source line and the label that they belong to."""
    numbered = slots_of(program.insns)
    names = _names(program, numbered)
    lines = {record.slot: record for record in program.lines if record.line > 0}
    functions = {record.slot for record in program.functions} | {0}
    pointers = pointers_before(program.insns)
    shown: LineRecord | None = None
    for slot, insn in numbered.items():
        if slot in names:
            yield from _label(names[slot], slot in functions, first=slot == 0)
            shown = None
        record = lines.get(slot)
        if record is not None and (shown is None or (record.file, record.line) != (shown.file, shown.line)):
            yield f"; {record.file}:{record.line}  {record.text.strip()}".rstrip()
            shown = record
        target = target_slot(slot, insn)
        text = f"{slot:{_INDENT - 2}}: {format_insn(insn, None if target is None else names.get(target))}"
        comment = _comment(insn, pointers.get(slot, {}), program, image)
        yield text if comment is None else f"{text:{_COMMENT_COLUMN}}; {comment}"


def _names(program: ProgramImage, numbered: Mapping[int, Insn]) -> dict[int, str]:
    """Label of each slot that has one: functions by their names, jump targets by their slots."""
    targets = (target_slot(slot, insn) for slot, insn in numbered.items())
    names = {target: f"L{target}" for target in targets if target is not None and target in numbered}
    return names | {0: program.name} | {record.slot: record.name for record in program.functions}


def _label(name: str, is_function: bool, first: bool) -> Iterator[str]:
    if is_function and not first:
        yield ""
    yield f"{name}:"


def _comment(insn: Insn, before: Pointers, program: ProgramImage, image: ObjectImage) -> str | None:
    """What a load, a store or an atomic touches, where it has a name; and where the address of all fault counters is taken."""
    counters = image.faults
    if insn.form.op == "ld_map_value" and counters is not None and (insn.ref, insn.imm >> 32) == (counters.map, counters.offset):
        return "fault counters"
    base = insn.src if insn.form.kind is Kind.LOAD or insn.form.op == "load_acquire" else insn.dst
    if insn.form.kind not in _MEMORY or base not in before:
        return None
    pointer, offset = before[base], before[base].offset + insn.off
    return _context_field(program, offset) if pointer.map is None else _datum(image, pointer.map, offset)


def _context_field(program: ProgramImage, offset: int) -> str | None:
    type_ = PROGRAM_TYPES.get(program.type or "")
    field = None if type_ is None else type_.context.at(offset)
    return None if type_ is None or field is None else f"{type_.context.name}.{field.name}"


def _datum(image: ObjectImage, map_: str, offset: int) -> str | None:
    """The variable or the fault counter at an offset of a data section."""
    for variable in image.variables.values():
        if variable.map == map_ and variable.offset <= offset < variable.offset + variable.size:
            return variable.name
    counters = image.faults
    if counters is None or counters.map != map_:
        return None
    site, rest = divmod(offset - counters.offset, 8)
    if rest or not 0 <= site < len(counters.sites):
        return None
    found = counters.sites[site]
    return f"fault site {found.number}: {found.message}"
