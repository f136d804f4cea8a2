"""A figure as a table, a CSV file and a picture, each with the machine that it was measured on and the thesis' points beside."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.table import Table

from benchmarks.figures.measuring import Bar

_COLUMNS = ("case", "ns a packet", "ns added", "percent", "low", "high", "of static", "thesis percent", "thesis ns added")


def table(title: str, bars: Sequence[Bar]) -> Table:
    shown = Table("case", title=f"{bars[0].figure}: {title}", title_justify="left")
    for name in ("ns a packet", "ns added", "% of plain (middle half)", "of static", "thesis: %", "thesis: ns added"):
        shown.add_column(name, justify="right")
    for bar in bars:
        middle = f"{bar.percent:.1f} ({bar.low:.1f}-{bar.high:.1f})"
        thesis = ("", "") if bar.point is None else (f"{bar.point.percent:.1f}", f"{bar.point.added_nanoseconds:.0f}")
        of_static = "" if bar.of_static is None else f"{bar.of_static:.3f}"
        shown.add_row(bar.case, f"{bar.nanoseconds:.0f}", f"{bar.added:.0f}", middle, of_static, *thesis)
    return shown


def write_csv(where: Path, setting: Mapping[str, str], bars: Sequence[Bar]) -> Path:
    """`<figure>.csv`: what it was measured on as comments, then a line a case."""
    path = where / f"{bars[0].figure}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        for name, value in setting.items():
            file.write(f"# {name}: {value}\n")
        lines = csv.writer(file)
        lines.writerow(_COLUMNS)
        for bar in bars:
            numbers = (bar.nanoseconds, bar.added, bar.percent, bar.low, bar.high)
            thesis = ("", "") if bar.point is None else (bar.point.percent, round(bar.point.added_nanoseconds, 1))
            of_static = "" if bar.of_static is None else round(bar.of_static, 4)
            lines.writerow((bar.case, *(round(number, 2) for number in numbers), of_static, *thesis))
    return path


def draw(where: Path, title: str, setting: Mapping[str, str], bars: Sequence[Bar]) -> Path:
    """`<figure>.png`: measured bars with the middle half of the rounds, the thesis' points beside them."""
    import matplotlib  # its import takes half a second, which a table need not wait for

    matplotlib.use("agg")
    from matplotlib import pyplot

    shown = bars[1:]
    places = range(len(shown))
    figure, axes = pyplot.subplots(figsize=(1.4 * len(shown) + 1, 4.8), layout="constrained")
    spread = [[bar.percent - bar.low for bar in shown], [bar.high - bar.percent for bar in shown]]
    axes.bar([place - 0.2 for place in places], [bar.percent for bar in shown], 0.4, yerr=spread, capsize=3, label="measured here")
    known = [(place + 0.2, bar.point) for place, bar in zip(places, shown, strict=True) if bar.point is not None]
    axes.bar([place for place, _ in known], [point.percent for _, point in known], 0.4, color="0.75", label="thesis, 2018")
    axes.set_xticks(list(places), [bar.case.replace(" ", "\n", 1) for bar in shown])
    axes.set_ylabel("packets a second, % of plain IPv6 forwarding")
    axes.set_ylim(0, 105)
    axes.set_title(title)
    axes.legend()
    figure.supxlabel(", ".join(setting[name] for name in ("machine", "kernel")), fontsize="x-small")
    path = where / f"{bars[0].figure}.png"
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
    return path
