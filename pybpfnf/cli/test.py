"""`pybpfnf test`: files of packets in and packets out, on a router."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, final

import click

from pybpfnf.cli.options import json_option
from pybpfnf.errors import InputError
from pybpfnf.testing.seg.compare import Arrival
from pybpfnf.testing.seg.model import Expectation
from pybpfnf.testing.seg.run import Refused, Result
from pybpfnf.testing.seg.text import packet_text
from pybpfnf.verbs.seg import run_seg


@click.command("test")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--runner", type=click.Choice(["vm", "kernel"]), default="vm", help="A router in this process, or in a namespace (root).")
@click.option("--allow-shell", is_flag=True, help="Give other commands to a shell in the namespace; with --runner kernel.")
@json_option
def test_command(files: tuple[Path, ...], runner: str, allow_shell: bool, as_json: bool) -> int:
    """Send the packets of test files through a router, and compare what comes out.

    A file says packets in (`> fc00::2 -> fd00::3 / [fc00::14,+fd00::3]`), packets out (`< ...`, or `< none`), and between backticks the
    routes of the router, with programs on them. Packets come in at tun0; dum0 is there, with fc00::/16 behind it, and the router's own
    address is fd00::42. docs/seg.md has the syntax.

    With --json, stdout is an object for each test (file, line, name, passed, sent, expected, got, problems, reason, log), one for each
    command that was refused (file, line, command, passed, problems), and a summary (tests, passed, failed, refused). Exit status 1:
    a test failed, or a command was refused.
    """
    if allow_shell and runner != "kernel":
        raise InputError("a shell runs in a network namespace, which the VM's router has none of", hint="add --runner kernel")
    report: _Report = _JsonReport() if as_json else _TextReport()
    tally = _Tally()
    for file in files:
        for found in run_seg(file, runner=runner, allow_shell=allow_shell):
            tally.count(found)
            report.show(file, found)
    report.finish(tally)
    return int(bool(tally.failed or tally.refused))


@final
class _Tally:
    def __init__(self) -> None:
        self.passed = self.failed = self.refused = 0

    def count(self, found: Result | Refused) -> None:
        if isinstance(found, Refused):
            self.refused += 1
        elif found.problems:
            self.failed += 1
        else:
            self.passed += 1


class _Report(Protocol):
    def show(self, file: Path, found: Result | Refused) -> None: ...
    def finish(self, tally: _Tally) -> None: ...


@final
class _TextReport:
    """A line for each test, and below one that failed its packets and what differs."""

    def show(self, file: Path, found: Result | Refused) -> None:
        if isinstance(found, Refused):
            click.echo(f"{file}:{found.command.span.line}: refused  {found.command.text}")
            click.echo(f"    {found.message}" + (f"\n    hint: {found.hint}" if found.hint else ""))
            return
        click.echo(f"{file}:{found.case.line}: {'FAILED' if found.problems else 'passed'}   {found.case.name}")
        if found.problems:
            for word, text in _sides(found):
                click.echo(f"    {word:<10}{text}")
            for line in (*found.problems, *found.log):
                click.echo(f"    {line}")

    def finish(self, tally: _Tally) -> None:
        count = tally.passed + tally.failed
        commands = "command" if tally.refused == 1 else "commands"
        refused = f", {tally.refused} {commands} refused" if tally.refused else ""
        click.echo(f"{count} {'test' if count == 1 else 'tests'}: {tally.passed} passed, {tally.failed} failed{refused}")


@final
class _JsonReport:
    def show(self, file: Path, found: Result | Refused) -> None:
        if isinstance(found, Refused):
            document: dict[str, object] = {
                "file": str(file),
                "line": found.command.span.line,
                "command": found.command.text,
                "passed": False,
                "problems": [found.message],
            }
        else:
            document = {
                "file": str(file),
                "line": found.case.line,
                "name": found.case.name,
                "passed": not found.problems,
                "sent": packet_text(found.case.packet),
                "expected": [_side(each) for each in found.case.expected or ()],
                "got": [_side(each) for each in found.arrivals],
                "problems": list(found.problems),
                "reason": found.reason,
                "log": list(found.log),
            }
        click.echo(json.dumps(document))

    def finish(self, tally: _Tally) -> None:
        tests = tally.passed + tally.failed
        click.echo(json.dumps({"tests": tests, "passed": tally.passed, "failed": tally.failed, "refused": tally.refused}))


def _sides(found: Result) -> list[tuple[str, str]]:
    """What was sent, expected and got, as a file writes it."""
    nothing = f"none: {found.reason}" if found.reason else "none"
    return [
        ("sent", packet_text(found.case.packet)),
        *(("expected", text) for text in _texts(found.case.expected or ()) or ["none"]),
        *(("got", text) for text in _texts(found.arrivals) or [nothing]),
    ]


def _texts(each: Sequence[Expectation | Arrival]) -> list[str]:
    return [(f"({one.device}) " if one.device else "") + packet_text(one.packet) for one in each]


def _side(one: Expectation | Arrival) -> dict[str, object]:
    return {"device": one.device, "packet": packet_text(one.packet)}
