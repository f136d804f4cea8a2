"""`pybpfnf new`: a function, its test and its line in the README, that hold from the first minute."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pybpfnf.verbs.new import HOOK_NAMES
from tests.cli.conftest import Command

ROOT = Path(__file__).resolve().parent.parent.parent


def _check(where: Path, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-m", *command], cwd=where, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_new_writes_passes_its_own_test_for_every_hook(command: Command, tmp_path: Path) -> None:
    for hook in HOOK_NAMES:
        assert command("new", f"count_{hook}", "--hook", hook, "--directory", tmp_path).status == 0
    passed = _check(tmp_path, "pytest", "-q", "-p", "no:cacheprovider", ".")
    assert " passed" in passed
    assert "failed" not in passed


def test_what_new_writes_satisfies_a_strict_type_checker(command: Command, tmp_path: Path) -> None:
    for hook in HOOK_NAMES:
        command("new", f"count_{hook}", "--hook", hook, "--directory", tmp_path)
    _check(tmp_path, "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), ".")


def test_the_readme_has_a_line_for_each_function_in_order(command: Command, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("# Ours\n\n## Network functions\n\n- [m](m.py): there before\n\n## Then\n")
    for name in ("zebra", "ant"):
        command("new", name, "--directory", tmp_path)
    lines = readme.read_text().splitlines()
    assert [line.partition("]")[0] for line in lines[4:7]] == ["- [ant", "- [m", "- [zebra"]
    assert lines[:4] + lines[7:] == ["# Ours", "", "## Network functions", "", "", "## Then"]


def test_a_readme_without_such_a_list_gets_one_at_its_end(command: Command, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Ours\n")
    command("new", "ant", "--directory", tmp_path)
    assert (tmp_path / "README.md").read_text().startswith("# Ours\n\n## Network functions\n\n- [ant](ant.py): ")


def test_a_project_with_directories_for_both_has_them_used(command: Command, tmp_path: Path) -> None:
    (tmp_path / "functions").mkdir()
    (tmp_path / "tests" / "functions").mkdir(parents=True)
    assert command("new", "ant", "--directory", tmp_path).out.split() == [
        f"{tmp_path}/functions/ant.py",
        f"{tmp_path}/tests/functions/test_ant.py",
        f"{tmp_path}/README.md",
    ]
    _check(tmp_path, "pytest", "-q", "-p", "no:cacheprovider", "tests")


@pytest.mark.parametrize("name", ["two words", "3rd", "class", "license", "__pybpfnf_x", "größe"])
def test_a_name_that_no_program_can_have_is_refused(command: Command, tmp_path: Path, name: str) -> None:
    ended = command("new", name, "--directory", tmp_path)
    assert ended.status == 2
    assert name in ended.err
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_not_overwritten(command: Command, tmp_path: Path) -> None:
    (tmp_path / "test_ant.py").write_text("mine")
    assert command("new", "ant", "--directory", tmp_path).status == 2
    assert [path.name for path in tmp_path.iterdir()] == ["test_ant.py"]


def test_a_readme_that_is_no_text_is_left_alone(command: Command, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"\xff\xfe")
    assert "not UTF-8" in command("new", "ant", "--directory", tmp_path).err
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


def test_a_directory_that_is_not_there_is_an_error(command: Command, tmp_path: Path) -> None:
    assert "is not a directory" in command("new", "ant", "--directory", tmp_path / "none").err
