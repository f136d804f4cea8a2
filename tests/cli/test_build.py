"""`pybpfnf list`, `build` and `show`: the catalogue, an object, and each stage on the way to it."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pybpfnf
from pybpfnf import catalogue
from tests.cli.conftest import Command

NAMES = ["add_tlv", "add_tlv_20", "end", "end_t", "tag_increment"]


def test_list_shows_the_catalogue_by_name(command: Command) -> None:
    ended = command("list")
    heading, *rows = ended.out.splitlines()
    assert (ended.status, ended.err) == (0, "")
    assert heading.split()[0] == "NAME"
    assert set(NAMES) <= {row.split()[0] for row in rows}


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}])
def test_a_terminal_gets_a_table_that_reads_the_same_without_colour(environment: dict[str, str]) -> None:
    master, terminal = pty.openpty()
    command = [sys.executable, "-m", "pybpfnf", "list"]
    with os.fdopen(terminal, "wb") as stdout:
        subprocess.run(command, stdout=stdout, check=True, env={**os.environ, "TERM": "xterm", "COLUMNS": "100", **environment})
    with os.fdopen(master, "rb", buffering=0) as shown:
        text = re.sub(r"\x1b\[[0-9;]*m", "", shown.read(65536).decode())
    rows = [line.split() for line in text.splitlines()]
    assert ["NAME", "WHAT", "IT", "DOES"] in rows
    assert [row[0] for row in rows if row and row[0] in NAMES] == NAMES


def test_build_writes_an_object_under_the_targets_name(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ended = command("build", catalogue.directory() / "tag_increment.py")
    assert (ended.status, ended.out) == (0, "")
    assert Path("tag_increment.o").read_bytes() == pybpfnf.build("tag_increment")


def test_build_writes_where_it_is_told(command: Command, tmp_path: Path) -> None:
    assert command("build", "end", "-o", tmp_path / "x.o").status == 0
    assert pybpfnf.read(tmp_path / "x.o").program().name == "end"


def test_build_does_not_write_over_its_source(command: Command, tmp_path: Path) -> None:
    source = tmp_path / "end.py"
    source.write_bytes((catalogue.directory() / "end.py").read_bytes())
    (tmp_path / "link.py").symlink_to(source)
    for output in (source, tmp_path / "link.py"):
        ended = command("build", source, "-o", output)
        assert (ended.status, ended.out) == (2, "")
        assert "is what is read here" in ended.err
    assert source.read_bytes() == (catalogue.directory() / "end.py").read_bytes()


def test_a_full_disk_is_said_with_the_files_name(command: Command) -> None:
    ended = command("build", "end", "-o", "/dev/full")
    assert ended.status == 2
    assert ended.err == "error: cannot write /dev/full: no space left on device\n"


def test_an_object_may_be_built_without_fault_counters(command: Command, tmp_path: Path) -> None:
    command("build", "tag_increment", "-o", tmp_path / "x.o", "--fault-counters", "off")
    assert pybpfnf.read(tmp_path / "x.o").faults is None


@pytest.mark.parametrize(("stage", "words"), [("ir", "tag_increment"), ("llvm", "define"), ("listing", "call")])
def test_emit_prints_a_stage(command: Command, stage: str, words: str) -> None:
    ended = command("build", "tag_increment", "--emit", stage)
    assert (ended.status, ended.err) == (0, "")
    assert words in ended.out


def test_show_prints_source_lines_beside_instructions(command: Command, tmp_path: Path) -> None:
    ended = command("show", "tag_increment")
    assert ended.status == 0
    assert "pkt.srh.tag += 1" in ended.out
    command("build", "tag_increment", "-o", tmp_path / "x.o")
    assert command("show", tmp_path / "x.o").out == ended.out


def test_what_is_built_already_is_not_built(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "x.o"
    path.write_bytes(pybpfnf.build("end"))
    ended = command("build", path)
    assert (ended.status, ended.err) == (2, f"error: {path} is an object already\nhint: `pybpfnf show` prints it\n")
    assert command("build", path, "--emit", "llvm").status == 2
    assert command("build", path, "--emit", "listing").status == 0


def test_every_mistake_of_a_file_is_shown_at_once(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "wrong.py"
    path.write_text(
        "from pybpfnf import OK, Seg6Packet, Verdict, seg6local\n\n\n"
        "@seg6local\ndef wrong(pkt: Seg6Packet) -> Verdict:\n    x = 1.5\n    y = nowhere\n    return OK\n"
    )
    ended = command("build", path)
    assert (ended.status, ended.out) == (1, "")
    assert "wrong.py:6:" in ended.err
    assert "wrong.py:7:" in ended.err
    assert not path.with_suffix(".o").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [("x = 1\n", "has no network function"), ("def f(:\n", "[syntax]"), ("import no_such_module\n", "no_such_module")],
)
def test_a_file_without_a_function_to_build_says_so(command: Command, tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "no.py"
    path.write_text(text)
    ended = command("build", path)
    assert ended.status in (1, 2)
    assert message in ended.err


def test_newer_than_an_old_kernel_is_status_1_and_named(command: Command) -> None:
    ended = command("check", "tag_increment", "--kernel", "4.17")
    assert (ended.status, ended.out) == (1, "")
    assert "helper lwt_seg6_store_bytes came with Linux 4.18, and is not in 4.17 [newer-kernel]" in ended.err


@pytest.mark.parametrize("name", NAMES)
def test_the_catalogue_runs_on_the_oldest_kernel_supported(command: Command, name: str) -> None:
    ended = command("check", name, "--kernel", "6.1")
    assert (ended.status, ended.out) == (0, f"{name} (lwt_seg6local): needs nothing newer than Linux 6.1\n")


LONG_LOOP = """\
from pybpfnf import DROP, OK, Array, Seg6Packet, Verdict, seg6local, u16

wanted = Array(u16, 5000)


@seg6local
def only_wanted(pkt: Seg6Packet) -> Verdict:
    for i in range(5000):
        if wanted[i] == pkt.srh.tag:
            return OK
    return DROP
"""


@pytest.mark.parametrize("verb", ["build", "check"])
def test_what_an_older_kernel_lacks_is_a_diagnostic_at_its_line(verb: str, command: Command, tmp_path: Path) -> None:
    path, output = tmp_path / "long.py", tmp_path / "long.o"
    path.write_text(LONG_LOOP)
    ended = command(verb, path, "--kernel", "6.1", *(["-o", output] if verb == "build" else []))
    assert (ended.status, ended.out) == (1, "")
    assert "long.py:8:14: error: kernel function bpf_iter_num_new came with Linux 6.4, and is not in 6.1 [newer-kernel]" in ended.err
    assert "hint: make the range shorter" in ended.err
    assert ended.err.count("error:") == 1
    assert not output.exists()


def test_an_object_is_built_for_a_kernel_that_has_what_it_needs(command: Command, tmp_path: Path) -> None:
    path, output = tmp_path / "long.py", tmp_path / "long.o"
    path.write_text(LONG_LOOP)
    assert command("build", path, "--kernel", "6.4", "-o", output).status == 0
    assert output.exists()
