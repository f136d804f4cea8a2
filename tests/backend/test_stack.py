"""The stack over chains of calls: what the kernel would refuse is said before, and what is said of built code is what the kernel says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pybpfnf
from pybpfnf import image
from pybpfnf.diagnostics import Diagnostic
from pybpfnf.errors import CompileError
from pybpfnf.image.stack import stack_frames
from tests.backend.test_on_the_kernel import bpftool, run
from tests.conformance import test_functions, test_subprograms

HEADER = "from pybpfnf import *\n"
# Not those with walks in loops: bpftool makes the kernel write down every instruction that it follows.
CASES = {
    **test_functions.CASES,
    **{name: test_subprograms.CASES[name] for name in ("more parameters than registers, and structs", "look-ups that miss")},
}

PROGRAM = """
@seg6local
def function(pkt: Seg6Packet) -> Verdict:
    pkt.mark = f0(pkt.srh.flags)
    return OK
"""


def mistake(tmp_path: Path, text: str) -> Diagnostic:
    path = tmp_path / "case.py"
    path.write_text(HEADER + text)
    with pytest.raises(CompileError) as caught:
        pybpfnf.build(path)
    (found,) = caught.value.diagnostics
    return found


def chained(functions: int) -> str:
    """f0 calls f1, which calls f2 and so on; none can be made less by LLVM."""
    calls = [f"f{number + 1}(n) + 1" for number in range(functions - 1)]
    return "".join(
        f"@func(inline=False)\ndef f{number}(n: u32) -> u32:\n    return {call}\n"
        for number, call in reversed(list(enumerate([*calls, "random_u32() + n"])))
    )


def test_eight_functions_one_in_the_other_are_all_that_the_kernel_takes(tmp_path: Path) -> None:
    (tmp_path / "case.py").write_text(HEADER + chained(7) + PROGRAM)
    assert image.read(pybpfnf.build(tmp_path / "case.py")).program().name == "function"
    found = mistake(tmp_path, chained(8) + PROGRAM)
    assert (found.code, found.message) == (
        "stack",
        "9 functions are called one in the other, and the kernel takes 8: `function`, `f0`, `f1`, `f2`, `f3`, `f4`, `f5`, `f6`, `f7`",
    )


@pytest.mark.kernel
@bpftool
@pytest.mark.parametrize("case", CASES)
def test_the_stack_of_built_code_is_what_the_kernel_says(tmp_path: Path, own_bpffs: Path, case: str) -> None:
    source, file = tmp_path / "case.py", tmp_path / "case.o"
    source.write_text(HEADER + CASES[case].replace("{inline}", "(inline=False)"))
    file.write_bytes(pybpfnf.build(source))
    said = run("bpftool", "--debug", "prog", "load", file, own_bpffs / "case")
    depths = re.search(r"^stack depth ([0-9+]+)$", said.stdout + said.stderr, re.MULTILINE)
    assert depths is not None
    frames = stack_frames(image.read(file.read_bytes()).program())
    first, *others = (int(depth) for depth in depths[1].split("+"))
    assert frames[0].size == first
    assert sorted(frame.size for frame in frames[1:]) == sorted(others)  # libbpf puts subprograms in an order of its own
