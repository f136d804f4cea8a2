"""`pybpfnf build` and `pybpfnf show`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pybpfnf import image
from pybpfnf.cli.files import output_file, refuse_same
from pybpfnf.cli.options import output_option, program_option, target_argument
from pybpfnf.errors import InputError
from pybpfnf.image.model import ObjectImage
from pybpfnf.lazy import resolve
from pybpfnf.targets import Source, locate, object_bytes, object_image

STAGES = ("ir", "llvm", "listing")


@click.command("build")
@target_argument
@output_option("Write here; `-` is stdout (default: TARGET's name with .o, in this directory).", "-o", "--output")
@click.option("--emit", type=click.Choice(STAGES), help="Print a stage as text instead of writing the object.")
@click.option("--fault-counters", type=click.Choice(["on", "off"]), default="on", show_default=True, help="Count fault exits.")
@click.option("--kernel", metavar="VERSION", help="Refuse what is newer than this kernel, for example 6.1.")
def build_command(target: str, output: Path | None, emit: str | None, fault_counters: str, kernel: str | None) -> None:
    """Compile TARGET into a standard ELF object."""
    counted = fault_counters == "on"
    if emit is not None:
        _write((_stage(target, emit, counted) + "\n").encode(), output or Path("-"))
        return
    found = locate(target, source=True)
    if not isinstance(found, Source):
        raise InputError(f"{target} is an object already", hint="`pybpfnf show` prints it")
    if output is not None:
        refuse_same(output, found.path)
    data = object_bytes(target, fault_counters=counted)
    if kernel is not None:
        _require(kernel, data, target)
    _write(data, output or Path(f"{Path(target).stem}.o"))


@click.command("show")
@target_argument
@program_option
def show_command(target: str, program: str | None) -> None:
    """Print a program's instructions, Python lines beside them."""
    click.echo(_listings(object_image(target), program))


def _require(kernel: str, data: bytes, target: str) -> None:
    from pybpfnf.image.needs import require_kernel  # here: building needs no tables of versions

    found = image.read(data, name=target)
    require_kernel(found, found.programs, kernel)


def _stage(target: str, emit: str, counted: bool) -> str:
    """The text of one stage, without its last newline."""
    if emit == "listing":
        return _listings(image.read(object_bytes(target, fault_counters=counted), name=target), None)
    found = locate(target, source=True)
    if not isinstance(found, Source):
        raise InputError(f"{target} is an object: it has no {emit} stage", hint="give the .py file, or use --emit listing")
    if emit == "ir":
        text: str = resolve("ir_text")(found.path)
    else:
        text = resolve("llvm_text")(found.path, fault_counters=counted)
    return text.rstrip("\n")


def _listings(found: ObjectImage, program: str | None) -> str:
    from pybpfnf.listing import listing  # here: building needs neither this nor its tables

    programs = found.programs if program is None else (found.program(program),)
    return "\n\n".join(listing(each, found).rstrip("\n") for each in programs)


def _write(data: bytes, output: Path) -> None:
    if str(output) == "-":
        sys.stdout.buffer.write(data)
        return
    with output_file(output) as stream:
        stream.write(data)
