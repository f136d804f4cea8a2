"""What `run` can say of a run beside its packets: coverage of the source, its lines as they ran, and where the instructions went."""

from __future__ import annotations

import linecache
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar, final

import click

from pybpfnf.cli.tables import Column, print_table
from pybpfnf.errors import InputError
from pybpfnf.records import dataclass
from pybpfnf.runner import Runner
from pybpfnf.testing.coverage import check_data, report, write_data
from pybpfnf.testing.profile import Profile
from pybpfnf.testing.trace import Trace
from pybpfnf.unusable import check_directory
from pybpfnf.verbs.coverage import Counting, counting
from pybpfnf.verbs.run import Simulation
from pybpfnf.vm import Chained, VmRunner, VmSession

F = TypeVar("F", bound=Callable[..., Any])
_SHOWN = 20  # lines of a profile

_OPTIONS = (
    click.option(
        "--coverage", metavar="FILE", type=click.Path(path_type=Path), help="Add the lines and branches reached to coverage.py's data file."
    ),
    click.option("--html", metavar="DIR", type=click.Path(path_type=Path), help="Write pages that show the source with what was reached."),
    click.option("--trace", is_flag=True, help="Show each line that was executed, with the local variables that it changed (in the VM)."),
    click.option("--profile", is_flag=True, help="Show which lines the instructions were for (in the VM)."),
)


def insight_options(command: F) -> F:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@final
@dataclass(frozen=True, slots=True)
class Insight:
    """What of it is wanted. `begin` comes before the run, `print_packet` after each packet, `finish` at the end."""

    coverage: Path | None
    html: Path | None
    counting: Counting | None
    profile: Profile | None
    trace: Trace | None

    @classmethod
    def of(cls, target: str, coverage: Path | None, html: Path | None, trace: bool, profile: bool) -> Insight:
        """Raises InputError where the target has no source and coverage is asked for."""
        if trace and profile:
            raise click.UsageError("--trace and --profile are of runs of their own: give one of them")
        if coverage is not None:
            check_data(coverage)
        if html is not None:
            check_directory(html)
        wanted = trace or coverage is not None or html is not None
        counted = counting(target, values=trace) if wanted else None
        tracing = counted.trace() if counted is not None and trace else None
        return cls(coverage, html, counted, Profile() if profile else None, tracing)

    def target(self, given: str) -> str | bytes:
        """What to run in place of the target."""
        return given if self.counting is None else self.counting.data

    def runner(self, given: Runner) -> Runner:
        tracer = self.trace or self.profile
        if tracer is None:
            return given
        if not isinstance(given, VmRunner):
            raise InputError("a profile or a trace is made of the VM's steps", hint="leave out --runner kernel")
        return given.watched_by(tracer)

    def begin(self, simulation: Simulation) -> None:
        if self.trace is not None:
            assert isinstance(simulation.session, VmSession)
            self.trace.watch(simulation.session)

    def print_packet(self, *, err: bool) -> None:
        """What the last packet's run did, line by line."""
        if self.trace is None:
            return
        shown = _short_names({point.file for point in self.counting.points.values()} if self.counting is not None else ())
        for each in self.trace.take():
            text = linecache.getline(each.file, each.line).strip()
            changes = "   ".join(f"{name} = {value:#x}" if value > 9 else f"{name} = {value}" for name, value in each.changes)
            click.echo(f"        {shown[each.file]}:{each.line:<4} {text:<60} {changes}".rstrip(), err=err)

    def finish(self, simulation: Simulation, *, err: bool) -> None:
        """Write and print; to stderr where stdout is for programs."""
        if self.counting is not None and (self.coverage is not None or self.html is not None):
            files = self.counting.covered(simulation)
            with ExitStack() as stack:
                data = self.coverage or Path(stack.enter_context(tempfile.TemporaryDirectory())) / "coverage"
                write_data(data, files)
                click.echo(f"\n{report(data, list(files), self.html)}".rstrip(), err=err)
        if self.profile is not None:
            click.echo(err=err)
            assert isinstance(simulation.session, VmSession)
            _print_profile(self.profile, simulation.session.chained, err=err)


def _short_names(files: Iterable[str]) -> dict[str, str]:
    """As much of each path's end as tells it from the others."""
    paths = {file: Path(file) for file in files}
    count = max((len(path.parts) for path in paths.values()), default=0)
    for length in range(1, count + 1):
        names = {file: "/".join(path.parts[-length:]) for file, path in paths.items()}
        if len(set(names.values())) == len(names):
            return names
    return {file: file for file in paths}


def _print_profile(profile: Profile, chained: Chained, *, err: bool) -> None:
    lines = profile.lines(chained)
    total = sum(line.instructions for line in lines) or 1
    rows = [
        (f"{line.instructions:,}", f"{100 * line.instructions / total:.1f} %", f"{line.visits:,}", f"{line.file}:{line.line}", line.text)
        for line in lines[:_SHOWN]
    ]
    heads = (
        Column("INSTRUCTIONS", right=True),
        Column("SHARE", right=True),
        Column("VISITS", right=True),
        Column("LINE"),
        Column("SOURCE"),
    )
    print_table(heads, rows, err=err)
