"""The stack of a program's functions, as the kernel counts it."""

from __future__ import annotations

import pytest

from pybpfnf.abi.text import parse
from pybpfnf.image.model import FunctionRecord, ProgramImage
from pybpfnf.image.stack import deepest_chain


def program(code: str, **functions: int) -> ProgramImage:
    records = tuple(FunctionRecord(slot, name, 0) for name, slot in functions.items())
    return ProgramImage("p", "lwt_xmit", "lwt_xmit", parse(code), records)


@pytest.mark.parametrize(
    ("code", "size"),
    [
        pytest.param("r0 = 0\nexit", 0, id="none"),
        pytest.param("*(u32 *)(r10 - 4) = 1\n*(u64 *)(r10 - 24) = r1\nr0 = *(u64 *)(r10 - 8)\nexit", 24, id="the lowest store"),
        pytest.param("*(u8 *)(r10 - 9) = 1\nr0 = 0\nexit", 16, id="whole words"),
        pytest.param("r2 = r10\nr2 += -40\n*(u64 *)(r2 + 8) = 1\nr0 = 0\nexit", 40, id="an address"),
        pytest.param("r2 = r1\nr2 += -40\nr0 = 0\nexit", 0, id="an address of something else"),
    ],
)
def test_a_function_is_as_deep_as_its_lowest_access(code: str, size: int) -> None:
    assert deepest_chain(program(code)).size == size


CHAIN = """
*(u64 *)(r10 - 40) = 1
call small
call large
r0 = 0
exit
small:
*(u64 *)(r10 - 8) = 1
r0 = 0
exit
large:
*(u64 *)(r10 - 16) = 1
call small
exit
"""


def test_frames_that_are_there_at_once_are_added_each_in_steps_of_32() -> None:
    chain = deepest_chain(program(CHAIN, p=0, small=5, large=8))
    assert str(chain) == "p 40 + large 16 + small 8: 128"
    assert chain.fits


def test_what_is_called_one_after_the_other_is_not_added() -> None:
    code = "call one\ncall two\nexit\none:\n*(u64 *)(r10 - 200) = 1\nr0 = 0\nexit\ntwo:\n*(u64 *)(r10 - 304) = 1\nr0 = 0\nexit"
    assert str(deepest_chain(program(code, p=0, one=3, two=6))) == "p 0 + two 304: 352"


def test_more_than_8_frames_do_not_fit_however_small() -> None:
    code = "".join(f"f{number}:\ncall f{number + 1}\nexit\n" for number in range(8)) + "f8:\nr0 = 0\nexit"
    chain = deepest_chain(program(code))
    assert (len(chain.frames), chain.size <= 512, chain.fits) == (9, True, False)
