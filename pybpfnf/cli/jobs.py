"""`run --jobs`: a capture in parts, run by several processes at once; what they print and write comes in the capture's order.

Each part begins with the maps as they were before the first packet. So that the result is that of one process, a function whose packets
depend on those before them is refused: by its calls (the time, random numbers, timers) before anything is run, by the maps that it has
written as soon as a part shows it.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, redirect_stdout
from ipaddress import ip_address
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, final

from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.captures.cuts import Cut, cuts, read_cut
from pybpfnf.captures.link import LINK_TYPES, LinkType
from pybpfnf.captures.pcap import HEADER_SIZE, Writer
from pybpfnf.cli.passing import Pass
from pybpfnf.cli.reports import By, JsonReport, Report, Tally, TextReport
from pybpfnf.cli.router import environment_of, runner_of
from pybpfnf.errors import InputError
from pybpfnf.records import dataclass
from pybpfnf.runner import Fault, FaultKind
from pybpfnf.targets import object_bytes
from pybpfnf.testing.carried import changed, contents, why_not_apart
from pybpfnf.verbs.run import Simulation, simulate

_SIZE = 1 << 24  # bytes of a part: seconds of work where each packet costs some, and little to throw away
_AHEAD = 2  # parts for each process that are given out before the first of them is back
_HINT = "leave out --jobs"
_BLOCK = 1 << 20


@final
@dataclass(slots=True)  # not frozen: it is sent to other processes
class Job:
    """What all parts have in common: the object, and `run`'s options. What leaves and what is said of packets goes to files in `place`."""

    data: bytes
    program: str | None
    type_name: str | None
    config: dict[str, str]
    engine: str
    kernel: str | None
    tables: tuple[int, ...]
    sid: str | None
    mark: int
    path: Path
    quiet: bool
    as_json: bool
    writing: bool
    place: Path

    def report(self, simulation: Simulation) -> Report:
        program = simulation.program
        verdicts = PROGRAM_TYPES[program.type or ""].verdicts
        return (JsonReport if self.as_json else TextReport)(
            program, verdicts, simulation.image.maps, By("vm", self.engine), quiet=self.quiet
        )


@final
@dataclass(slots=True)
class Part:
    """What came of one. `link`: the link type's number of its first record, `written` of those that left; `offset` is where it ended.
    `changed`: the variables and maps that packets have left otherwise than they were."""

    packets: int
    forwarded: int
    faults: tuple[tuple[tuple[Any, ...], int], ...]
    link: int | None
    written: int | None
    first_written: int
    offset: int
    changed: tuple[str, ...]
    problem: tuple[str, str | None] | None

    def tally(self) -> Tally:
        tally = Tally()
        tally.add(self.packets, self.forwarded)
        for (kind, *rest), count in self.faults:
            tally.faults[Fault(FaultKind(kind), *rest)] += count
        return tally


def check_apart(simulation: Simulation) -> None:
    """Raises InputError where a packet depends on how many came before it."""
    reason = why_not_apart(simulation.image, simulation.program)
    if reason is not None:
        raise InputError(f"--jobs would change what becomes of packets: {simulation.program.name} {reason}", hint=_HINT)


def run_parts(job: Job, jobs: int, writer: Writer | None, report: Report, moved: Callable[[int], None]) -> LinkType | None:
    """All parts, `jobs` at once; gives the first record's link type. Raises InputError as one process would, and for what is written."""
    link = None
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool, job.path.open("rb") as stream:
        parts = enumerate(cuts(stream, str(job.path), _SIZE))
        given = [pool.submit(run_part, job, number, cut) for number, cut in islice(parts, jobs * _AHEAD)]
        try:
            for number, part in enumerate(_in_order(given, lambda: next(parts, None), lambda at, cut: pool.submit(run_part, job, at, cut))):
                if part.changed:
                    left = _joined(part.changed)
                    raise InputError(f"--jobs would change what becomes of packets: they depend on what others leave in {left}", hint=_HINT)
                link = link or (None if part.link is None else LINK_TYPES[part.link])
                _take(job, number, part, writer)
                report.tally.join(part.tally())
                moved(part.offset)
                if part.problem is not None:
                    message, hint = part.problem
                    raise InputError(message, hint=hint)
        finally:
            pool.shutdown(cancel_futures=True)
    return link


