"""What type checkers say about functions: nothing about right ones, the mistake about wrong ones."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from pybpfnf.dsl import compile_module, load_programs

Checker: TypeAlias = Callable[[Path], list[tuple[int, str]]]

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = Path(__file__).parent / "typing"
_EXPECTED = re.compile(r"# ([\w-]+), (\w+)$")


def copy(name: str, directory: Path) -> Path:
    """The samples are no .py files, so that no other check of the project takes them for code."""
    return Path(shutil.copy(SAMPLES / f"{name}.txt", directory / f"{name}.py"))


def expected(name: str, column: int) -> list[tuple[int, str]]:
    """The lines of a sample that say an error, with its code: column 0 mypy's, 1 pyright's."""
    lines = (SAMPLES / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [(number, match[column + 1]) for number, line in enumerate(lines, 1) if (match := _EXPECTED.search(line))]


def mypy(file: Path) -> list[tuple[int, str]]:
    # A cache of its own: the suite's tests run at the same time. A warm one makes the second run quick.
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={ROOT / '.mypy_cache' / 'samples'}"]
    command += ["--follow-imports=silent", "--no-error-summary", "--hide-error-context", "--show-error-codes", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "MYPYPATH": str(ROOT)}, check=False)
    assert done.stderr == ""
    found = (re.fullmatch(r".*?:(\d+): error: .*\[([\w-]+)\]", line) for line in done.stdout.splitlines())
    return [(int(match[1]), match[2]) for match in found if match]


def pyright(file: Path) -> list[tuple[int, str]]:
    config = file.parent / "pyrightconfig.json"
    config.write_text(json.dumps({"include": [file.name], "extraPaths": [str(ROOT)], "typeCheckingMode": "standard"}))
    done = subprocess.run(["pyright", "--outputjson", "-p", str(config)], capture_output=True, text=True, cwd=file.parent, check=False)
    report = json.loads(done.stdout)
    found = (entry for entry in report["generalDiagnostics"] if entry["severity"] == "error")
    return [(entry["range"]["start"]["line"] + 1, entry["rule"]) for entry in found]


def _needs(*commands: str) -> pytest.MarkDecorator:
    missing = [command for command in commands if shutil.which(command) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{' and '.join(missing)} not installed")


CHECKERS = [
    pytest.param(mypy, 0, id="mypy", marks=_needs("mypy")),
    pytest.param(pyright, 1, id="pyright", marks=_needs("pyright", "node")),  # without node pyright would download one
]


@pytest.mark.parametrize(("checker", "column"), CHECKERS)
@pytest.mark.parametrize("verdict", ["right", "wrong"])
@pytest.mark.parametrize("kind", ["", "routes_", "functions_", "tails_", "locks_"])
def test_a_checker_says_what_the_sample_says(checker: Checker, column: int, kind: str, verdict: str, tmp_path: Path) -> None:
    sample = f"{kind}{verdict}"
    found, wanted = checker(copy(sample, tmp_path)), expected(sample, column)
    assert {line for line, _ in found} == {line for line, _ in wanted}
    assert set(wanted) <= set(found)  # a line may be wrong in more than one way


def test_the_right_sample_compiles(tmp_path: Path) -> None:
    module = compile_module(load_programs(copy("right", tmp_path)))
    assert [function.name for function in module.functions] == [
        "structs",
        "end",
        "end_t",
        "tag_increment",
        "stamp",
        "add_tlv",
        "counted",
        "steer",
        "viewed",
        "arrays",
        "looped",
        "sends",
    ]


def test_the_right_sample_of_routes_compiles(tmp_path: Path) -> None:
    module = compile_module(load_programs(copy("routes_right", tmp_path)))
    assert [function.name for function in module.functions] == ["encapsulate", "guard", "tunnel", "read", "write", "elsewhere"]


def test_the_right_sample_of_tail_calls_compiles(tmp_path: Path) -> None:
    module = compile_module(load_programs(copy("tails_right", tmp_path)))
    assert [array.slots for array in module.programs] == [((0, "count"), (3, "dispatch")), ((1, "out"),)]


@_needs("pyright", "node")
def test_pyright_finds_nothing_in_the_catalogue(tmp_path: Path) -> None:
    """mypy looks at it with the rest of the project."""
    catalogue = shutil.copytree(ROOT / "functions", tmp_path / "functions", ignore=shutil.ignore_patterns("__pycache__"))
    assert pyright(catalogue) == []
