"""What a program needs that a kernel lacks, as diagnostics at the lines that need it."""

from __future__ import annotations

from collections.abc import Iterable

from pybpfnf.abi.versions import Newer, newer_than
from pybpfnf.diagnostics import Diagnostic, Span
from pybpfnf.errors import CompileError
from pybpfnf.image.model import ObjectImage, ProgramImage

_ITERATOR = "kernel function bpf_iter_num"
# What to do about it, by the beginning of what is lacking.
_HINTS = (
    (_ITERATOR, "make the range shorter: the verifier follows a short one by itself, and needs no iterator"),
    ("instruction", "compile it for an older version of the instruction set: clang -mcpu=v3"),
)

_OLDEST = "what is compiled here is meant for Linux 6.1 and later"


def require_kernel(image: ObjectImage, programs: Iterable[ProgramImage], kernel: str) -> None:
    """Raises CompileError with all that these programs need and Linux `kernel` ("6.1") lacks, InputError where that is no version."""
    lacking = [found for program in programs for found in lacks(image, program, kernel)]
    if lacking:
        raise CompileError(lacking)


def lacks(image: ObjectImage, program: ProgramImage, kernel: str) -> list[Diagnostic]:
    """One for each helper, function of the kernel, map type and form of instruction that the kernel does not have, where it is first
    used. An iterator's functions are said once: none is of use alone."""
    maps = {name: image.maps[name].type for name in program.map_names if name in image.maps}
    found: dict[str, Newer] = {}
    for newer in newer_than(program.insns, maps, kernel, program.type):
        found.setdefault(_ITERATOR if newer.what.startswith(_ITERATOR) else newer.what, newer)
    return [_diagnostic(program, newer, kernel) for newer in found.values()]


def _diagnostic(program: ProgramImage, newer: Newer, kernel: str) -> Diagnostic:
    text = f"{newer.what} came with Linux {newer.since}, and is not in {kernel}"
    of_the_language = program.on_fault is not None
    hints = (advice for start, advice in _HINTS if newer.what.startswith(start) and not (start == "instruction" and of_the_language))
    hint = next(hints, _OLDEST if of_the_language else None)
    record = None if newer.slot is None else program.line_at(newer.slot)
    if record is None or not record.line:
        place = "" if newer.slot is None else f" (instruction {newer.slot})"
        return Diagnostic("newer-kernel", f"{program.name}: {text}{place}", Span(program.section, 0, 0, 0, 0), hint=hint)
    column = max(record.column, 1)
    return Diagnostic("newer-kernel", text, Span(record.file, record.line, column, record.line, column + 1), record.text, hint)
