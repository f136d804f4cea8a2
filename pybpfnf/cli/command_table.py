"""A group of commands as a table: a module for each few, imported when one of them is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import click

from pybpfnf.lazy import load_module
from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Row:
    """One command: its function is `NAME_command` in `module`. The summary is here so that `--help` imports nothing."""

    module: str
    summary: str


@final
class TableGroup(click.Group):
    """The commands of the table `rows`, in its order."""

    def __init__(self, *arguments: Any, rows: Mapping[str, Row], **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self._rows = rows

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._rows)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        row = self._rows.get(cmd_name)
        if row is None:
            return None
        command: click.Command = getattr(load_module(f"pybpfnf.cli.{row.module}"), f"{cmd_name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, row.summary) for name, row in self._rows.items()])
