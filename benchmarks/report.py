"""The results as tables for people and as JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import final

from rich.console import Console
from rich.table import Table

from benchmarks.build_time import BuildTime
from benchmarks.measure import Spread
from benchmarks.run_time import RunTime


@final
@dataclass(frozen=True, slots=True)
class Report:
    """One run. `setting` says on what; `missing` what could not be measured, and why."""

    setting: dict[str, str]
    build: Sequence[BuildTime]
    run: Sequence[RunTime]
    missing: Sequence[str]

    def as_json(self) -> str:
        """Times in milliseconds (`build`) and nanoseconds (`run`)."""
        return json.dumps(asdict(self), indent=2)

    def print(self, console: Console) -> None:
        for name, value in self.setting.items():
            console.print(f"{name}: {value}", highlight=False)
        for line in self.missing:
            console.print(f"missing: {line}", highlight=False)
        console.print(_build_table(self.build))
        console.print(_run_table(self.run))


def _build_table(rows: Sequence[BuildTime]) -> Table:
    table = Table("function", title="time to build, ms: least (median)", title_justify="left")
    for name in ("in process, warm", "whole command", "clang", "in process : clang"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            row.function, _spread(row.in_process, 1), _spread(row.command, 1), _spread(row.clang, 1), _ratio(row.in_process, row.clang)
        )
    return table


def _run_table(rows: Sequence[RunTime]) -> Table:
    table = Table("function", "written in", title="in the kernel, ns a run: least (median)", title_justify="left")
    for name in ("instructions", "executed", "ns a run", ": C"):
        table.add_column(name, justify="right")
    yardsticks = {row.function: row.nanoseconds for row in rows if row.variant == "C"}
    last = None
    for row in rows:
        if last not in (None, row.function):
            table.add_section()
        last = row.function
        ratio = "" if row.variant == "C" else _ratio(row.nanoseconds, yardsticks.get(row.function))
        table.add_row(row.function, row.variant, str(row.slots), _count(row.executed), _spread(row.nanoseconds, 0), ratio)
    return table


def _spread(spread: Spread | None, digits: int) -> str:
    return "-" if spread is None else f"{spread.least:.{digits}f} ({spread.median:.{digits}f})"


def _ratio(spread: Spread | None, yardstick: Spread | None) -> str:
    """Of the medians."""
    return "-" if spread is None or yardstick is None else f"{spread.median / yardstick.median:.2f}"


def _count(number: int | None) -> str:
    return "-" if number is None else str(number)
