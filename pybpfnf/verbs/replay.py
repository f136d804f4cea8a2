"""`replay`: the packets of a recording again, by the same program or by another build of it, and the first on which it differs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import final

from pybpfnf.errors import InputError
from pybpfnf.image.model import ObjectImage
from pybpfnf.records import dataclass
from pybpfnf.runner import Outcome
from pybpfnf.targets import Target, object_image
from pybpfnf.testing.carried import refill
from pybpfnf.testing.fields import diff
from pybpfnf.testing.recording import Head, Recorded, Recording
from pybpfnf.types.values import decode
from pybpfnf.unusable import unreadable
from pybpfnf.verbs.run import Simulation, simulate
from pybpfnf.vm import Engine, VmRunner, VmSession


@final
@dataclass(frozen=True, slots=True)
class Changed:
    """A packet that became something else: its number from 0, its bytes, both outcomes, and `lines` that say in what they differ."""

    index: int
    packet: bytes
    recorded: Outcome
    now: Outcome
    lines: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class Replayed:
    """How far it came. `same_object`: the very object that was recorded has run, and then faults' lines, reasons and counts of instructions
    were compared too. `notes`: what of the recording the program has no place for. `changed` is None where nothing differs."""

    packets: int
    same_object: bool
    notes: tuple[str, ...]
    changed: Changed | None


def replay(
    recording: str | os.PathLike[str],
    target: Target | None = None,
    *,
    program: str | None = None,
    engine: Engine = Engine.AUTO,
) -> Replayed:
    """Run the packets of a recording (`Simulation.record`) in the VM, up to the first that becomes something else than it did.

    Without `target` by the object in the recording; else by what `simulate` takes, given the same router, times, random numbers, and
    contents of variables and maps by their names. Raises InputError for what is no recording, or is damaged.
    """
    path = Path(recording)
    try:
        with path.open(encoding="utf-8") as stream:
            return _replay(Recording(stream, str(path)), target, program, engine)
    except OSError as error:
        raise unreadable(path, error) from None


def _replay(recording: Recording, target: Target | None, program: str | None, engine: Engine) -> Replayed:
    head = recording.head
    given: Target | None = head.object if target is None else target
    if given is None:
        raise InputError("the recording has no object: it was made from one that had been read", hint="give the function, too")
    image = object_image(given)
    name = program or _program_of(image, head.program)
    settings = {name: decode(image.variables[name].type, data) for name, data in head.variables.items() if _fits(image, name, data)}
    runner = VmRunner(engine=engine, kernel=head.kernel)
    with simulate(given, program=name, type=head.type, environment=head.environment, runner=runner, config=settings) as simulation:
        same = head.object is not None and simulation.object == head.object
        notes = tuple(_restore(simulation, head, same=same))
        count = 0
        for each in recording:
            now = _run(simulation.session, each)
            lines = tuple(_lines(each.outcome, now, same=same))
            if lines:
                return Replayed(count + 1, same, notes, Changed(count, each.packet, each.outcome, now, lines))
            count += 1
    return Replayed(count, same, notes, None)


def _program_of(image: ObjectImage, recorded: str) -> str | None:
    """The program of the recorded name, or the only one, which may have been renamed."""
    return recorded if any(each.name == recorded for each in image.programs) else None


def _fits(image: ObjectImage, name: str, data: bytes) -> bool:
    return name in image.variables and image.variables[name].size == len(data)


def _run(session: object, recorded: Recorded) -> Outcome:
    assert isinstance(session, VmSession)
    session.set_clock(recorded.time)
    session.chance.give(recorded.random)
    return session.run(recorded.packet)


def _restore(simulation: Simulation, head: Head, *, same: bool) -> Iterator[str]:
    """Maps as they were; gives what has no place. Data sections only of the same object: in another their variables may lie elsewhere."""
    session, image = simulation.session, simulation.image
    for name, data in head.variables.items():
        if not _fits(image, name, data):
            yield f"variable {name} is not there, or of another size"
    fitting = {}
    for name, entries in head.maps.items():
        access = session.maps.get(name)
        is_section = name.startswith(".") or (access is not None and access.spec.initial is not None)
        if is_section and not same:
            continue
        spec = None if access is None else access.spec
        sizes = {(len(key), len(value)) for key, value in entries}
        if access is None or spec is None or sizes - {(spec.key_size, access.value_size)} or len(entries) > spec.max_entries:
            yield f"map {name} is not there, or of another size"
        else:
            fitting[name] = entries
    refill(session, fitting)


_Aspect = Callable[[Outcome], object]
_ALWAYS: Mapping[str, _Aspect] = {
    "verdict": lambda outcome: outcome.verdict,
    "forwarded": lambda outcome: outcome.forwarded,
    "fault": lambda outcome: None if outcome.fault is None else outcome.fault.message,
    "runs": lambda outcome: outcome.runs,
    "mark": lambda outcome: outcome.mark,
    "log": lambda outcome: outcome.log,
    "records": lambda outcome: [(event.map, event.data.hex()) for event in outcome.events],
    "redirected": lambda outcome: [(each.ifindex, each.frame.hex()) for each in outcome.redirected],
}
_OF_THE_SAME_OBJECT: Mapping[str, _Aspect] = {
    "place of the fault": lambda outcome: outcome.fault,
    "reason": lambda outcome: outcome.reason,
    "instructions": lambda outcome: outcome.instructions,
}


def _lines(recorded: Outcome, now: Outcome, *, same: bool) -> Iterator[str]:
    """What differs, a line each."""
    for name, value in ({**_ALWAYS, **_OF_THE_SAME_OBJECT} if same else _ALWAYS).items():
        if value(recorded) != value(now):
            yield f"{name}: recorded {value(recorded)}, now {value(now)}"
    if recorded.forwarded and now.forwarded:
        for line in diff(recorded.packet, now.packet).splitlines():
            yield line.replace(": expected ", ": recorded ").replace(", found ", ", now ")
