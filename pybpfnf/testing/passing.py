"""A capture's packets through a session: one by one with what became of each, or in machine code with sums alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, final

from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.captures.capture import Capture, Interface, Record
from pybpfnf.captures.link import LinkType
from pybpfnf.captures.pcap import Writer
from pybpfnf.errors import InputError
from pybpfnf.image.model import ProgramImage
from pybpfnf.runner import Outcome
from pybpfnf.vm import VmSession
from pybpfnf.vm.native.files import FileBatch, FrameFormat, Stopped

_BLOCK = 1 << 20  # bytes of a file that are read at once


class Sums(Protocol):
    """Who is told what became of packets."""

    def packet(self, record: Record, outcome: Outcome) -> None: ...
    def packets(self, count: int, forwarded: int) -> None:
        """So many packets, of which so many left; none had a fault."""
        ...


class Runs(Protocol):
    """What can run packets of a program: a session, or what is around one."""

    @property
    def program(self) -> ProgramImage: ...
    def run_many(self, packets: Sequence[bytes]) -> list[Outcome]: ...


def outcomes(session: Runs, records: Iterator[Record], at_once: int = 1) -> Iterator[tuple[Record, Outcome]]:
    """Each record with what became of it; what is no packet for the hook never reaches the program, and says so."""
    for some in _chunks(records, at_once):
        packets = [packet_for(session, record) for record in some]
        run = iter(session.run_many([packet for packet in packets if packet is not None]))
        for record, packet in zip(some, packets, strict=True):
            yield record, _not_for_the_hook(session, record) if packet is None else next(run)


def packet_for(session: Runs, record: Record) -> bytes | None:
    """The packet in it that the session's hook takes; None where there is none."""
    return record.for_hook(PROGRAM_TYPES[session.program.type or ""])


def _chunks(records: Iterator[Record], at_once: int) -> Iterator[list[Record]]:
    """As many as may be run at once; those before a part that cannot be read are run before it is reported."""
    some: list[Record] = []
    try:
        for record in records:
            some.append(record)
            if len(some) == at_once:
                yield some
                some = []
    except InputError:
        yield some
        raise
    yield some


def _not_for_the_hook(session: Runs, record: Record) -> Outcome:
    reason = record.why_not(PROGRAM_TYPES[session.program.type or ""])
    return Outcome(None, None, forwarded=False, reason=reason, instructions=0, runs=0)


@final
class FilePass:
    """A capture through machine code, which deals with ordinary packets; the others go to the session one by one."""

    def __init__(self, session: VmSession, files: FileBatch, capture: Capture, writer: Writer | None, sums: Sums) -> None:
        self._session = session
        self._files = files
        self._capture = capture
        self._writer = writer
        self._sums = sums
        self._expected: object = None

    def run(self, moved: Callable[[], None] = lambda: None) -> LinkType | None:
        """To the capture's end; `moved` is called now and then. Gives the link type of the first record, None without one.

        Raises what reading and writing raise, when what comes before has been dealt with."""
        source, records = self._capture.source, iter(self._capture)
        first: LinkType | None = None
        while True:
            link = self._expect()
            progress = self._files.go(*source.ahead)
            source.taken(progress.position, progress.records)
            if progress.records:
                first = first or link
                self._sums.packets(progress.records, progress.forwarded)
            if progress.output:
                assert link is not None
                assert self._writer is not None
                self._writer.write_records(link, progress.output, first=source.record - progress.records)
            moved()
            if progress.stopped is Stopped.FULL or (progress.stopped is Stopped.DONE and source.read_ahead(_BLOCK)):
                continue
            record = next(records, None)
            if record is None:
                return first
            first = first or record.link
            self._one(record, begun=progress.stopped is Stopped.REST)

    def _one(self, record: Record, *, begun: bool) -> None:
        """A record that machine code left to the session, when its run had begun or before."""
        if record.packet is None:
            outcome = _not_for_the_hook(self._session, record)
        elif begun:
            outcome = self._session.go_on(record.packet, self._files.begun())
        else:
            outcome = self._session.run(record.packet)
        self._sums.packet(record, outcome)
        if self._writer is not None and outcome.packet is not None and outcome.forwarded:
            self._writer.write(record, outcome.packet)

    def _expect(self) -> LinkType | None:
        """Tell machine code of what the next records are, where that has changed; gives the link type of frames that it may take."""
        capture, writer = self._capture, self._writer
        interfaces = tuple(capture.interfaces)
        link = interfaces[0].link if interfaces else None
        if writer is not None and writer.link is not None:
            link = writer.link  # what has another cannot be written, and the writer says so
        now = (interfaces, capture.big_endian, link)
        if now != self._expected:
            self._expected = now
            formats = [_format(each, taken=writer is None or each.link == link) for each in interfaces]
            self._files.expect(formats, in_blocks=capture.in_blocks, big_endian=capture.big_endian, writing=writer is not None)
        return link


def _format(interface: Interface, *, taken: bool) -> FrameFormat:
    link = interface.link
    return FrameFormat(link.size, link.type_at, interface.ticks, interface.offset, taken)
