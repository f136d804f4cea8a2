"""What `pybpfnf run` prints: text for people, or JSON Lines for programs.

JSON Lines: a header object (`program`, `type`, `runner`, `engine`), an object for each packet and a summary object. A packet has
`index` (from 0), `verdict` (its name, the number where the hook has no name for it, null where the program gave none),
`forwarded`, `packet` (hex, from the IPv6 header on as it leaves the hook, before forwarding takes one hop off; null when
dropped), `reason` (why it did not leave, or null), `fault` (null or `file`, `line`, `message`), `instructions`,
`events` (`map`, `data` in hex, `record` with its fields, `rest`, what follows it, in hex) and `log` (lines). The summary has
`packets`, `forwarded`, `dropped`, `faults`, each with its `count`, and `contents`:
the variables and map entries that were asked for.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol, final

import click

from pybpfnf.captures.capture import Record
from pybpfnf.cli.contents import Content, print_contents
from pybpfnf.cli.tables import Column, print_table
from pybpfnf.cli.words import Words
from pybpfnf.image.model import MapSpec, ProgramImage
from pybpfnf.records import dataclass
from pybpfnf.runner import Fault, Outcome

_SAID_BY_THE_FAULT = ("the program returned ", "the program faulted")  # how reasons begin that add nothing to a fault
_RUNNERS = {"vm": "the VM", "kernel": "the kernel"}


@final
@dataclass(frozen=True, slots=True)
class By:
    """What runs the packets: `runner` is "vm" or "kernel", `engine` that of the VM as it was asked for, None of the kernel."""

    runner: str
    engine: str | None


class Report(Protocol):
    """Told of the beginning, of each packet in turn, and of the end. A quiet one only counts packets, and may be told of many at once."""

    @property
    def tally(self) -> Tally: ...
    def begin(self) -> None: ...
    def packet(self, record: Record, outcome: Outcome) -> None: ...
    def packets(self, count: int, forwarded: int) -> None: ...
    def finish(self, contents: Sequence[Content]) -> None: ...


@final
class JsonReport:
    def __init__(self, program: ProgramImage, verdicts: Mapping[str, int], maps: Mapping[str, MapSpec], by: By, *, quiet: bool) -> None:
        self._words = Words(maps)
        self._names = {number: name for name, number in verdicts.items()}
        self.tally = Tally()
        self._quiet = quiet
        self._head = {"program": program.name, "type": program.type, "runner": by.runner, "engine": by.engine}

    def begin(self) -> None:
        _print_json(self._head)

    def packet(self, record: Record, outcome: Outcome) -> None:
        self.tally.count(outcome)
        if self._quiet:
            return
        verdict = outcome.verdict
        _print_json(
            {
                "index": record.index,
                "verdict": None if verdict is None else self._names.get(verdict, verdict),
                "forwarded": outcome.forwarded,
                "packet": None if outcome.packet is None else outcome.packet.hex(),
                "reason": outcome.reason,
                "fault": None if outcome.fault is None else _fault_fields(outcome.fault),
                "instructions": outcome.instructions,
                "events": self._words.documents(outcome),
                "log": list(outcome.log),
            }
        )

    def packets(self, count: int, forwarded: int) -> None:
        self.tally.add(count, forwarded)

    def finish(self, contents: Sequence[Content]) -> None:
        tally = self.tally
        held = [content.document() for content in contents]
        faults = [{**_fault_fields(fault), "count": count} for fault, count in tally.faults.items()]
        _print_json({"packets": tally.packets, "forwarded": tally.forwarded, "dropped": tally.dropped, "faults": faults, "contents": held})


@final
class TextReport:
    """A line for each packet, then the sums and a table of faults."""

    def __init__(self, program: ProgramImage, verdicts: Mapping[str, int], maps: Mapping[str, MapSpec], by: By, *, quiet: bool) -> None:
        self._words = Words(maps)
        self._names = {number: name for name, number in verdicts.items()}
        self._width = max(map(len, verdicts))
        self.tally = Tally()
        self._quiet = quiet
        self._head = f"{program.name} ({program.type}) in {_RUNNERS[by.runner]}"

    def begin(self) -> None:
        click.echo(self._head)

    def packet(self, record: Record, outcome: Outcome) -> None:
        self.tally.count(outcome)
        if self._quiet:
            return
        verdict = outcome.verdict
        name = "-" if verdict is None else self._names.get(verdict, str(verdict))
        click.echo(f"{record.index:>6}  {name:<{self._width}}  {_fate(outcome)}")
        for line in self._words.lines(outcome):
            click.echo(f"        {line}")

    def packets(self, count: int, forwarded: int) -> None:
        self.tally.add(count, forwarded)

    def finish(self, contents: Sequence[Content]) -> None:
        tally = self.tally
        packets = "1 packet" if tally.packets == 1 else f"{tally.packets} packets"
        click.echo(f"{packets}: {tally.forwarded} forwarded, {tally.dropped} dropped, {tally.faults.total()} with a fault")
        if tally.faults:
            click.echo()
            rows = [(str(count), _where(fault), fault.message) for fault, count in tally.faults.most_common()]
            print_table((Column("PACKETS", right=True), Column("WHERE"), Column("FAULT")), rows)
        if contents:
            click.echo()
            print_contents(contents, as_json=False)


@final
class Tally:
    """Sums over packets. Faults are the same when place and message are."""

    def __init__(self) -> None:
        self.packets = 0
        self.forwarded = 0
        self.faults: Counter[Fault] = Counter()

    @property
    def dropped(self) -> int:
        return self.packets - self.forwarded

    def add(self, packets: int, forwarded: int) -> None:
        """Packets without a fault."""
        self.packets += packets
        self.forwarded += forwarded

    def join(self, other: Tally) -> None:
        self.add(other.packets, other.forwarded)
        self.faults += other.faults

    def count(self, outcome: Outcome) -> None:
        self.packets += 1
        self.forwarded += outcome.forwarded
        if outcome.fault is not None:
            self.faults[outcome.fault] += 1


def _fate(outcome: Outcome) -> str:
    """What became of the packet, and why, in a few words."""
    size = "" if outcome.packet is None else f"  {len(outcome.packet)} bytes"
    fault = "" if outcome.fault is None else f"  fault at {_where(outcome.fault)}: {outcome.fault.message}"
    if outcome.forwarded:
        return f"forwarded{size}{fault}"
    reason = outcome.reason or ""
    if not fault:
        return f"dropped    {reason}".rstrip()
    return f"dropped  {fault}" if reason.startswith(_SAID_BY_THE_FAULT) else f"dropped  {fault}: {reason}".rstrip(": ")


def _where(fault: Fault) -> str:
    if fault.file is not None:
        return ", called from ".join((f"{fault.file}:{fault.line}", *fault.callers))
    return "?" if fault.slot is None else f"instruction {fault.slot}"


def _fault_fields(fault: Fault) -> dict[str, object]:
    return {"file": fault.file, "line": fault.line, "message": fault.message, "called_from": list(fault.callers)}


def _print_json(document: Mapping[str, object]) -> None:
    click.echo(json.dumps(document))
