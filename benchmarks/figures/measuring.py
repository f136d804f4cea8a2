"""A figure's cases measured in turn, in one run."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import Self, final

from benchmarks.figures.cases import REACHABLE, Case, Figure
from benchmarks.figures.forwarder import Forwarder
from benchmarks.figures.jit import jit_off
from benchmarks.figures.paper import Point


@final
@dataclass(frozen=True, slots=True)
class Bar:
    """One case of a figure as measured. `nanoseconds` is the least of all rounds, of processor time a packet, `added` what of it plain
    forwarding does not cost. `percent` of the baseline's packets a second is the median of what each round gave, and half of the rounds
    lie between `low` and `high`; `of_static` is the same median against the kernel's own action, 1 where they are as fast."""

    figure: str
    case: str
    nanoseconds: float
    added: float
    percent: float
    low: float
    high: float
    of_static: float | None
    point: Point | None


def measure(figure: Figure, rounds: int, count: int) -> Iterator[Bar]:
    """Each case and the baseline, `rounds` times in turn, `count` packets each time; the baseline's bar is the first."""
    cases = (figure.baseline, *figure.cases)
    taken: dict[str, list[tuple[float, float]]] = {case.name: [] for case in cases}
    with ExitStack() as stack:
        ready = {case.name: stack.enter_context(_Prepared(case)) for case in cases}
        for prepared in ready.values():
            prepared.nanoseconds(count)  # caches, neighbours, and the frames' pages
        for _ in range(rounds):
            for name, prepared in ready.items():
                taken[name].append(prepared.nanoseconds(count))
    # What others do on this processor only ever adds: the least is what making a frame costs.
    forwarding = {name: [whole - min(making for _, making in times) for whole, _ in times] for name, times in taken.items()}
    plain = forwarding[figure.baseline.name]
    for case in cases:
        times = forwarding[case.name]
        low, percent, high = _quartiles([100 * of_plain / own for of_plain, own in zip(plain, times, strict=True)])
        of_static = None if case.static is None else _quartiles([a / b for a, b in zip(forwarding[case.static], times, strict=True)])[1]
        yield Bar(figure.name, case.name, min(times), min(times) - min(plain), percent, low, high, of_static, case.point)


@final
class _Prepared:
    """A case with its router, ready to be given packets."""

    def __init__(self, case: Case) -> None:
        with ExitStack() as stack:
            self._forwarder = stack.enter_context(Forwarder(REACHABLE))
            with jit_off() if case.interpreted else nullcontext():
                case.setup(self._forwarder)
            self._sources = self._forwarder.sources(case.mix)
            self._stack = stack.pop_all()

    def nanoseconds(self, count: int) -> tuple[float, float]:
        return self._forwarder.nanoseconds(self._sources, count)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def _quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high
