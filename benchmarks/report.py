"""The results as tables for people and as JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import final

from rich.console import Console
from rich.table import Table

from benchmarks.build_time import BuildTime
from benchmarks.codegen import IN_C, IN_FIXED_C, CodeFigures
from benchmarks.delay_lab import DelayTruth
from benchmarks.files import FileSpeed
from benchmarks.links import FRAME, LinkSpeed
from benchmarks.measure import Spread
from benchmarks.probes import PAPER, ProbeSpeed
from benchmarks.sustained import RATE, Sustained
from benchmarks.virtual_labs import LabSpeed
from benchmarks.vm_speed import KERNEL, Speed


@final
@dataclass(frozen=True, slots=True)
class Report:
    """One run. `setting` says on what; `missing` what could not be measured, and why."""

    setting: dict[str, str]
    missing: Sequence[str]
    build: Sequence[BuildTime] = ()
    codegen: Sequence[CodeFigures] = ()
    vm: Sequence[Speed] = ()
    files: Sequence[FileSpeed] = ()
    links: Sequence[LinkSpeed] = ()
    labs: Sequence[LabSpeed] = ()
    delays: Sequence[DelayTruth] = ()
    probes: Sequence[ProbeSpeed] = ()
    sustained: Sequence[Sustained] = ()

    def as_json(self) -> str:
        """Times in milliseconds (`build`) and nanoseconds (`codegen`, `vm`), in seconds of `files` and `labs`; `links` says its own."""
        return json.dumps(asdict(self), indent=2)

    def print(self, console: Console) -> None:
        for name, value in self.setting.items():
            console.print(f"{name}: {value}", highlight=False)
        for line in self.missing:
            console.print(f"missing: {line}", highlight=False)
        for rows, table in (
            (self.build, _build_table),
            (self.codegen, _code_table),
            (self.vm, _vm_table),
            (self.files, _files_table),
            (self.links, _links_table),
            (self.labs, _labs_table),
            (self.delays, _delays_table),
            (self.probes, _probes_table),
            (self.sustained, _sustained_table),
        ):
            if rows:
                console.print(table(rows))


def _sustained_table(rows: Sequence[Sustained]) -> Table:
    title = f"delay monitoring: {RATE:,} probes a second, at a responder with a processor of its own and a collector on that of the source"
    table = Table("s", title=title, title_justify="left")
    for name in ("sent", "heard", "answered", "collected", "responder, of a processor", "collector"):
        table.add_column(name, justify="right")
    for row in rows:
        counts = [f"{count:,}" for count in (row.sent, row.heard, row.answered, row.collected)]
        table.add_row(f"{row.seconds:.1f}", *counts, *(f"{each / row.seconds * 100:.0f} %" for each in (row.responder, row.collector)))
    return table


def _probes_table(rows: Sequence[ProbeSpeed]) -> Table:
    title = f"delay monitoring: probes a second of one core's time, and in brackets as a multiple of the paper's daemon ({PAPER:,})"
    table = Table("what", title=title, title_justify="left")
    for name in ("datagrams", "lost", "a second"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(row.what, f"{row.sent:,}", f"{row.lost:,}", f"{row.rate:,.0f} ({row.rate / PAPER:.1f})")
    return table


def _build_table(rows: Sequence[BuildTime]) -> Table:
    table = Table("function", title="time to build, ms: least (median)", title_justify="left")
    for name in ("in process, warm", "whole command", "clang", "in process : clang", "command : clang"):
        table.add_column(name, justify="right")
    for row in rows:
        times = [_spread(each, 1) for each in (row.in_process, row.command, row.clang)]
        table.add_row(row.function, *times, _of_medians(row.in_process, row.clang), _of_medians(row.command, row.clang))
    return table


def _code_table(rows: Sequence[CodeFigures]) -> Table:
    title = f"code, and in brackets its ratio to that of C, / to that of `{IN_FIXED_C}`: an SRH right behind the IPv6 header, no TLVs seen"
    table = Table("function", "written in", title=title, title_justify="left")
    for name in ("instructions loaded", "executed", "machine code, bytes", "ns a run"):
        table.add_column(name, justify="right")
    yardsticks = {(row.function, row.variant): row for row in rows if row.variant in (IN_C, IN_FIXED_C)}
    last = None
    for row in rows:
        if last not in (None, row.function):
            table.add_section()
        last = row.function
        others = [yardsticks.get((row.function, variant)) for variant in (IN_C, IN_FIXED_C)]
        in_c = row.variant in (IN_C, IN_FIXED_C)
        table.add_row(row.function, row.variant, *_against(row, [] if in_c else [other for other in others if other is not None]))
    return table


def _vm_table(rows: Sequence[Speed]) -> Table:
    table = Table("program", "run by", title="the VM, and in brackets its time as a ratio to the kernel's", title_justify="left")
    for name in ("ns a run", "ns an instruction", "instructions a second"):
        table.add_column(name, justify="right")
    of_the_kernel = {row.program: row.nanoseconds for row in rows if row.runner == KERNEL}
    for row, after in zip(rows, [*rows[1:], None], strict=True):
        yardstick = of_the_kernel.get(row.program) if row.runner != KERNEL else None
        ratio = "" if yardstick is None else f" ({row.nanoseconds / yardstick:.2f})"
        each = row.nanoseconds / row.instructions
        table.add_row(row.program, row.runner, f"{row.nanoseconds:.1f}{ratio}", f"{each:.2f}", f"{1e3 / each:,.1f} million")
        if after is not None and after.program != row.program:
            table.add_section()
    return table


def _files_table(rows: Sequence[FileSpeed]) -> Table:
    table = Table("function", title="from file to file, the whole command", title_justify="left")
    for name in ("packets", "MB", "s", "packets a second", "memory, MB"):
        table.add_column(name, justify="right")
    for row in rows:
        rate = f"{row.packets / row.seconds:,.0f}"
        table.add_row(row.function, f"{row.packets:,}", f"{row.bytes / 1e6:.0f}", f"{row.seconds:.2f}", rate, f"{row.memory / 1e6:.0f}")
    return table


def _links_table(rows: Sequence[LinkSpeed]) -> Table:
    title = f"a lab's link of 110 Mb/s and 30 ms, frames of {FRAME} bytes both ways; by how many ms probes are late: median (99 of 100)"
    table = Table("done by", title=title, title_justify="left")
    for name in ("Mb/s each way", "sent", "arrived", "dropped", "of a processor", "alone", "behind frames"):
        table.add_column(name, justify="right")
    for row in rows:
        processor = "-" if row.processor is None else f"{row.processor * 100:.0f} %"
        late = [
            f"{median / 1e6:.3f} ({most / 1e6:.3f})" for median, most in ((row.idle_median, row.idle_99), (row.late_median, row.late_99))
        ]
        table.add_row(row.means, f"{row.megabits:.1f}", f"{row.sent:,}", f"{row.arrived:,}", f"{row.dropped:,}", processor, *late)
    return table


def _labs_table(rows: Sequence[LabSpeed]) -> Table:
    table = Table("at the third node", title="packets over five nodes of a lab in one process", title_justify="left")
    for name in ("packets", "s", "us a packet and node"):
        table.add_column(name, justify="right")
    for row in rows:
        each = row.seconds / row.packets / row.crossings * 1e6
        table.add_row(row.what, f"{row.packets:,}", f"{row.seconds:.2f}", f"{each:.1f}")
    return table


def _delays_table(rows: Sequence[DelayTruth]) -> Table:
    table = Table("probes", title="delays over a lab's link in namespaces, ms", title_justify="left")
    for name in ("sent", "answered", "known", "median measured", "off by", "98 of 100 within"):
        table.add_column(name, justify="right")
    for row in rows:
        times = (row.known, row.median, row.median - row.known, row.spread)
        table.add_row(row.ways, str(row.sent), str(row.answered), *(f"{time / 1e6:.3f}" for time in times))
    return table


def _against(row: CodeFigures, yardsticks: Sequence[CodeFigures]) -> Iterator[str]:
    """The figures of a row, each with its ratio to the yardsticks' that there are."""
    for own, *others in zip(_figures(row), *map(_figures, yardsticks), strict=True):
        if own is None:
            yield "-"
        else:
            ratios = " / ".join(f"{own / other:.2f}" for other in others if other is not None)
            yield f"{own:.0f}" + (f" ({ratios})" if ratios else "")


def _figures(row: CodeFigures) -> tuple[float | None, ...]:
    """Where the kernel could not be asked, the length is the object's."""
    nanoseconds = None if row.nanoseconds is None else row.nanoseconds.median
    return (row.slots if row.loaded is None else row.loaded, row.executed, row.machine_code, nanoseconds)


def _spread(spread: Spread | None, digits: int) -> str:
    return "-" if spread is None else f"{spread.least:.{digits}f} ({spread.median:.{digits}f})"


def _of_medians(spread: Spread, yardstick: Spread | None) -> str:
    return "-" if yardstick is None else f"{spread.median / yardstick.median:.2f}"
