"""What a debugger shows of a moment, as lines of text: source, instructions, registers, stack, packet, maps, locals.

A mark at a line's beginning says `>` where the run is, `*` what the last instruction has changed, `b` a breakpoint.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Iterator, Mapping
from difflib import SequenceMatcher
from pathlib import Path
from typing import final

from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.abi.slots import target_slot
from pybpfnf.abi.text import format_insn
from pybpfnf.cli.contents import shown
from pybpfnf.image.model import MapSpec, ObjectImage, ProgramImage
from pybpfnf.listing.page import verdict_name
from pybpfnf.records import dataclass
from pybpfnf.runner import Outcome
from pybpfnf.testing.debugger import Debugger, LineBreak, SlotBreak
from pybpfnf.testing.fields import fields
from pybpfnf.types.layout import FieldType
from pybpfnf.types.values import as_values, decode

_WORD = 8
_STACK = 512


@final
@dataclass(frozen=True, slots=True)
class Panes:
    """Of one debugger; `around` lines and instructions are shown on each side of where it is."""

    debugger: Debugger
    image: ObjectImage
    program: ProgramImage
    around: int = 5

    def source(self) -> Iterator[str]:
        place = self.debugger.state.place
        text = linecache.getlines(place.file) if place.line else []
        if not text:
            yield f"{place.file}:{place.line}" if place.line else "(no source line)"
            return
        breaks = {each.line for each in self.debugger.breakpoints.values() if isinstance(each, LineBreak)}
        first = max(1, place.line - self.around)
        for number, line in enumerate(text[first - 1 : place.line + self.around], first):
            yield f"{'>' if number == place.line else ' '}{'b' if number in breaks else ' '}{number:>5}  {line.rstrip()}"

    def instructions(self) -> Iterator[str]:
        slots = self.debugger.slots
        order = list(slots)
        here = self.debugger.state.slot
        at = len(order) if here is None or here not in slots else order.index(here)
        names = self.debugger.functions
        breaks = {each.slot for each in self.debugger.breakpoints.values() if isinstance(each, SlotBreak)}
        for slot in order[max(0, at - self.around) : at + self.around + 1]:
            target = target_slot(slot, slots[slot])
            text = format_insn(slots[slot], None if target is None else names.get(target))
            if slot in names:
                yield f"         {names[slot]}:"
            yield f"{'>' if slot == here else ' '}{'b' if slot in breaks else ' '}{slot:>5}  {text}"

    def registers(self) -> Iterator[str]:
        now, before, names = self.debugger.state.registers, self.debugger.before.registers, self.debugger.history.names
        for number, value in enumerate(now):
            text = "-" if value is None else f"{value:#x}"
            name = f"  {names[value]}" if value is not None and value in names else ""
            yield f"{'*' if value != before[number] and value is not None else ' '} r{number:<3} {text}{name}"

    def locals(self) -> Iterator[str]:
        now, before = self.debugger.state.locals, self.debugger.before.locals
        for name, value in now.items():
            text = f"{value} ({value:#x})" if value > 9 else str(value)
            yield f"{' ' if before.get(name) == value else '*'} {name} = {text}"

    def stack(self) -> Iterator[str]:
        """The words of which a byte has been written, by their distance from r10; `..` is a byte that has not been."""
        now, before = self.debugger.state, self.debugger.before
        for at in range(_STACK - _WORD, -1, -_WORD):
            if not any(now.written[at : at + _WORD]):
                continue
            octets = " ".join(f"{now.stack[each]:02x}" if now.written[each] else ".." for each in range(at, at + _WORD))
            changed = now.depth == before.depth and now.stack[at : at + _WORD] != before.stack[at : at + _WORD]
            yield f"{'*' if changed else ' '} r10{at - _STACK:<5} {octets}"

    def packet(self) -> Iterator[str]:
        """Its fields, those marked that are not as it came, and its bytes in hex, the changed ones in brackets."""
        yield from self.fields()
        yield from _hex(self.debugger.state.packet, self.debugger.history.given)

    def fields(self) -> Iterator[str]:
        frame = PROGRAM_TYPES[self.program.type or ""].l2
        came = fields(self.debugger.history.given, frame=frame)
        for name, value in fields(self.debugger.state.packet, frame=frame).items():
            yield f"{' ' if came.get(name) == value else '*'} {name} = {value}"

    def maps(self) -> Iterator[str]:
        now, before = self.debugger.state.maps, self.debugger.before.maps
        variables = {each.name: each for each in self.image.variables.values() if not each.name.startswith("__")}
        for name, entries in now.items():
            spec, old = self.image.maps[name], dict(before.get(name, ()))
            if spec.initial is not None:
                for variable in variables.values():
                    if variable.map == name:
                        place = slice(variable.offset, variable.offset + variable.size)
                        value, former = entries[0][1][place], old.get(entries[0][0], b"")[place]
                        yield f"{' ' if value == former else '*'} {variable.name} = {_value(variable.type, value)}"
                continue
            for key, data in entries:
                if spec.type in ("array", "percpu_array") and not any(data):
                    continue
                yield f"{' ' if old.get(key) == data else '*'} {name}[{_key(spec, key)}] = {_value(spec.value_type, data)}"

    def outcome(self) -> Iterator[str]:
        """What became of the packet, where the run is over."""
        if self.debugger.is_over:
            yield from outcome_lines(self.debugger.history.outcome, self.program)
            if not self.debugger.history.whole:
                yield f"(only the first {len(self.debugger.history.steps) - 1:,} instructions are kept)"


def outcome_lines(outcome: Outcome, program: ProgramImage) -> Iterator[str]:
    verdict = "no verdict" if outcome.verdict is None else verdict_name(program, outcome.verdict)
    yield f"{verdict}: {'forwarded' if outcome.forwarded else 'dropped'}{'' if outcome.reason is None else f', {outcome.reason}'}"
    if outcome.fault is not None:
        where = "" if outcome.fault.file is None else f" at {outcome.fault.file}:{outcome.fault.line}"
        yield f"fault{where}: {outcome.fault.message}"
    for line in outcome.log:
        yield f"log: {line}"


PANES: Mapping[str, Callable[[Panes], Iterator[str]]] = {
    "source": Panes.source,
    "instructions": Panes.instructions,
    "registers": Panes.registers,
    "locals": Panes.locals,
    "stack": Panes.stack,
    "packet": Panes.packet,
    "maps": Panes.maps,
}


def place_line(debugger: Debugger) -> str:
    """Where it is, in one line."""
    state = debugger.state
    if state.slot is None:
        return f"packet {debugger.packet}: the run is over"
    text = linecache.getline(state.place.file, state.place.line).strip()
    where = f"{Path(state.place.file).name}:{state.place.line}" if state.place.line else "before the first line"
    name = f" in {debugger.running}" if debugger.running is not None else ""
    return f"packet {debugger.packet}, instruction {state.slot}{name}, {where}  {text}".rstrip()


def _hex(now: bytes, given: bytes) -> Iterator[str]:
    changed = _changed(now, given)
    for start in range(0, len(now), 16):
        octets = "".join(f"[{now[at]:02x}]" if at in changed else f" {now[at]:02x} " for at in range(start, min(start + 16, len(now))))
        yield f"  {start:04x} {octets}".rstrip()


def _changed(now: bytes, given: bytes) -> set[int]:
    """The places of bytes that are new or another; what was only moved is not."""
    if len(now) == len(given):
        return {at for at, octet in enumerate(now) if octet != given[at]}
    same = SequenceMatcher(None, given, now, autojunk=False).get_matching_blocks()
    return set(range(len(now))) - {at for block in same for at in range(block.b, block.b + block.size)}


def _key(spec: MapSpec, key: bytes) -> str:
    if spec.key_type is not None:
        return _value(spec.key_type, key)
    return str(int.from_bytes(key, "little")) if spec.type in ("array", "percpu_array") else key.hex()


def _value(type_: FieldType | None, data: bytes) -> str:
    return data.hex() if type_ is None or type_.size > len(data) else str(shown(as_values(type_, decode(type_, data[: type_.size]))))
