"""A loaded program that a runner watches: its maps, what it sends to user space and what it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import final

from pybpfnf.image.model import ObjectImage, ProgramImage
from pybpfnf.image.tails import reached_programs
from pybpfnf.kernel import wrapper
from pybpfnf.kernel.events import EventMap, event_maps
from pybpfnf.kernel.load import LoadedProgram
from pybpfnf.kernel.maps import Map
from pybpfnf.kernel.trace import Trace, speaks
from pybpfnf.records import dataclass
from pybpfnf.runner import Event, MapAccess


@final
@dataclass(frozen=True, slots=True)
class Watched:
    """`maps` are the object's own; `results` is the wrapper's, None where the program is loaded as it is."""

    loaded: LoadedProgram
    maps: Mapping[str, MapAccess]
    results: Map | None
    events: Mapping[str, EventMap]
    trace: Trace | None

    def take_events(self) -> tuple[Event, ...]:
        """What the program has sent since the last call."""
        return tuple(Event(name, data) for name, each in self.events.items() for data in each.read_records())

    def take_log(self) -> tuple[str, ...]:
        """What the program has said since the last call."""
        return () if self.trace is None else tuple(self.trace.read())


@contextmanager
def watched(image: ObjectImage, program: ProgramImage, *, exact: bool, fields: Sequence[str]) -> Iterator[Watched]:
    """Load `program`: `exact` as it is, else within a wrapper that notes its verdict, and those `fields` of the context after it."""
    with ExitStack() as stack:
        loaded = stack.enter_context(wrapper.load_wrapped(image, program, exact=exact, fields=fields))
        maps = {name: each for name, each in loaded.maps.items() if name != wrapper.RESULTS_MAP}
        events = event_maps(maps.values())
        for each in events.values():
            stack.enter_context(each)
            each.start()
        says = any(map(speaks, (program, *reached_programs(image, program))))
        trace = stack.enter_context(Trace()) if says else None
        yield Watched(loaded, {**maps, **events}, loaded.maps.get(wrapper.RESULTS_MAP), events, trace)
