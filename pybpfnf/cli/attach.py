"""`pybpfnf attach` and `pybpfnf detach`."""

from __future__ import annotations

from collections.abc import Mapping

import click

from pybpfnf.cli.options import chosen, destination_argument, table_option
from pybpfnf.kernel.routes import warnings_for
from pybpfnf.verbs.attach import attach, detach


@click.command("attach")
@chosen
@destination_argument
@click.option("--dev", metavar="DEVICE", help="The device of the route: for a SID, one that packets come in or go out by.")
@click.option("--via", metavar="ADDRESS", help="The next hop, for a program that is not bound to a SID.")
@click.option("--headroom", type=click.IntRange(0, 256), metavar="BYTES", help="What an lwt_xmit program puts in front of packets.")
@click.option("--replace", is_flag=True, help="Take the place of what is attached there, with no packet passing by.")
@click.option("--keep-maps", is_flag=True, help="With --replace: go on with the maps, and the State, that both have.")
@table_option
def attach_command(
    target: str,
    destination: str,
    program: str | None,
    type_name: str | None,
    config: Mapping[str, str],
    dev: str | None,
    via: str | None,
    headroom: int | None,
    replace: bool,
    keep_maps: bool,
    table: int | None,
) -> None:
    """Load a program and bind it to a SID or a route (root).

    DESTINATION is an address or prefix: the SID of a seg6local program, with --dev; or, for lwt_in, lwt_out and lwt_xmit, where the
    packets go. A route that is there keeps its next hops and metric; where there is none, --dev and --via make one. The
    binding stays until `pybpfnf detach`, which puts such a route back as it was, or a reboot.

    With --replace it takes the place of what is attached to DESTINATION, if anything is: a program of the same hook, whose route stays.
    Each packet comes to the old program or to the new one.
    """
    made = attach(
        target,
        destination,
        dev=dev,
        via=via,
        headroom=headroom,
        table=table,
        program=program,
        type=type_name,
        config=config,
        replace=replace,
        keep_maps=keep_maps,
    )
    assert made.route is not None  # it was read back
    device = made.route.device
    click.echo(f"{made.destination_text} on {device} runs {made.route.program_name} (program {made.program_id})")
    for warning in warnings_for(device, made.destination) if made.destination.version == 6 else ():
        click.echo(f"warning: {warning}", err=True)


@click.command("detach")
@destination_argument
@table_option
def detach_command(destination: str, table: int | None) -> None:
    """Remove a binding made by attach (root).

    Only routes that are ours are touched. What stood there before stands there again.
    """
    detach(destination, table=table)
