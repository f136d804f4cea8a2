"""The collector's loop, and what it says of each path: once more each so many seconds, and at the end."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator
from typing import final

from pybpfnf.apps.delay.collector import Collector, collect
from pybpfnf.apps.delay.exposition import MetricsServer, exposition
from pybpfnf.apps.delay.paths import QUANTILES, Path, PathKey
from pybpfnf.records import dataclass


def run_collector(
    collector: Collector,
    sock: socket.socket,
    stopped: Callable[[], bool],
    show: Callable[[], Iterable[object]],
    *,
    every: float,
    most: int | None = None,
    metrics: MetricsServer | None = None,
) -> None:
    """Collect until `stopped` says so, or `most` datagrams have come; `show` each `every` seconds, and at the end.

    `show` gives this its turn after each path, so that the socket does not overflow while many are shown.
    """
    due = time.monotonic() + every

    def ended() -> bool:
        return stopped() or (most is not None and collector.received >= most)

    for _ in collect(collector, sock, ended, every=min(every, 0.1)):
        if time.monotonic() < due:
            continue
        due += every
        for _ in show():
            collector.drain(sock)
        if metrics is not None:
            metrics.text = "".join(_draining(collector, sock))
    for _ in show():
        pass


def _draining(collector: Collector, sock: socket.socket) -> Iterator[str]:
    """The lines of the metrics; what has come meanwhile is taken after each path's last."""
    for line in exposition(collector):
        yield line + "\n"
        if line.startswith("pybpfnf_delay_seconds_count"):
            collector.drain(sock)


def document(path: Path) -> dict[str, object]:
    """A path as JSON: times in nanoseconds, `histogram` in HdrHistogram's compressed form."""
    found = path.summary()
    return {
        "session": path.key.session,
        "path": [str(segment) for segment in path.key.segments],
        "count": found.count,
        "negative": found.negative,
        "too_long": found.too_long,
        "min": found.least,
        "max": found.most,
        "mean": round(found.mean),
        **{f"p{quantile:g}": value for quantile, value in zip(QUANTILES, found.quantiles, strict=True)},
        "histogram": path.encoded(),
    }


@final
@dataclass(frozen=True, slots=True)
class Point:
    """The mean delay of a path, in nanoseconds, over the time up to `time` (seconds since 1970) since the point before."""

    time: float
    mean: float


@final
class Courses:
    """How the mean delay of each path went, a point each time it is asked to look."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._before: dict[PathKey, tuple[int, int]] = {}
        self.points: dict[PathKey, list[Point]] = {}

    def look(self) -> None:
        now = time.time()
        for path in self._collector.paths:
            count, total = path.totals()
            before, sum_before = self._before.get(path.key, (0, 0))
            if count > before:
                self.points.setdefault(path.key, []).append(Point(now, (total - sum_before) / (count - before)))
                self._before[path.key] = count, total
