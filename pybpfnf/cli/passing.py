"""A capture's packets through a program, with a report of them and a file of what leaves: all of it, or a part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import final

from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.captures.capture import Capture, Record
from pybpfnf.captures.link import LinkType
from pybpfnf.captures.pcap import Writer
from pybpfnf.cli.reports import Report
from pybpfnf.errors import InputError
from pybpfnf.records import dataclass
from pybpfnf.testing.passing import FilePass, outcomes
from pybpfnf.verbs.run import Simulation
from pybpfnf.vm import WORTH_A_BATCH, VmSession

_BETWEEN = 256  # packets, from one look at how far it has come to the next


def _nothing() -> None:
    """What is to be done where nothing is."""


@final
@dataclass(frozen=True, slots=True)
class Pass:
    """How packets go through. `size` is the capture's in bytes, None for a pipe, whose packets are run as they come.

    `by_time`: packets come at their times in the capture. `after` is called after each packet (not where only sums are wanted), `moved` now
    and then."""

    size: int | None
    quiet: bool
    by_time: bool
    watched: bool = False  # packet by packet
    after: Callable[[], None] = _nothing
    moved: Callable[[], None] = _nothing

    def send(self, simulation: Simulation, capture: Capture, writer: Writer | None, report: Report) -> LinkType | None:
        """All records of the capture; gives the link type of the first, None without one. Raises InputError for what cannot be read, when
        all before it has been run."""
        session, clock = simulation.session, clock_of(simulation) if self.by_time else None
        at_once = self.size is not None and not self.watched and clock is None
        if at_once and self.quiet and isinstance(session, VmSession) and (files := session.files(self.size or 0)) is not None:
            return FilePass(session, files, capture, writer, report).run(self.moved)
        link, row = None, PROGRAM_TYPES[simulation.program.type or ""]
        for record, outcome in outcomes(simulation, _timed(capture, clock), WORTH_A_BATCH if at_once else 1):
            link = link or record.link
            report.packet(record, outcome)
            self.after()
            if writer is not None and outcome.packet is not None and outcome.forwarded:
                writer.write(record, outcome.packet, whole=row.l2)
            if record.index % _BETWEEN == 0:
                self.moved()
        return link


def clock_of(simulation: Simulation) -> Callable[[int], None]:
    """What sets the clock for the next packet. Raises InputError where nothing can."""
    if not isinstance(simulation.session, VmSession):
        raise InputError("the kernel's clocks are its own", hint="leave out --runner kernel, or --clock")
    return simulation.session.set_clock


def _timed(records: Iterable[Record], set_clock: Callable[[int], None] | None) -> Iterator[Record]:
    """The records, the clock set to the time of each before it is run; those without a time leave it as it is."""
    for record in records:
        if set_clock is not None and record.timestamp:
            set_clock(record.timestamp)
        yield record
