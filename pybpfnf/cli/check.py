"""`pybpfnf check`: what the running kernel's verifier says, or what an older kernel would lack."""

from __future__ import annotations

from collections.abc import Mapping

import click

from pybpfnf.abi.versions import Newer, newer_than
from pybpfnf.cli.options import chosen
from pybpfnf.image import configure
from pybpfnf.image.model import ObjectImage, ProgramImage
from pybpfnf.targets import object_image
from pybpfnf.verbs.check import Checked, check, chosen_programs


@click.command("check")
@chosen
@click.option("--kernel", metavar="VERSION", help="Instead: name what is newer than this kernel, for example 6.1 (no root).")
def check_command(target: str, program: str | None, type_name: str | None, config: Mapping[str, str], kernel: str | None) -> int:
    """Ask the running kernel's verifier about a program (root).

    Each program of the object is loaded and unloaded, or the one that --program names.
    """
    if kernel is not None:
        found = configure(object_image(target), config)
        return max(_compare(found, each, kernel) for each in chosen_programs(found, program, type_name))
    for checked in check(target, program=program, type=type_name, config=config):
        _show(checked)
    return 0


def _show(checked: Checked) -> None:
    program, info = checked.program, checked.info
    if checked.btf_refused is not None:
        click.echo(f"note: the kernel took {program.name} without its types and lines: {checked.btf_refused}", err=True)
    compiled = f"{info.jited_size} bytes of machine code" if info.jited_size else "interpreted"
    click.echo(f"{program.name} ({info.type}): accepted, {program.slots} instructions, {compiled}, tag {info.tag}")


def _compare(found: ObjectImage, program: ProgramImage, kernel: str) -> int:
    """Print what the kernel lacks; the exit status."""
    maps = {name: found.maps[name].type for name in program.map_names}
    newer = newer_than(program.insns, maps, kernel, program.type)
    if not newer:
        click.echo(f"{program.name} ({program.type}): needs nothing newer than Linux {kernel}")
    for each in newer:
        click.echo(f"{program.name} ({program.type}): {each.what} came with Linux {each.since}{_place(program, each)}")
    return int(bool(newer))


def _place(program: ProgramImage, newer: Newer) -> str:
    line = None if newer.slot is None else program.line_at(newer.slot)
    return "" if line is None else f", used at {line.file}:{line.line}"
