"""What a session carries from one packet to the next: contents of maps, and what its helpers go on with.

A part of a capture gives the same in a session of its own where nothing of that has changed before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from pybpfnf.abi.forms import Kind
from pybpfnf.abi.helpers import HELPERS
from pybpfnf.image.meta import PREFIX
from pybpfnf.image.model import ObjectImage, ProgramImage
from pybpfnf.image.tails import reached_programs
from pybpfnf.runner import EventAccess, MapAccess, QueueAccess, Session

Contents: TypeAlias = Mapping[str, tuple[tuple[bytes, bytes], ...]]
"""By map, its keys and values; a queue's or stack's values in the order in which they are pushed, each with the key b\"\"."""

_QUEUES = ("queue", "stack")
_TIME = ("ktime_get_ns", "ktime_get_boot_ns", "ktime_get_coarse_ns", "ktime_get_tai_ns", "jiffies64")
_GOES_ON: Mapping[int, str] = {
    **{HELPERS[name].id: "asks for the time" for name in _TIME},
    HELPERS["get_prandom_u32"].id: "asks for random numbers",
    HELPERS["timer_init"].id: "has timers",
}


def contents(session: Session) -> Contents:
    """Of all maps that a program may write, but for records on their way to user space."""
    return {name: tuple(_entries(access)) for name, access in session.maps.items() if _is_of_contents(access)}


def _is_of_contents(access: MapAccess) -> bool:
    return not isinstance(access, EventAccess) and not access.spec.frozen and access.spec.type != "prog_array"


def refill(session: Session, given: Contents) -> None:
    """Make the maps' contents those, whatever they are. Raises InputError for a map that is not there, or of another size."""
    for name, entries in given.items():
        access = session.maps[name]
        if isinstance(access, QueueAccess):
            while access.take() is not None:
                pass
        elif access.spec.type not in ("array", "percpu_array"):
            for key in [key for key in access.keys() if key not in dict(entries)]:  # noqa: SIM118 (no dictionary)
                access.delete(key)
        for key, value in entries:
            access.update(key, value)


def _entries(access: MapAccess) -> Iterator[tuple[bytes, bytes]]:
    if isinstance(access, QueueAccess):
        values = list(iter(access.take, None))
        if access.spec.type == "stack":
            values.reverse()
        for pushed in values:
            access.update(b"", pushed)
            yield b"", pushed
        return
    for key in access.keys():  # noqa: SIM118
        value = access.lookup(key)
        if value is not None:
            yield key, value


def changed(image: ObjectImage, before: Contents, after: Contents) -> list[str]:
    """The names of the variables and maps that differ; fault counters, and the compiler's own memory, are of no program's concern."""
    found: list[str] = []
    for name in before:
        is_queue = image.maps[name].type in _QUEUES
        if name.startswith(PREFIX) or (before[name] == after[name] if is_queue else dict(before[name]) == dict(after[name])):
            continue
        if image.maps[name].initial is None:
            found.append(name)
        else:
            found += _changed_variables(image, name, before[name][0][1], after[name][0][1])
    return found


def _changed_variables(image: ObjectImage, section: str, before: bytes, after: bytes) -> Iterator[str]:
    """Of a data section. What has no name is called by the section's."""
    places = {at for at, (old, new) in enumerate(zip(before, after, strict=True)) if old != new}
    if image.faults is not None and image.faults.map == section:
        places -= set(range(image.faults.offset, image.faults.offset + 8 * len(image.faults.sites)))
    for variable in image.variables.values():
        own = range(variable.offset, variable.offset + variable.size)
        if variable.map == section and not places.isdisjoint(own):
            places -= set(own)
            yield variable.name
    if places:
        yield section


def why_not_apart(image: ObjectImage, program: ProgramImage) -> str | None:
    """What a program does, besides writing maps, by which its packets depend on how many came before; None without such a thing."""
    for each in (program, *reached_programs(image, program)):
        for insn in each.insns:
            if insn.form.kind is Kind.CALL_HELPER and insn.imm in _GOES_ON:
                return _GOES_ON[insn.imm]
            if insn.form.kind is Kind.CALL_REG:
                return "calls helpers through registers"
    return None
