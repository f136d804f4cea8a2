"""The wrapper: the program inside is the program outside, and its records still point at its lines."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from pybpfnf.image.model import FunctionRecord, LineRecord
from pybpfnf.kernel.load import load_program
from pybpfnf.kernel.wrapper import RESULTS_MAP, wrap
from tests.kernel.programs import OK, image

SUBPROGRAM = "call +1\nexit\nr0 = 5\nexit"


def test_the_program_follows_the_wrapper_byte_for_byte() -> None:
    whole = image(SUBPROGRAM)
    _, wrapped = wrap(whole, whole.program())
    assert wrapped.insns[-4:] == whole.program().insns
    assert RESULTS_MAP in wrapped.map_names


def test_the_wrapper_calls_the_first_instruction_after_itself() -> None:
    whole = image(OK)
    _, wrapped = wrap(whole, whole.program())
    before = sum(insn.slots for insn in wrapped.insns[: -len(whole.program().insns)])
    position, call = next(
        (sum(each.slots for each in wrapped.insns[:index]), insn)
        for index, insn in enumerate(wrapped.insns)
        if insn.form.name == "call_local"
    )
    assert position + 1 + call.imm == before


def test_records_move_with_the_instructions_and_cover_the_wrapper() -> None:
    program = replace(
        image(SUBPROGRAM).program(),
        functions=(FunctionRecord(0, "sample", 9), FunctionRecord(2, "sub", 11)),
        lines=(LineRecord(0, "a.py", 1, 1, "x"), LineRecord(2, "a.py", 7, 1, "y")),
        func_info=struct.pack("=IIII", 0, 9, 2, 11),
        line_info=struct.pack("=IIIIIIII", 0, 50, 51, 52, 2, 60, 61, 62),
    )
    shift = wrap(image(), program)[1].slots - program.slots
    _, wrapped = wrap(image(), program)
    assert [record.slot for record in wrapped.functions] == [shift, shift + 2]
    assert wrapped.line_at(shift + 3) == LineRecord(shift + 2, "a.py", 7, 1, "y")
    assert struct.unpack("=6I", wrapped.func_info) == (0, 9, shift, 9, shift + 2, 11)
    assert struct.unpack("=12I", wrapped.line_info) == (0, 50, 51, 52, shift, 50, 51, 52, shift + 2, 60, 61, 62)


@pytest.mark.kernel
@pytest.mark.parametrize("type_name", ["lwt_seg6local", "lwt_in", "lwt_xmit"])
def test_the_kernel_takes_wrapped_programs_with_subprograms(type_name: str) -> None:
    whole = image(SUBPROGRAM, type_name=type_name)
    load_program(*wrap(whole, whole.program())).close()
