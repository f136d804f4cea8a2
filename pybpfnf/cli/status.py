"""`pybpfnf status`."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from pybpfnf.cli.options import json_option, seconds
from pybpfnf.cli.tables import Column, print_table
from pybpfnf.image.model import FaultSite
from pybpfnf.verbs.attach import Status, status

_COLUMNS = (
    Column("DESTINATION"),
    Column("TABLE", right=True),
    Column("DEV"),
    Column("HOOK"),
    Column("PROGRAM"),
    Column("ID", right=True),
    Column("TAG"),
    Column("FAULTS", right=True),
)
_STATISTICS = (Column("RUNS", right=True), Column("NS/RUN", right=True))
_NOTHING = "-"


@click.command("status")
@click.option("--stats", is_flag=True, help="Also count and time runs, for as long as --interval says.")
@click.option(
    "--interval",
    callback=seconds(0.001),
    default="1",
    show_default=True,
    metavar="SECONDS",
    help="How long --stats measures; the kernel's statistics are on only so long.",
)
@json_option
def status_command(stats: bool, interval: float, as_json: bool) -> None:
    """Show what is attached, with fault counts (root)."""
    found = status(interval=interval if stats else None)
    if as_json:
        for each in found:
            click.echo(json.dumps(_document(each, interval)))
        return
    if not found:
        click.echo("nothing is attached in this network namespace", err=True)
        return
    columns = (*_COLUMNS, *_STATISTICS) if stats else _COLUMNS
    print_table(columns, [(*_cells(each), *(_statistics(each) if stats else ())) for each in found])
    _print_faults(found)
    for each in found:
        for problem in each.problems:
            click.echo(f"{each.attachment.destination_text}: {problem}")


def _cells(row: Status) -> tuple[str, ...]:
    attachment, info, route = row.attachment, row.info, row.attachment.route
    program = attachment.record.program if attachment.record is not None else (route.program_name if route is not None else None)
    return (
        attachment.destination_text,
        str(attachment.table),
        route.device if route is not None else _NOTHING,
        attachment.record.type.removeprefix("lwt_") if attachment.record is not None else _NOTHING,
        program or _NOTHING,
        _NOTHING if attachment.program_id is None else str(attachment.program_id),
        _NOTHING if info is None else info.tag,
        _NOTHING if info is None else str(sum(fault.count for fault in row.faults)),
    )


def _statistics(row: Status) -> tuple[str, str]:
    if row.runs is None or row.run_ns is None:
        return _NOTHING, _NOTHING
    return str(row.runs), f"{row.run_ns / row.runs:.0f}" if row.runs else _NOTHING


def _print_faults(found: Sequence[Status]) -> None:
    rows = [
        (row.attachment.destination_text, str(fault.count), _where(fault.site), fault.site.message)
        for row in found
        for fault in row.faults
        if fault.count
    ]
    if rows:
        click.echo()
        print_table((Column("DESTINATION"), Column("PACKETS", right=True), Column("WHERE"), Column("FAULT")), rows)


def _where(site: FaultSite) -> str:
    return ", called from ".join((f"{site.file}:{site.line}", *site.callers))


def _document(row: Status, interval: float) -> dict[str, object]:
    attachment, info, route, record = row.attachment, row.info, row.attachment.route, row.attachment.record
    measured = None if row.runs is None else {"seconds": interval, "runs": row.runs, "ns": row.run_ns}
    return {
        "destination": attachment.destination_text,
        "table": attachment.table,
        "dev": None if route is None else route.device,
        "program": None if record is None else record.program,
        "type": None if record is None else record.type,
        "id": attachment.program_id,
        "tag": None if info is None else info.tag,
        "object": None if record is None else record.digest,
        "attached_at": None if record is None else record.attached_at,
        "faults": [
            {
                "file": fault.site.file,
                "line": fault.site.line,
                "called_from": list(fault.site.callers),
                "message": fault.site.message,
                "count": fault.count,
            }
            for fault in row.faults
        ],
        "statistics": measured,
        "problems": list(row.problems),
    }
