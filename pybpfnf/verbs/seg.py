"""`run_seg`: a test file of packets in and packets out, on a router in this process or in a network namespace."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from pybpfnf.errors import InputError
from pybpfnf.image import configure, require_complete
from pybpfnf.image.model import ObjectImage, ProgramImage
from pybpfnf.lazy import load_module
from pybpfnf.live import Live
from pybpfnf.live.changes import without_entries
from pybpfnf.routes import Bound, FindProgram, ProgramRef, Router
from pybpfnf.targets import object_image, read_file
from pybpfnf.testing.seg.model import SegFile
from pybpfnf.testing.seg.reader import read_file as read_seg
from pybpfnf.testing.seg.run import Refused, Result, RunShell, prepare, refuse_shell, run_file
from pybpfnf.vm.router.router import VmRouter


def load_seg(path: str | os.PathLike[str]) -> SegFile:
    """Raises InputError for a file that cannot be read, CompileError with everything that is wrong in it."""
    try:
        text = read_file(Path(path)).decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{os.fspath(path)} is not UTF-8: {error.reason} at byte {error.start}") from None
    return read_seg(text, os.fspath(path))


def run_seg(path: str | os.PathLike[str], *, runner: str = "vm", allow_shell: bool = False) -> Iterator[Result | Refused]:
    """Each test of the file in turn, and each command that was refused. Objects are found beside the file.

    Raises what `load_seg` does, and CompileError for lines that need a shell, before anything is run.
    """
    file = load_seg(path)
    if not (allow_shell and runner == "kernel"):
        refuse_shell(file)
    directory = Path(path).parent
    with ExitStack() as stack:
        router, run_shell = _router(runner, directory, stack)
        prepare(router)
        yield from run_file(file, router, run_shell if allow_shell else None)


def _router(runner: str, directory: Path, stack: ExitStack) -> tuple[Router, RunShell | None]:
    """The router, until the stack is left, and what runs a shell in it; the kernel's is imported only where it is asked for."""
    find = programs_beside(directory)
    if runner == "vm":
        return stack.enter_context(closing(VmRouter(find))), None
    router = stack.enter_context(closing(load_module("pybpfnf.kernel.namespace_router").NamespaceRouter(find)))
    return router, lambda line: router.run_shell(line, directory)


def programs_beside(directory: Path) -> FindProgram:
    """Programs of objects and Python files in a directory, or of the catalogue, with their variables. Each object is read once."""
    images: dict[str, ObjectImage] = {}

    def find(ref: ProgramRef, type_name: str) -> Bound:
        if ref.target not in images:
            beside = directory / ref.target
            images[ref.target] = object_image(beside if beside.exists() else ref.target)
        variables, entries = without_entries(dict(ref.values))
        image = configure(images[ref.target], variables)
        program = _of_type(_chosen(image, ref), type_name)
        require_complete(image, program)
        return Bound(image, program, lambda maps: Live(image, maps).update(entries))

    return find


def _chosen(image: ObjectImage, ref: ProgramRef) -> ProgramImage:
    """By section, or by a name where no section is called so; the only one where nothing is said."""
    if ref.section is None:
        return image.program(ref.program)
    found = [each for each in image.programs if each.section == ref.section and ref.program in (None, each.name)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(each.name for each in found)
        raise InputError(f"section {ref.section!r} of {ref.target} has several programs", hint=f"say which with `program`: {names}")
    named = [each for each in image.programs if each.name == ref.section]
    if named:
        return named[0]
    sections = ", ".join(dict.fromkeys(each.section for each in image.programs))
    raise InputError(f"{ref.target} has no section {ref.section!r}", hint=f"it has {sections}")


def _of_type(program: ProgramImage, type_name: str) -> ProgramImage:
    if program.type not in (None, type_name):
        raise InputError(f"program {program.name} is {program.type}, and this route takes {type_name}")
    return replace(program, type=type_name)
