"""Each code is explained, its examples are what they say, and `pybpfnf explain` and docs/errors.md show them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pybpfnf.abi.text import parse
from pybpfnf.compile import compile_file
from pybpfnf.diagnostics import CODES
from pybpfnf.errors import CompileError, VerifierError
from pybpfnf.explanations import ASSEMBLY, EXPLANATIONS, PYTHON, SEG, TOML, Explanation, written_out
from pybpfnf.image import read
from pybpfnf.image.model import ObjectImage, ProgramImage
from pybpfnf.image.needs import require_kernel
from pybpfnf.kernel.load import load_program
from pybpfnf.lab.read_topology import topology_of
from pybpfnf.testing.seg.run import Result
from pybpfnf.verbs.seg import run_seg
from tests.cli.conftest import Command
from tests.cli.conftest import command as command

ROOT = Path(__file__).resolve().parent.parent
IN_PYTHON = [row for row in EXPLANATIONS.values() if row.language == PYTHON]
IN_SEG = [row for row in EXPLANATIONS.values() if row.language == SEG]
IN_TOML = [row for row in EXPLANATIONS.values() if row.language == TOML]
IN_ASSEMBLY = [row for row in EXPLANATIONS.values() if row.language == ASSEMBLY]


def by_code(rows: list[Explanation]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.code)


def file_of(example: str, directory: Path) -> Path:
    path = directory / "example.py"
    path.write_text(written_out(example), encoding="utf-8")
    return path


def images(text: str) -> ObjectImage:
    return ObjectImage((ProgramImage("example", "lwt_seg6local", "lwt_seg6local", parse(text)),), {}, "GPL")


def compile_for(path: Path, kernel: str | None) -> ObjectImage:
    """Raises CompileError for what is wrong, or newer than that kernel."""
    image = read(compile_file(path))
    if kernel is not None:
        require_kernel(image, image.programs, kernel)
    return image


def load_all(image: ObjectImage) -> None:
    for program in image.programs:
        load_program(image, program).close()


def test_every_code_is_explained() -> None:
    assert set(EXPLANATIONS) == set(CODES)
    assert {row.language for row in EXPLANATIONS.values()} == {PYTHON, ASSEMBLY, SEG, TOML}


@by_code(IN_PYTHON)
def test_a_wrong_example_gives_its_code_alone(row: Explanation, tmp_path: Path) -> None:
    with pytest.raises(CompileError) as caught:
        compile_for(file_of(row.wrong, tmp_path), row.meant_for)
    assert {found.code for found in caught.value.diagnostics} == {row.code}


@pytest.mark.kernel
@by_code(IN_PYTHON)
def test_a_right_example_compiles_and_loads(row: Explanation, tmp_path: Path) -> None:
    load_all(compile_for(file_of(row.right, tmp_path), row.meant_for))


@by_code(IN_SEG)
def test_a_wrong_test_file_gives_its_code_alone_and_a_right_one_runs(row: Explanation, tmp_path: Path) -> None:
    path = tmp_path / "example.seg"
    path.write_text(row.wrong, encoding="utf-8")
    with pytest.raises(CompileError) as caught:
        list(run_seg(path))
    assert {found.code for found in caught.value.diagnostics} == {row.code}
    path.write_text(row.right, encoding="utf-8")
    assert all(isinstance(found, Result) and not found.problems for found in run_seg(path))


@by_code(IN_TOML)
def test_a_wrong_topology_gives_its_code_alone_and_a_right_one_is_read(row: Explanation) -> None:
    with pytest.raises(CompileError) as caught:
        topology_of(row.wrong, "example.toml")
    assert {found.code for found in caught.value.diagnostics} == {row.code}
    assert topology_of(row.right, "example.toml").name == "example"


@pytest.mark.kernel
@by_code(IN_ASSEMBLY)
def test_an_example_of_assembly_is_refused_and_taken_by_the_kernel(row: Explanation) -> None:
    with pytest.raises(VerifierError):
        load_all(images(row.wrong))
    load_all(images(row.right))


def test_a_line_that_says_how_often_it_stands_there_is_written_out() -> None:
    assert written_out("a\n    b()  # and 2 more of these\nc\n") == "a\n    b()\n    b()\n    b()\nc\n"


def test_the_page_is_current() -> None:
    result = subprocess.run([sys.executable, ROOT / "scripts" / "errors", "--check"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


# ------------------------------------------------------------------------------------------------------- the command


def paragraphs(text: str) -> Iterator[str]:
    return (" ".join(part.split()) for part in text.split("\n\n"))


@pytest.mark.parametrize("spelling", ["stale-view", "[stale-view]"])
def test_explain_says_why_and_shows_both_functions(spelling: str, command: Command) -> None:
    ended = command("explain", spelling)
    row = EXPLANATIONS["stale-view"]
    assert ended.status == 0
    assert set(paragraphs(f"{row.why}\n\nWhat the kernel would say or do: {CODES[row.code].kernel}")) < set(paragraphs(ended.out))
    for example in (row.wrong, row.right):
        assert all(f"    {line}".rstrip() in ended.out.splitlines() for line in example.splitlines())


def test_explain_alone_lists_all_codes(command: Command) -> None:
    ended = command("explain")
    assert ended.status == 0
    assert [line.split()[0] for line in ended.out.splitlines()] == ["CODE", *CODES]


def test_an_unknown_code_gets_the_nearest(command: Command) -> None:
    ended = command("explain", "stale-veiw")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == "error: no diagnostic has the code 'stale-veiw'\nhint: did you mean `stale-view`?\n"
    assert "`pybpfnf explain` lists them" in command("explain", "zzz").err


def test_diagnostics_are_followed_by_one_line_that_leads_to_the_explanation(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "sample.py"
    path.write_text(EXPLANATIONS["type"].wrong, encoding="utf-8")
    assert command("build", path, "-o", tmp_path / "x.o").err.splitlines()[-1] == "`pybpfnf explain type` says why, and shows it right"
    path.write_text(EXPLANATIONS["type"].wrong.replace("= 7", "= -7\n    nope"), encoding="utf-8")
    last = command("build", path, "-o", tmp_path / "x.o").err.splitlines()[-1]
    assert last == "`pybpfnf explain CODE` says why, and shows it right: type, overflow, name"
