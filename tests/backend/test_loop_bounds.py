"""Loops compare their bound with their counter, the bound first: Linux before 6.8 finds no other way to their end."""

from __future__ import annotations

from pathlib import Path

import pytest

import pybpfnf
from pybpfnf.abi.codec import decode
from pybpfnf.abi.text import parse
from pybpfnf.backend.objects.loop_bounds import with_bounds_first
from pybpfnf.errors import VerifierError
from pybpfnf.image import read
from pybpfnf.image.model import ObjectImage, ProgramImage
from pybpfnf.kernel.load import load_program
from pybpfnf.vm import run_program
from tests.backend.test_latches import function, listing, object_of, text_section

COUNTS = """
    r0 = 0
    r2 = 5
    r3 = 0
    if r3 >= r2 goto end
head:
    r0 += r3
    r3 += 1
    if r3 < r2 goto head
end:
    exit
"""
# The sum of what is below `skb->len & 3`, less the jump that goes by a length of 0; and then once more.
TWICE = """
    r2 = *(u32 *)(r1 + 0)
    r2 &= 3
    if r2 == 0 goto end
    r3 = 0
first:
    r3 += 1
    if {compared} goto first
    r3 = 0
second:
    r3 += 1
    if {compared} goto second
end:
    r0 = 0
    exit
"""
LOOPS = {
    "one or none": """
    for i in range(pkt.srh.flags & 1):
        pkt.mark += 1
""",
    "one after the other": """
    n = pkt.srh.flags & 7
    for i in range(n):
        pkt.mark += 1
    for i in range(n):
        pkt.mark ^= pkt.len
""",
    "one in the other": """
    n = pkt.srh.flags & 3
    for i in range(n):
        for j in range(n):
            pkt.mark += 1
""",
    "up to the other's counter": """
    n = pkt.srh.flags & 3
    for i in range(n):
        for j in range(i, n):
            pkt.mark += 1
""",
    "backwards": """
    n = pkt.srh.flags & 15
    for i in range(n, 0, -2):
        pkt.mark += u32(i)
    for i in range(3, n):
        pkt.mark += u32(i)
""",
    "left early": """
    n = pkt.srh.tag & 7
    for i in range(n):
        if pkt.mark > 9:
            break
        pkt.mark += 1
    for i in range(n):
        pkt.mark += 1
""",
}
PROGRAM = "from pybpfnf import *\n\n@seg6local\ndef f(pkt: Seg6Packet) -> Verdict:{loops}    return OK\n"


def mended(code: str) -> list[str]:
    object_ = object_of(text_section("prog", code), symbols=(function(1, 0, len(parse(code))),))
    return listing(with_bounds_first(object_).sections[1])


def test_what_a_loop_counts_in_is_compared_last() -> None:
    assert mended(COUNTS) == [
        "r0 = 0", "r2 = 5", "r3 = 0", "if r3 >= r2 goto +3", "r0 += r3", "r3 += 1", "if r2 > r3 goto -3", "exit",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "is_now"),
    [
        ("if r3 <= r2 goto head", "if r2 >= r3 goto -2"),
        ("if r3 > r2 goto head", "if r2 < r3 goto -2"),
        ("if r3 s< r2 goto head", "if r2 s> r3 goto -2"),
        ("if r3 s>= r2 goto head", "if r2 s<= r3 goto -2"),
        ("if w3 < w2 goto head", "if w2 > w3 goto -2"),
        ("if r2 > r3 goto head", "if r2 > r3 goto -2"),
        ("if r3 < 7 goto head", "if r3 < 7 goto -2"),
        ("if r3 != r2 goto head", "if r3 != r2 goto -2"),
    ],
)
def test_each_comparison_has_its_mirror(given: str, is_now: str) -> None:
    assert mended(f"head:\nr3 += 1\n{given}\nexit")[1] == is_now


def test_the_way_out_of_a_loop_counts_too() -> None:
    assert mended("head:\nif r3 >= r2 goto end\nr3 += 1\ngoto head\nend:\nexit")[0] == "if r2 <= r3 goto +2"


def test_a_loop_in_another_compares_with_what_that_one_counts_in() -> None:
    code = "outer:\nr4 = 0\ninner:\nr4 += 1\nif r4 < r3 goto inner\nr3 += 1\nif r3 < r2 goto outer\nexit"
    assert [line for line in mended(code) if line.startswith("if")] == ["if r3 > r4 goto -2", "if r2 > r3 goto -5"]


def test_a_comparison_outside_of_loops_stays() -> None:
    assert mended("r3 += 1\nif r3 < r2 goto +0\nexit")[1] == "if r3 < r2 goto +0"


def test_it_computes_the_same() -> None:
    object_ = object_of(text_section("prog", COUNTS), symbols=(function(1, 0, 8),))
    assert [run_program(decode(each.sections[1].data)).r0 for each in (object_, with_bounds_first(object_))] == [10, 10]


@pytest.mark.kernel
@pytest.mark.parametrize(
    "compared",
    [pytest.param("r3 < r2", marks=pytest.mark.linux("6.8", "this is what its verifier finds no end of")), "r2 > r3"],
)
def test_the_verifier_finds_the_end_of_a_loop_with_its_bound_first(compared: str) -> None:
    program = ProgramImage("twice", "lwt_xmit", "lwt_xmit", parse(TWICE.format(compared=compared)))
    with load_program(ObjectImage((program,), {}, "GPL"), program) as loaded:
        assert loaded.info().xlated_size > 0


@pytest.mark.kernel
@pytest.mark.parametrize("case", LOOPS)
def test_loops_over_one_bound_load(case: str, tmp_path: Path) -> None:
    (tmp_path / "case.py").write_text(PROGRAM.format(loops=LOOPS[case]))
    image = read(pybpfnf.build(tmp_path / "case.py"))
    try:
        load_program(image, image.program()).close()
    except VerifierError as error:
        pytest.fail(str(error))
