"""What a measurement is."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Spread:
    """Of several measurements, the least and the median, in the unit that they were given in."""

    least: float
    median: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(min(values), statistics.median(values))


def in_turn(actions: Sequence[Callable[[], object]], rounds: int) -> list[Spread]:
    """Milliseconds of each action, one after the other in each round, so that a busy machine is so for all of them."""
    taken: list[list[float]] = [[] for _ in actions]
    for _ in range(rounds):
        for action, times in zip(actions, taken, strict=True):
            start = time.perf_counter()
            action()
            times.append((time.perf_counter() - start) * 1e3)
    return [Spread.of(times) for times in taken]
