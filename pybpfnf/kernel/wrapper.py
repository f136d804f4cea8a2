"""A program around a program: it calls the original, unchanged, as a subprogram, and keeps what it returned in a map.

    outer:    r6 = ctx                        original:  (its own instructions, and its subprograms', as they were)
              call original                              ...
              results.verdict = r0                       exit
              results.runs += 1
              results.mark = ctx->mark
              exit                            (with the original's r0)

The wire shows packets, not verdicts; this makes them visible without touching what is tested. What the kernel takes alone
but not as a subprogram (eight functions deep, tail calls without types) must be loaded as it is.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import final

from pybpfnf.abi.codec import make
from pybpfnf.abi.contexts import SK_BUFF
from pybpfnf.errors import InputError, VerifierError
from pybpfnf.image.model import MapSpec, ObjectImage, ProgramImage
from pybpfnf.kernel.load import FUNC_INFO_SIZE, LINE_INFO_SIZE, LoadedProgram, load_program
from pybpfnf.kernel.maps import Map
from pybpfnf.records import dataclass

RESULTS_MAP = "pybpfnf_results"
_RESULTS = struct.Struct("=QQ4Q")  # verdict, runs, fields of the context
_SLOT = struct.Struct("=I")
_KEY = bytes(4)
_SPEC = MapSpec(RESULTS_MAP, "array", key_size=4, value_size=_RESULTS.size, max_entries=1, initial=bytes(_RESULTS.size))


@final
@dataclass(frozen=True, slots=True)
class Results:
    """Of the last run, the low 32 bits of r0 and the fields that `wrap` was asked for; of all runs since `reset`, the number."""

    verdict: int
    runs: int
    fields: tuple[int, ...]

    @property
    def mark(self) -> int:
        """Where it is the first of the fields."""
        return self.fields[0]


def wrap(image: ObjectImage, program: ProgramImage, fields: Sequence[str] = ("mark",)) -> tuple[ObjectImage, ProgramImage]:
    """The image with the results map, and the program with the wrapper in front; offsets in all records follow.

    `fields`: which of the context it keeps, at most four.
    """
    kept = [
        insn
        for place, name in enumerate(fields)
        for insn in (make("ldx32", dst=2, src=6, off=SK_BUFF.fields[name].offset), make("stx64", dst=1, src=2, off=16 + 8 * place))
    ]
    before = (
        make("mov64_reg", dst=6, src=1),
        make("call_local", imm=6 + len(kept)),  # to the slot after the wrapper's last
        make("ld_map_value", dst=1, ref=RESULTS_MAP),  # the value's address: no look-up, no stack, no null check
        make("stx64", dst=1, src=0, off=0),
        *kept,
        make("mov64_imm", dst=2, imm=1),
        make("atomic_add64", dst=1, src=2, off=8),
        make("exit"),
    )
    shift = sum(insn.slots for insn in before)
    wrapped = replace(
        program,
        insns=(*before, *program.insns),
        functions=tuple(replace(function, slot=function.slot + shift) for function in program.functions),
        lines=tuple(replace(line, slot=line.slot + shift) for line in program.lines),
        func_info=_shifted(program.func_info, FUNC_INFO_SIZE, shift),
        line_info=_shifted(program.line_info, LINE_INFO_SIZE, shift),
    )
    return replace(image, maps={**image.maps, RESULTS_MAP: _SPEC}), wrapped


def _shifted(records: bytes, size: int, shift: int) -> bytes:
    """Kernel records, whose first field is a slot, moved by `shift`; the first stands for the wrapper too.

    The kernel wants every function to have a type and a line: the wrapper gets those of what it calls.
    """
    first = bytes(_SLOT.size) + records[_SLOT.size : size] if records else b""
    moved = (records[at : at + size] for at in range(0, len(records), size))
    return first + b"".join(_SLOT.pack(_SLOT.unpack_from(record)[0] + shift) + record[_SLOT.size :] for record in moved)


def reset(results: Map) -> None:
    results.update(_KEY, bytes(_RESULTS.size))


def read_results(results: Map) -> Results:
    verdict, runs, *fields = _RESULTS.unpack(results.lookup(_KEY) or bytes(_RESULTS.size))
    return Results(verdict & 0xFFFFFFFF, runs, tuple(fields))


def load_wrapped(image: ObjectImage, program: ProgramImage, *, exact: bool, fields: Sequence[str]) -> LoadedProgram:
    """The program in its wrapper, in the kernel; as it is, where that is wanted."""
    if exact:
        return load_program(image, program)
    try:
        return load_program(*wrap(image, program, fields))
    except VerifierError as error:
        load_program(image, program).close()  # what is refused by itself says why, with its own instruction numbers
        raise InputError(
            f"program {program.name} loads, but not as a subprogram of the wrapper: {error.diagnostic.message}",
            hint="run it as it is, without its verdict: KernelRunner(exact=True)",
        ) from None
