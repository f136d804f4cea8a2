"""`pybpfnf attach`, `pybpfnf set` and `pybpfnf detach`."""

from __future__ import annotations

from collections.abc import Mapping

import click

from pybpfnf.cli.options import assignments, chosen, table_option
from pybpfnf.kernel.routes import warnings_for
from pybpfnf.verbs.attach import attach_configured, attached, detach

sid_argument = click.argument("sid", metavar="SID")


@click.command("attach")
@chosen
@sid_argument
@click.option("--dev", required=True, metavar="DEVICE", help="The device of the route: one that packets come in or go out by.")
@table_option
def attach_command(
    target: str, sid: str, program: str | None, type_name: str | None, config: Mapping[str, str], dev: str, table: int | None
) -> None:
    """Load a program and bind it to a SID (root).

    SID is an IPv6 address or prefix. The binding stays until `pybpfnf detach`, or a reboot.
    """
    made = attach_configured(target, sid, config, dev=dev, table=table, program=program, type=type_name)
    name = made.route.program_name if made.route is not None else target
    click.echo(f"{made.sid_text} on {dev} runs {name} (program {made.program_id})")
    for warning in warnings_for(dev):
        click.echo(f"warning: {warning}", err=True)


@click.command("set")
@sid_argument
@click.argument("changes", metavar="NAME=VALUE...", nargs=-1, required=True, callback=assignments)
@table_option
def set_command(sid: str, changes: Mapping[str, str], table: int | None) -> None:
    """Change a State of an attached program while packets flow (root).

    Of several changes none is made where one cannot be.
    """
    with attached(sid, table=table) as nf:
        nf.update(changes)


@click.command("detach")
@sid_argument
@table_option
def detach_command(sid: str, table: int | None) -> None:
    """Remove a binding made by attach (root).

    Only routes that are ours are touched.
    """
    detach(sid, table=table)
