"""The collector's loop, and what it says of each path: once more each so many seconds, and at the end."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import final

from pybpfnf.apps.delay.collector import Collector, collect
from pybpfnf.apps.delay.exposition import MetricsServer, exposition
from pybpfnf.apps.delay.paths import QUANTILES, Path, PathKey
from pybpfnf.records import dataclass


def run_collector(
    collector: Collector,
    sock: socket.socket,
    stopped: Callable[[], bool],
    show: Callable[[], None],
    *,
    every: float,
    most: int | None = None,
    metrics: MetricsServer | None = None,
) -> None:
    """Collect until `stopped` says so, or `most` datagrams have come; `show` each `every` seconds, and at the end."""
    due = time.monotonic() + every

    def ended() -> bool:
        return stopped() or (most is not None and collector.received >= most)

    for _ in collect(collector, sock, ended, every=min(every, 0.1)):
        if time.monotonic() < due:
            continue
        due += every
        show()
        if metrics is not None:
            metrics.text = exposition(collector)
    show()


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
        self._before: dict[PathKey, tuple[int, float]] = {}
        self.points: dict[PathKey, list[Point]] = {}

    def look(self) -> None:
        now = time.time()
        for path in self._collector.paths:
            found = path.summary()
            count, total = self._before.get(path.key, (0, 0.0))
            if found.count > count:
                whole = found.mean * found.count
                self.points.setdefault(path.key, []).append(Point(now, (whole - total) / (found.count - count)))
                self._before[path.key] = found.count, whole
