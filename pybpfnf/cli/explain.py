"""`pybpfnf explain`: what a diagnostic's code stands for. docs/errors.md is the same, of all codes."""

from __future__ import annotations

import textwrap
from difflib import get_close_matches

import click

from pybpfnf.cli.tables import Column, print_table
from pybpfnf.diagnostics import CODES, Code
from pybpfnf.errors import InputError
from pybpfnf.explanations import EXPLANATIONS

_WIDTH = 100


@click.command("explain")
@click.argument("code", required=False)
def explain_command(code: str | None) -> None:
    """Say why a diagnostic's rule is there, with a wrong and a right function.

    CODE is what stands in brackets at the end of a diagnostic: `[stale-view]`. Without one, all codes are listed.
    """
    if code is None:
        print_table((Column("CODE"), Column("WHAT IS WRONG")), [(row.name, row.summary) for row in CODES.values()])
        return
    click.echo(_explained(_known(code.strip("[]"))))


def _known(name: str) -> Code:
    if name in CODES:
        return CODES[name]
    near = get_close_matches(name, CODES, n=1)
    hint = f"did you mean `{near[0]}`?" if near else "`pybpfnf explain` lists them"
    raise InputError(f"no diagnostic has the code {name!r}", hint=hint)


def _explained(code: Code) -> str:
    row = EXPLANATIONS[code.name]
    parts = [f"{code.name}: {code.summary}", textwrap.fill(row.why, _WIDTH)]
    if code.kernel is not None:
        parts.append(f"What the kernel would say or do: {code.kernel}")
    parts += ["Wrong:", _indented(row.wrong), "Right:", _indented(row.right)]
    return "\n\n".join(parts)


def _indented(example: str) -> str:
    return textwrap.indent(example.rstrip("\n"), "    ")
