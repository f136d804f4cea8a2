"""The documents say only what runs: each `python` and `console` block of README.md and docs/ is run here.

A `console` block holds commands after "$ " and, below each, its output, matched as doctest does with "..." for anything.
Commands end with status 0, in a block marked `console fails` with another. A block marked `console root` needs the kernel: it
runs in a network namespace with a device b0. A `python NAME.py` block is also
kept as that file, for the blocks after it. What defines network functions is compiled too, and loaded where there is a kernel; a
mistake shown on purpose is in a `wrong*.py`. The blocks of one document run in order, in one directory that starts as a copy
of `functions/`.
"""

from __future__ import annotations

import doctest
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pybpfnf.cli.commands import COMMANDS
from pybpfnf.compile import compile_file
from pybpfnf.errors import CompileError
from pybpfnf.image import read
from pybpfnf.image.model import ObjectImage
from pybpfnf.kernel.load import load_program
from pybpfnf.lab.names import namespaces_of
from pybpfnf.lab.stop import down

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_FENCE = re.compile(r"^```(\w+)?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_RUN = {"python", "console", "seg"}
_PROGRAM = re.compile(r"^@(seg6local|lwt_in|lwt_out|lwt_xmit)\b", re.MULTILINE)
# Languages that only show something; any other fence is an error, so that no block escapes by a typing mistake.
_LABS = ("two-nodes", "documented", "delays")  # that documents make
_SHOWN = {"text", "toml", "bash", "asm"}


@dataclass(frozen=True)
class Block:
    document: Path
    line: int
    language: str
    mark: str  # after the language: "root", "fails", or the file that the block is
    text: str

    @property
    def root(self) -> bool:
        return self.mark == "root"

    @property
    def has_programs(self) -> bool:
        """Whether it defines network functions that are meant to be right."""
        return self.language == "python" and _PROGRAM.search(self.text) is not None and not self.mark.startswith("wrong")


def _blocks(document: Path) -> list[Block]:
    text = document.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(document, line, match[1] or "", match[2].strip(), match[3]))
    return found


def _commands(block: Block) -> Iterator[tuple[str, str]]:
    """Each command with the output shown below it."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        while command.endswith("\\"):
            more, _, output = output.partition("\n")
            command = f"{command}\n{more}"
        yield command, output


def _directory(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "functions", tmp_path / "functions", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def _environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "120"}


def _run_block(block: Block, where: Path) -> None:
    at = f"{block.document.name}:{block.line}"
    if block.language == "python":
        if block.mark:
            (where / block.mark).write_text(block.text, encoding="utf-8")
        done = subprocess.run([sys.executable, "-c", block.text], cwd=where, env=_environment(), capture_output=True, text=True)
        assert done.returncode == 0, f"{at}\n{done.stdout}{done.stderr}"
        if block.has_programs:
            _compiled(block, where)
        return
    if block.language == "seg":
        path = where / (block.mark or f"line_{block.line}.seg")
        path.write_text(block.text, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "pybpfnf", "test", path.name], cwd=where, env=_environment(), capture_output=True, text=True
        )
        assert done.returncode == 0, f"{at}\n{done.stdout}{done.stderr}"
        return
    for command, expected in _commands(block):
        done = subprocess.run(["bash", "-c", command], cwd=where, env=_environment(), capture_output=True, text=True)
        found = done.stdout + done.stderr
        checker = doctest.OutputChecker()
        options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        assert not expected.strip() or checker.check_output(expected, found, options), (
            f"{at}: $ {command}\nexpected:\n{expected}\nfound:\n{found}"
        )
        assert (done.returncode != 0) == (block.mark == "fails"), f"{at}: $ {command}\nexit status {done.returncode}\n{found}"


def _compiled(block: Block, where: Path) -> ObjectImage:
    path = where / (block.mark or f"line_{block.line}.py")
    path.write_text(block.text, encoding="utf-8")
    try:
        return read(compile_file(path))
    except CompileError as error:
        pytest.fail(f"{block.document.name}:{block.line}\n{error}")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_fence_says_a_language_that_is_known(document: Path) -> None:
    odd = [f"{document.name}:{block.line}: {block.language!r}" for block in _blocks(document) if block.language not in _RUN | _SHOWN]
    assert not odd


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_blocks_of_a_document_run_and_print_what_it_says(document: Path, tmp_path: Path) -> None:
    where = _directory(tmp_path)
    for block in _blocks(document):
        if block.language in _RUN and not block.root:
            _run_block(block, where)


@pytest.mark.kernel
@pytest.mark.usefixtures("namespace", "own_bpffs")
@pytest.mark.parametrize("document", [d for d in DOCUMENTS if any(b.root for b in _blocks(d))], ids=lambda path: path.name)
def test_the_root_blocks_of_a_document_run_in_a_namespace(document: Path, tmp_path: Path) -> None:
    where = _directory(tmp_path)
    with _labs_of_this_run():
        for block in _blocks(document):
            if block.root or block.mark.endswith(".py"):
                _run_block(block, where)


@contextmanager
def _labs_of_this_run() -> Iterator[None]:
    """Labs have names of the whole machine: other runs of these tests wait, and what one left that was broken off is removed."""
    with (Path(tempfile.gettempdir()) / "pybpfnf-documents.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _remove_labs()
        yield
        _remove_labs()


def _remove_labs() -> None:
    for name in _LABS:
        if namespaces_of(name):
            down(name)


@pytest.mark.kernel
@pytest.mark.parametrize("document", [d for d in DOCUMENTS if any(b.has_programs for b in _blocks(d))], ids=lambda path: path.name)
def test_the_kernel_takes_the_programs_of_a_document(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = _directory(tmp_path)
    monkeypatch.syspath_prepend(str(where))
    for block in _blocks(document):
        if block.mark.endswith(".py"):
            (where / block.mark).write_text(block.text, encoding="utf-8")  # another block may import it
        if block.has_programs:
            image = _compiled(block, where)
            for program in image.programs:
                load_program(image, program).close()


def test_the_readme_has_each_command_in_its_table() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"\n| `{name}" not in text] == []
