"""`pybpfnf list`."""

from __future__ import annotations

import click

from pybpfnf import catalogue
from pybpfnf.cli.tables import Column, print_table


@click.command("list")
def list_command() -> None:
    """Show the functions that come with pybpfnf."""
    rows = [(entry.name, entry.summary) for entry in catalogue.entries()]
    print_table((Column("NAME"), Column("WHAT IT DOES")), rows)
