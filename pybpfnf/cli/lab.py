"""`pybpfnf lab`: the table of its commands, each imported when it is named."""

from __future__ import annotations

from collections.abc import Mapping

import click

from pybpfnf.cli.command_table import Row, TableGroup

_COMMANDS: Mapping[str, Row] = {
    "run": Row("lab_run", "Run a topology in this process, on a clock of its own."),
    "up": Row("lab_namespaces", "Make the lab of a topology: all of it, or nothing (root)."),
    "show": Row("lab_namespaces", "Show a topology worked out, and what its links have carried."),
    "shell": Row("lab_namespaces", "Run a command, or a shell, in a node (root)."),
    "down": Row("lab_namespaces", "Remove a lab (root)."),
}


@click.group("lab", cls=TableGroup, rows=_COMMANDS, invoke_without_command=True)
@click.pass_context
def lab_command(context: click.Context) -> int:
    """Make a network for experiments from a topology.

    FILE is a topology (TOML); a lab that is up can also be told by its NAME.
    """
    if context.invoked_subcommand is not None:
        return 0
    click.echo(context.get_help(), err=True)
    return 2
