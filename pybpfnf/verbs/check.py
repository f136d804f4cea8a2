"""`check`: what the running kernel's verifier says of programs, without a route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from pybpfnf.image import configure, require_complete
from pybpfnf.image.model import ObjectImage, ProgramImage
from pybpfnf.kernel.info import ProgramInfo
from pybpfnf.kernel.load import load_program
from pybpfnf.records import dataclass
from pybpfnf.targets import Target, choose_program, object_image


@final
@dataclass(frozen=True, slots=True)
class Checked:
    """A program that the kernel has taken. `btf_refused`: why it took it without its types and lines, None where it has them."""

    program: ProgramImage
    info: ProgramInfo
    btf_refused: str | None


def check(
    target: Target,
    *,
    program: str | None = None,
    type: str | None = None,  # noqa: A002 the word of the command line
    config: Mapping[str, object] | None = None,
    **values: object,
) -> tuple[Checked, ...]:
    """Load and unload each program of the object, or the one that `program` names (root); Config values as for `load`.

    Raises VerifierError with one diagnostic for the first that the kernel refuses, CompileError, InputError, SystemLacksError.
    """
    found = configure(object_image(target), {**(config or {}), **values})
    programs = chosen_programs(found, program, type)
    for each in programs:
        require_complete(found, each)
    return tuple(_checked(found, each) for each in programs)


def chosen_programs(found: ObjectImage, program: str | None, type_name: str | None) -> tuple[ProgramImage, ...]:
    """All programs of the object, or the one that is named; of the type that is given, where one is."""
    names = [program] if program is not None or not found.programs else [each.name for each in found.programs]
    return tuple(choose_program(found, name, type_name) for name in names)


def _checked(found: ObjectImage, program: ProgramImage) -> Checked:
    with load_program(found, program) as loaded:
        return Checked(program, loaded.info(), loaded.btf_refused)
