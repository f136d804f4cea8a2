"""`pybpfnf get`, `set` and `unset`: the variables and maps of an attached program."""

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
def get_command(destination: str, names: tuple[str, ...], table: int | None, as_json: bool) -> None:
    """Show the variables and maps of an attached program (root).

    All of them, or those that are named. A map's entries come one a line; where each CPU has a value, the sum.

    With --json, an object for each: name, key (null for a variable) and value; an address is text, raw bytes are hex, a struct
    is an object of its fields.
    """
    with attached(destination, table=table) as nf:
        print_contents(contents(nf, names or shown_names(nf)), as_json=as_json)


@click.command("set")
@destination_argument
@click.argument("changes", metavar="NAME=VALUE|NAME[KEY]=VALUE...", nargs=-1, required=True, callback=assignments)
@table_option
def set_command(destination: str, changes: Mapping[str, str], table: int | None) -> None:
    """Change States and map entries while packets flow (root).

    An entry is NAME[KEY]: an array's by its index, a trie's by its prefix; a value is written by its type, a struct as
    FIELD=VALUE,FIELD=VALUE, raw bytes as hexadecimal digits. Of several changes none is made where one cannot be. On a map with a
    value for each CPU the first CPU gets it, the others zero. In a shell an entry is quoted: 'allowed[fd00::1]=true'.
    """
    with attached(destination, table=table) as nf:
        nf.update(changes)


@click.command("unset")
@destination_argument
@click.argument("entries", metavar="NAME[KEY]...", nargs=-1, required=True)
@table_option
def unset_command(destination: str, entries: tuple[str, ...], table: int | None) -> None:
    """Take map entries away while packets flow (root).

    Of several none is taken away where one cannot be. An array's entries stay: set them.
    """
    with attached(destination, table=table) as nf:
        nf.remove(entries)
