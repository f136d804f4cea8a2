"""What is known of each path: a histogram of its delays (HDR, three digits, from a nanosecond to an hour), and what fits into none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv6Address
from typing import Final, final

from hdrh.histogram import HdrHistogram

from pybpfnf.records import dataclass

LONGEST: Final = 3_600_000_000_000  # nanoseconds of a delay that is kept: an hour
DIGITS: Final = 3
QUANTILES: Final = (50.0, 90.0, 99.0, 99.9)
_PENDING: Final = 4096  # delays that wait to be put into the histogram


@final
@dataclass(frozen=True, slots=True)
class PathKey:
    """A session's probes along these segments, in travel order."""

    session: int
    segments: tuple[IPv6Address, ...]

    def __str__(self) -> str:
        return f"{self.session} " + ">".join(map(str, self.segments))


@final
@dataclass(frozen=True, slots=True)
class Summary:
    """Of the delays of a path, in nanoseconds: the quantiles (of `QUANTILES`) with three digits, the others exact. `negative`: delays
    below zero, of clocks that do not agree, which stand in no quantile; `too_long`: those of more than an hour."""

    count: int
    least: int
    most: int
    mean: float
    quantiles: tuple[int, ...]
    negative: int
    too_long: int
    last: int


@final
class Path:
    """The delays of one path."""

    def __init__(self, key: PathKey) -> None:
        self.key = key
        self.negative = self.too_long = self.last = 0
        self._histogram = HdrHistogram(1, LONGEST, DIGITS)
        self._pending: list[int] = []
        self._least, self._most, self._sum = LONGEST, 0, 0

    def add(self, delay: int) -> None:
        """A delay in nanoseconds, negative where the clocks do not agree."""
        self._pending.append(delay)
        if len(self._pending) >= _PENDING:
            self.settle()

    def settle(self) -> None:
        """Put what waits into the histogram."""
        pending, self._pending = self._pending, []
        if not pending:
            return
        self.last = pending[-1]
        record = self._histogram.record_value
        for delay in pending:
            if delay < 0:
                self.negative += 1
            elif delay > LONGEST:
                self.too_long += 1
            else:
                record(delay)
                self._sum += delay
                self._least = min(self._least, delay)
                self._most = max(self._most, delay)

    def summary(self) -> Summary:
        self.settle()
        count = int(self._histogram.total_count)
        if not count:
            return Summary(0, 0, 0, 0.0, (0,) * len(QUANTILES), self.negative, self.too_long, self.last)
        values = self._histogram.get_percentile_to_value_dict(QUANTILES)  # one pass over 33,792 counters, some milliseconds
        found = tuple(min(int(values[quantile]), self._most) for quantile in QUANTILES)
        return Summary(count, self._least, self._most, self._sum / count, found, self.negative, self.too_long, self.last)

    def totals(self) -> tuple[int, int]:
        """How many delays, and their sum: what costs nothing to know."""
        self.settle()
        return int(self._histogram.total_count), self._sum

    def buckets(self, bounds: Sequence[int]) -> list[int]:
        """How many delays are not above each bound, which ascend."""
        self.settle()
        counts, total = [], 0
        recorded = iter(self._histogram.get_recorded_iterator())
        step = next(recorded, None)
        for bound in bounds:
            while step is not None and step.value_iterated_to <= bound:
                total += step.count_added_in_this_iter_step
                step = next(recorded, None)
            counts.append(total)
        return counts

    def encoded(self) -> str:
        """The histogram in HdrHistogram's own compressed form, which other tools read."""
        self.settle()
        return str(self._histogram.encode().decode())


@final
class Paths:
    """At most so many paths; `refused` counts samples of others, so that nobody can fill the memory by making paths up."""

    def __init__(self, most: int = 1000) -> None:
        self.most = most
        self._paths: dict[PathKey, Path] = {}

    def get(self, key: PathKey) -> Path | None:
        """The path of that key, made where there is room; else None."""
        found = self._paths.get(key)
        if found is None and len(self._paths) < self.most:
            found = self._paths[key] = Path(key)
        return found

    def __iter__(self) -> Iterator[Path]:
        """The paths that there are now; others may come meanwhile."""
        return iter(tuple(self._paths.values()))

    def __len__(self) -> int:
        return len(self._paths)
