"""The time of a lab in this process: what is to happen, in its order. Nothing takes time but what is said to."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any, final


@final
class VirtualClock:
    """`now` is nanoseconds since the lab began. What is due at the same time happens in the order in which it was asked for."""

    def __init__(self) -> None:
        self.now = 0
        self._order = 0
        self._due: list[tuple[int, int, Callable[..., object], tuple[Any, ...]]] = []

    def at(self, time: int, call: Callable[..., object], *arguments: Any) -> None:
        """Raises ValueError for a time that is over."""
        if time < self.now:
            raise ValueError(f"{time} ns is over: it is {self.now} ns")
        self._order += 1
        heapq.heappush(self._due, (time, self._order, call, arguments))

    def run(self, until: int | None = None) -> None:
        """All that is due by `until`, which it is then, else all there is; what a call raises ends the run."""
        while self.step(until):
            pass
        if until is not None:
            self.now = max(self.now, until)

    def step(self, until: int | None = None) -> bool:
        """The next that is due, by `until`; False where there is none."""
        if not self._due or (until is not None and self._due[0][0] > until):
            return False
        self.now, _, call, arguments = heapq.heappop(self._due)
        call(*arguments)
        return True
