"""What `pybpfnf run` says beside its packets: `--coverage`, `--html`, `--profile`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pybpfnf.testing.packets import srv6
from tests.cli.conftest import CaptureOf, Command

TAGGED = srv6(["fc00:3::3", "fc00:2::2"], tag=7)


def test_coverage_is_added_to_a_data_file_and_shown(command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    ended = command("run", "add_tlv", capture_of(TAGGED), "-q", "--coverage", tmp_path / "data", "--html", tmp_path / "html")
    assert ended.status == 0
    assert "add_tlv.py" in ended.out
    assert "100%" in ended.out
    assert (tmp_path / "data").exists()
    assert (tmp_path / "html" / "index.html").exists()


def test_json_stays_json(command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    ended = command("run", "add_tlv", capture_of(TAGGED), "--json", "--coverage", tmp_path / "data", "--profile")
    assert [json.loads(line) for line in ended.out.splitlines()] == ended.documents
    assert "INSTRUCTIONS" in ended.err


def test_an_object_has_no_source(command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    command("build", "end", "-o", tmp_path / "end.o")
    ended = command("run", tmp_path / "end.o", capture_of(TAGGED), "--coverage", tmp_path / "data")
    assert ended.status == 2
    assert "coverage needs the source" in ended.err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("option", "name", "message"),
    [
        ("--coverage", "none/data", "there is no directory"),
        ("--coverage", ".", "it is a directory"),
        ("--coverage", "text", "it is no data file"),
        ("--html", "text", "it is no directory"),
    ],
)
def test_what_cannot_be_written_at_the_end_is_said_before_the_run(
    command: Command, capture_of: CaptureOf, tmp_path: Path, option: str, name: str, message: str
) -> None:
    (tmp_path / "text").write_text("not of coverage.py")
    ended = command("run", "end", capture_of(TAGGED), option, tmp_path / name)
    assert (ended.status, ended.out) == (2, "")
    assert message in ended.err


def test_what_counts_for_coverage_is_no_variable_of_the_function(command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    ended = command("run", "end", capture_of(TAGGED), "--coverage", tmp_path / "data", "--set", "X=1")
    assert ended.err == "error: no variable 'X' in the object\nhint: it has none\n"


def test_a_profile_is_of_the_vm(command: Command, capture_of: CaptureOf) -> None:
    ended = command("run", "end", capture_of(TAGGED), "--runner", "kernel", "--profile")
    assert ended.status == 2
    assert "the VM's steps" in ended.err


def test_a_profile_shows_the_busiest_line_first(command: Command, capture_of: CaptureOf) -> None:
    ended = command("run", "add_tlv", capture_of(TAGGED), "-q", "--profile")
    heads, first, *_ = ended.out.splitlines()[3:]
    assert heads.split() == ["INSTRUCTIONS", "SHARE", "VISITS", "LINE", "SOURCE"]
    assert "pkt.srh.append" in first


def test_a_trace_is_printed_below_each_packet(command: Command, capture_of: CaptureOf) -> None:
    ended = command("run", "tag_increment", capture_of(TAGGED), "--trace")
    assert ended.status == 0
    assert [line.split()[1:] for line in ended.out.splitlines()[2:4]] == [["pkt.srh.tag", "+=", "1"], ["return", "OK"]]


def test_a_trace_tells_files_of_one_name_apart(command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    imported = "from pybpfnf import OK, Seg6Packet, Verdict, func, seg6local, u32\n"
    for package in ("nf", "nf/inner"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "nf" / "inner" / "same.py").write_text(f"{imported}@func\ndef double(n: u32) -> u32:\n    return n * 2\n")
    program = "@seg6local\ndef same(pkt: Seg6Packet) -> Verdict:\n    pkt.mark = double(pkt.mark)\n    return OK\n"
    (tmp_path / "nf" / "same.py").write_text(f"{imported}from .inner.same import double\n{program}")
    ended = command("run", tmp_path / "nf" / "same.py", capture_of(TAGGED), "--trace")
    assert [line.split()[0] for line in ended.out.splitlines()[2:4]] == ["nf/same.py:5", "inner/same.py:4"]


def test_a_trace_is_of_the_vm_and_no_profile(command: Command, capture_of: CaptureOf) -> None:
    assert command("run", "end", capture_of(TAGGED), "--trace", "--runner", "kernel").status == 2
    assert command("run", "end", capture_of(TAGGED), "--trace", "--profile").status == 2


def test_what_cannot_be_watched_together_is_refused(command: Command, capture_of: CaptureOf) -> None:
    for options in (("--trace", "--engine", "compiled"), ("--profile", "--engine", "compiled"), ("--trace", "-q")):
        ended = command("run", "end", capture_of(TAGGED), *options)
        assert (ended.status, "leave out" in ended.err) == (2, True)


def test_coverage_of_what_came_before_a_damage_is_kept(command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    capture = capture_of(TAGGED, TAGGED)
    capture.write_bytes(capture.read_bytes()[:-10])
    ended = command("run", "add_tlv", capture, "-q", "--coverage", tmp_path / "data")
    assert ended.status == 2
    assert "100%" in ended.out
