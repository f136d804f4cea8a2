"""`pybpfnf check`: what the running kernel's verifier says, or what an older kernel would lack."""

from __future__ import annotations

from collections.abc import Mapping

import click

from pybpfnf.cli.options import chosen
from pybpfnf.image import configure
from pybpfnf.image.model import ObjectImage
from pybpfnf.image.needs import require_kernel
from pybpfnf.targets import object_image
from pybpfnf.verbs.check import Checked, check, chosen_programs


@click.command("check")
@chosen
@click.option("--kernel", metavar="VERSION", help="Instead: name what is newer than this kernel, for example 6.1 (no root).")
def check_command(target: str, program: str | None, type_name: str | None, config: Mapping[str, str], kernel: str | None) -> None:
    """Ask the running kernel's verifier about a program (root).

    Each program of the object is loaded and unloaded, or the one that --program names.
    """
    if kernel is not None:
        _compare(configure(object_image(target), config), program, type_name, kernel)
        return
    for checked in check(target, program=program, type=type_name, config=config):
        _show(checked)


def _show(checked: Checked) -> None:
    program, info = checked.program, checked.info
    if checked.btf_refused is not None:
        click.echo(f"note: the kernel took {program.name} without its types and lines: {checked.btf_refused}", err=True)
    compiled = f"{info.jited_size} bytes of machine code" if info.jited_size else "interpreted"
    click.echo(f"{program.name} ({info.type}): accepted, {program.slots} instructions, {compiled}, tag {info.tag}")


def _compare(found: ObjectImage, program: str | None, type_name: str | None, kernel: str) -> None:
    """Say of which programs the kernel has all that they need; raises CompileError with what it lacks."""
    programs = chosen_programs(found, program, type_name)
    require_kernel(found, programs, kernel)
    for each in programs:
        click.echo(f"{each.name} ({each.type}): needs nothing newer than Linux {kernel}")
