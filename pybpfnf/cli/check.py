"""`pybpfnf check`: what the running kernel's verifier says, or what an older kernel would lack."""

from __future__ import annotations

from collections.abc import Mapping

import click

from pybpfnf.abi.versions import Newer, newer_than
from pybpfnf.cli.options import chosen
from pybpfnf.image import configure, require_complete
from pybpfnf.image.model import ObjectImage, ProgramImage
from pybpfnf.kernel.load import load_program
from pybpfnf.targets import choose_program, object_image


@click.command("check")
@chosen
@click.option("--kernel", metavar="VERSION", help="Instead: name what is newer than this kernel, for example 6.1 (no root).")
def check_command(target: str, program: str | None, type_name: str | None, config: Mapping[str, str], kernel: str | None) -> int:
    """Ask the running kernel's verifier about a program (root).

    Each program of the object is loaded and unloaded, or the one that --program names.
    """
    found = configure(object_image(target), config)
    names = [program] if program is not None or not found.programs else [each.name for each in found.programs]
    programs = [choose_program(found, name, type_name) for name in names]
    if kernel is not None:
        return max(_compare(found, each, kernel) for each in programs)
    for each in programs:
        require_complete(found, each)
    for each in programs:
        _load(found, each)
    return 0


def _load(found: ObjectImage, program: ProgramImage) -> None:
    """Load and unload; a refusal is an exception."""
    with load_program(found, program) as loaded:
        info = loaded.info()
        if loaded.btf_refused is not None:
            click.echo(f"note: the kernel took {program.name} without its types and lines: {loaded.btf_refused}", err=True)
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
