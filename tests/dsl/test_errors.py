"""Wrong functions, each rule in each construct where it can occur: what is said, what is right instead, what the kernel would do.

`data/errors.test` has the functions; `test_golden` compares what is said of each. Here: that it is one mistake and one report, that
the right one beside it compiles and loads, and that for the rules which stand for the kernel's own, the kernel does what
`data/kernel.asm` says.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from pybpfnf.compile import compile_file
from pybpfnf.diagnostics import CODES
from pybpfnf.image import read
from pybpfnf.kernel import load_program
from tests.dsl.cases import DATA, HEADER, Case, diagnostics_of, read_cases
from tests.dsl.kernel_programs import PROGRAMS, KernelProgram

CASES = tuple(case for case in read_cases() if case.file == DATA / "errors.test")
# The rules that the kernel has too; of the others the right function says more than a refusal could.
OF_THE_KERNEL = frozenset({"stale-view", "maybe-none", "read-only", "not-here", "unbounded", "stack", "leak"})
# `verifier` is what the kernel says, `newer-kernel` what an older one lacks; `size` takes more lines than a case should have
# (tests/test_explanations.py has one).
ELSEWHERE = frozenset({"verifier", "newer-kernel", "size"}) | {code for code in CODES if code.startswith(("seg-", "lab-"))}


def with_name(cases: tuple[Case, ...]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


def code_of(case: Case) -> str:
    (code,) = re.findall(r"error: .* \[([a-z-]+)\]$", case.out, re.MULTILINE)
    return str(code)


def put_right(case: Case) -> str:
    """The file with its mistake mended: the line of the diagnostic replaced, unless a whole file is given."""
    if case.right.startswith(HEADER):
        return case.right
    (number,) = re.findall(r"^case\.py:(\d+):\d+: error: ", case.out, re.MULTILINE)
    lines = case.source.splitlines(keepends=True)
    lines[int(number) - 1] = case.right
    return "".join(lines)


def test_every_code_has_cases() -> None:
    count = Counter(map(code_of, CASES))
    assert set(count) == set(CODES) - ELSEWHERE
    assert count.total() >= 400


@with_name(CASES)
def test_a_mistake_is_reported_once_with_a_hint(case: Case, tmp_path: Path) -> None:
    (found,) = diagnostics_of(case.source, tmp_path)
    assert found.hint
    assert found.span.line == 0 or found.source_line == case.source.splitlines()[found.span.line - 1]


@with_name(CASES)
def test_a_case_says_what_the_kernel_would_do_or_what_is_right(case: Case) -> None:
    assert case.kernel in PROGRAMS if code_of(case) in OF_THE_KERNEL else case.right


@pytest.mark.kernel
@with_name(tuple(case for case in CASES if case.right))
def test_what_is_right_compiles_and_loads(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "case.py"
    path.write_text(put_right(case), encoding="utf-8")
    image = read(compile_file(path))
    for program in image.programs:
        load_program(image, program).close()


@pytest.mark.kernel
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=lambda program: program.name)
def test_the_kernel_does_what_the_rule_stands_for(program: KernelProgram) -> None:
    program.check()


def test_every_program_of_the_kernel_stands_for_a_case() -> None:
    assert set(PROGRAMS) == {case.kernel for case in CASES if case.kernel}
