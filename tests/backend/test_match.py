"""`match` takes the first case that fits, as Python does, in the VM and past the kernel's verifier."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backend.engine import Engine
from tests.dsl.cases import compile_text, function

BODY = """
global given, taken
match given:
    case -1 | 3:
        taken = 1
    case 4 if other:
        taken = 2
    case 4:
        taken = 3
    case big if big > 100:
        taken = s32(big)
    case 100 as hundred:
        taken = hundred + 1
    case _:
        taken = 9
return OK
"""
STATES = "given = State(s32)\nother = State(bool)\ntaken = State(s32)\n"


def expected(given: int, other: bool) -> int:
    match given:
        case -1 | 3:
            return 1
        case 4 if other:
            return 2
        case 4:
            return 3
        case big if big > 100:
            return big
        case 100 as hundred:
            return hundred + 1
        case _:
            return 9


@pytest.mark.parametrize("other", [False, True])
def test_the_first_case_that_fits_is_taken(other: bool, tmp_path: Path) -> None:
    with Engine(compile_text(function(BODY, before=STATES), tmp_path)) as engine:
        for given in (-2, -1, 0, 3, 4, 99, 100, 101, 2**31 - 1):
            engine.set(given=given, other=other)
            assert engine.fault() is None
            assert engine.get("taken") == expected(given, other)


def test_the_subject_is_evaluated_once(tmp_path: Path) -> None:
    body = "match random_u32():\n    case 1 | 2 | 3:\n        return DROP\n    case x if x == 4:\n        return DROP\nreturn OK"
    with Engine(compile_text(function(body), tmp_path)) as engine:
        assert sum(insn.form.kind.value == "call_helper" for insn in engine.image.program().insns) == 1
