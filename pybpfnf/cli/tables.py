"""Tables on stdout: with rich on a terminal, else columns of plain text that `awk` and `cut` understand."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import final

import click

from pybpfnf.lazy import load_module
from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Column:
    heading: str
    right: bool = False  # numbers align at the right


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, err: bool = False) -> None:
    """On stdout, or plain on stderr."""
    if sys.stdout.isatty() and not err:
        load_module("pybpfnf.cli.rich_tables").print_table(columns, rows)
        return
    lines = [[column.heading for column in columns], *rows]
    widths = [max(len(line[number]) for line in lines) for number in range(len(columns))]
    for line in lines:
        cells = (
            cell.rjust(width) if column.right else cell.ljust(width) for cell, width, column in zip(line, widths, columns, strict=True)
        )
        click.echo("  ".join(cells).rstrip(), err=err)
