"""The chart of `pybpfnf delay watch`: a line for each path, with its course as a row of bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.table import Table

from pybpfnf.apps.delay.collector import Collector
from pybpfnf.apps.delay.report import Courses

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 40  # bars
MOST_LINES = 30  # paths that are shown


def milliseconds(nanoseconds: float) -> str:
    """With three digits after the point."""
    return f"{nanoseconds / 1e6:.3f}"


def bars(values: Sequence[float]) -> str:
    """A row of bars, from none at 0 to a whole one at the largest value."""
    top = max(values, default=0.0)
    if top <= 0:
        return _BARS[0] * len(values)
    return "".join(_BARS[min(len(_BARS) - 1, int(max(value, 0.0) / top * len(_BARS)))] for value in values)


def chart(collector: Collector, courses: Courses, pause: Callable[[], object] = lambda: None) -> Table:
    """What has been collected by now; `pause` is called after each path, which takes some milliseconds."""
    title = f"{collector.received} datagrams, {collector.refused.total()} refused"
    table = Table("SESSION", "PATH", title=title, title_justify="left", box=None)
    for name in ("PROBES", "LAST", "MEDIAN", "P99"):
        table.add_column(name, justify="right")
    table.add_column("MEAN")
    for path, _ in zip(collector.paths, range(MOST_LINES), strict=False):
        found = path.summary()
        course = [point.mean for point in courses.points.get(path.key, [])][-_WIDTH:]
        times = (milliseconds(found.last), milliseconds(found.quantiles[0]), milliseconds(found.quantiles[2]))
        table.add_row(str(path.key.session), " ".join(map(str, path.key.segments)), str(found.count), *times, bars(course))
        pause()
    return table
