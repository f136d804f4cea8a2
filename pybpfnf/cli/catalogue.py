"""`pybpfnf list` and `pybpfnf new`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from pybpfnf import catalogue
from pybpfnf.cli.files import output_file
from pybpfnf.cli.tables import Column, print_table
from pybpfnf.verbs.new import HOOK_NAMES, new


@click.command("list")
def list_command() -> None:
    """Show the functions that come with pybpfnf."""
    rows = [(entry.name, entry.summary) for entry in catalogue.entries()]
    print_table((Column("NAME"), Column("WHAT IT DOES")), rows)


@click.command("new")
@click.argument("name", metavar="NAME")
@click.option("--hook", type=click.Choice(list(HOOK_NAMES)), default="seg6local", show_default=True, help="Where the function runs.")
@click.option("--directory", type=click.Path(path_type=Path), default=".", metavar="DIR", help="Where to write (default: here).")
def new_command(name: str, hook: str, directory: Path) -> None:
    """Write a new function, its test and its line in the README.

    The function works as it is: it counts packets. Its test runs it in the VM and, as root, on the kernel.
    """
    files = new(name, directory, hook=hook)
    with ExitStack() as written:  # the files appear together, or none of them
        for file in files:
            written.enter_context(output_file(file.path)).write(file.text.encode())
    for file in files:
        click.echo(f"{file.path}{', one line more' if file.changed else ''}")
