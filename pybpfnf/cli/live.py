"""`pybpfnf get` and `pybpfnf set`: the variables and maps of an attached program."""

from __future__ import annotations

from collections.abc import Mapping

import click

from pybpfnf.cli.contents import contents, print_contents, shown_names
from pybpfnf.cli.options import assignments, destination_argument, json_option, table_option
from pybpfnf.verbs.attach import attached


@click.command("get")
@destination_argument
@click.argument("names", metavar="[NAME]...", nargs=-1)
@table_option
@json_option
def get_command(sid: str, names: tuple[str, ...], table: int | None, as_json: bool) -> None:
    """Show the variables and maps of an attached program (root).

    All of them, or those that are named. A map's entries come one a line; where each CPU has a value, the sum.

    With --json, an object for each: name, key (null for a variable) and value; an address is text, raw bytes are hex, a struct
    is an object of its fields.
    """
    with attached(sid, table=table) as nf:
        print_contents(contents(nf, names or shown_names(nf)), as_json=as_json)


@click.command("set")
@destination_argument
@click.argument("changes", metavar="NAME=VALUE...", nargs=-1, required=True, callback=assignments)
@table_option
def set_command(sid: str, changes: Mapping[str, str], table: int | None) -> None:
    """Change a State of an attached program while packets flow (root).

    Of several changes none is made where one cannot be.
    """
    with attached(sid, table=table) as nf:
        nf.update(changes)