def _in_order(
    given: list[Future[Part]], following: Callable[[], tuple[int, Cut] | None], submit: Callable[[int, Cut], Future[Part]]
) -> Iterator[Part]:
    """The parts as they were given out; for each that is back another goes out."""
    while given:
        part = given.pop(0).result()
        more = following()
        if more is not None:
            given.append(submit(*more))
        yield part


def _take(job: Job, number: int, part: Part, writer: Writer | None) -> None:
    """Print and write what a part left in its files."""
    said, left = _files(job, number)
    with said.open(encoding="utf-8") as lines:
        shutil.copyfileobj(lines, sys.stdout)
    said.unlink()
    if writer is not None and part.written is not None:
        with left.open("rb") as records:
            records.seek(HEADER_SIZE)
            while block := records.read(_BLOCK):
                writer.write_records(LINK_TYPES[part.written], memoryview(block), first=part.first_written)
    left.unlink(missing_ok=True)


def run_part(job: Job, number: int, cut: Cut) -> Part:
    """In a process of its own: one part, from its first record to its last."""
    router = environment_of(job.tables, None if job.sid is None else ip_address(job.sid), job.mark)
    said, left = _files(job, number)
    with ExitStack() as stack:
        simulation = stack.enter_context(
            simulate(
                job.data,
                program=job.program,
                type=job.type_name,
                config=job.config,
                runner=runner_of("vm", job.engine, job.kernel),
                environment=router,
            )
        )
        before, report, problem, link = contents(simulation.session), job.report(simulation), None, None
        capture = read_cut(stack.enter_context(job.path.open("rb")), job.path, cut)
        writer = Writer(stack.enter_context(left.open("wb"))) if job.writing else None
        stack.enter_context(redirect_stdout(stack.enter_context(said.open("w", encoding="utf-8"))))
        size = job.path.stat().st_size
        try:
            link = Pass(size, job.quiet, by_time=False).send(simulation, capture, writer, report)
        except InputError as error:
            problem = error.message, error.hint
        tally = report.tally
        written = None if writer is None or writer.link is None else writer.link.number
        return Part(
            packets=tally.packets,
            forwarded=tally.forwarded,
            faults=tuple((_plain(fault), count) for fault, count in tally.faults.items()),
            link=None if link is None else link.number,
            written=written,
            first_written=0 if writer is None else writer.first,
            offset=capture.source.offset,
            changed=tuple(changed(simulation.image, before, contents(simulation.session))),
            problem=problem,
        )


def job_of(
    target: str, simulation: Simulation, path: Path, place: Path, *, config: Mapping[str, str], sid: object, writing: bool, **options: Any
) -> Job:
    """What `run` was asked for. Raises InputError where --jobs cannot give the same."""
    check_apart(simulation)
    if not path.is_file():
        raise InputError(f"--jobs cuts a file in parts, and {path} is none", hint=_HINT)
    given = None if sid is None else str(sid)
    return Job(data=object_bytes(target), path=path, place=place, config=dict(config), sid=given, writing=writing, **options)


def place_for_parts() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="pybpfnf-run-")


def _files(job: Job, number: int) -> tuple[Path, Path]:
    return job.place / f"{number}.txt", job.place / f"{number}.pcap"


def _plain(fault: Fault) -> tuple[Any, ...]:
    """As it can be sent."""
    return (fault.kind.value, fault.message, fault.file, fault.line, fault.column, fault.slot, fault.site, fault.callers)


def _joined(names: tuple[str, ...]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
