"""The timers of a session, each in a map's value, where 16 bytes stand for it."""

from __future__ import annotations

from typing import final

from pybpfnf.records import dataclass
from pybpfnf.vm.maps import VmMap
from pybpfnf.vm.memory import Memory, Region


@final
@dataclass(slots=True)
class Timer:
    """`value` is what it lies in; `function` the slot of what it calls; `expires` the time in nanoseconds since the router started, None
    where it does not run."""

    map: VmMap
    value: Region
    function: int | None = None
    expires: int | None = None

    @property
    def key(self) -> bytes:
        return next(key for key in self.map.keys() if self.map.find(key) == self.value.address)  # noqa: SIM118 (no dictionary)


@final
class Timers:
    """By address. `running`: the one whose function is called."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._at: dict[int, Timer] = {}
        self.running: Timer | None = None

    def at(self, place: int) -> Timer | None:
        """None where there is none, or where the value that it was in is gone."""
        found = self._at.get(place)
        return found if found is not None and self._memory.holds(found.value) else None

    def add(self, place: int, timer: Timer) -> None:
        self._at[place] = timer

    def first(self) -> int | None:
        """When the next one's time comes; None where none runs."""
        times = [timer.expires for timer in self._at.values() if timer.expires is not None and self._memory.holds(timer.value)]
        return min(times, default=None)

    def next_due(self, now: int) -> Timer | None:
        """The first whose time has come."""
        self._at = {place: timer for place, timer in self._at.items() if self._memory.holds(timer.value)}
        due = [(timer.expires, timer) for timer in self._at.values() if timer.expires is not None and timer.expires <= now]
        return min(due, key=lambda each: each[0], default=(0, None))[1]
