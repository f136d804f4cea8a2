"""The courses of delays as a picture. Needs matplotlib (`pip install 'pybpfnf[plot]'`)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pybpfnf.apps.delay.paths import PathKey
from pybpfnf.apps.delay.report import Point
from pybpfnf.errors import InputError
from pybpfnf.unusable import check_writable, unwritable


def write_plot(path: str | os.PathLike[str], courses: Mapping[PathKey, Sequence[Point]]) -> None:
    """A line for each path: seconds since the first point, and the mean delay in milliseconds. The name's end says the
    format (PNG, if it has none). Raises InputError where it
    cannot be written."""
    figure = Figure(figsize=(10, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    begin = min((points[0].time for points in courses.values()), default=0.0)
    for key, points in courses.items():
        axes.plot([point.time - begin for point in points], [point.mean / 1e6 for point in points], marker=".", label=str(key))
    axes.set_xlabel("seconds")
    axes.set_ylabel("one-way delay, ms")
    axes.set_ylim(bottom=0)
    if courses:
        axes.legend(fontsize="small")
    try:
        figure.savefig(path, format=_format(path))
    except OSError as error:
        raise unwritable(path, error) from None


def check_plot(path: str | os.PathLike[str]) -> None:
    """Raises InputError where `write_plot` could not draw to a file of that name: to find out before there is anything to draw."""
    formats = FigureCanvasAgg.get_supported_filetypes()
    if _format(path) not in formats:
        raise InputError(
            f"cannot draw {os.fspath(path)}: there is no format {_format(path)!r}", hint=f"there are {', '.join(sorted(formats))}"
        )
    check_writable(Path(path))


def _format(path: str | os.PathLike[str]) -> str:
    """What the name ends with; PNG where it has no end."""
    return Path(path).suffix[1:].lower() or "png"
