"""A directory in the place of a file, and a file in that of a directory, are said alike by every command, before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import CaptureOf, Command

TOPOLOGY = Path(__file__).parents[2] / "examples" / "lab" / "two_nodes.toml"

# DIR is a directory, FILE a file that is none, PCAP a capture.
READING = (
    "build DIR",
    "show DIR",
    "run DIR PCAP",
    "run end DIR",
    "run --replay DIR",
    "debug end DIR --batch",
    "diff end DIR",
    "test DIR",
    "check DIR",
    "attach DIR fc00::1 --dev lo",
    "serve DIR --vm PCAP",
    "lab show DIR",
    "lab up DIR",
    "lab run DIR",
    f"lab run {TOPOLOGY} --send r1:DIR",
    "delay responder --vm DIR",
)
WRITING = (
    "build end -o DIR",
    "run end PCAP -w DIR",
    "run end PCAP --record DIR",
    "run end PCAP --coverage DIR",
    "delay watch --plot DIR",
)
INTO = ("run end PCAP --html FILE", f"lab run {TOPOLOGY} --pcap FILE", f"lab run {TOPOLOGY} --pcap FILE/captures")


def said(command: Command, words: str, places: dict[str, Path]) -> tuple[int, str, str]:
    """The status, stdout, and the message without its hint."""
    for name, path in places.items():
        words = words.replace(name, str(path))
    ended = command(*words.split())
    return ended.status, ended.out, ended.err.splitlines()[0]


@pytest.fixture
def places(tmp_path: Path, capture_of: CaptureOf) -> dict[str, Path]:
    (tmp_path / "text").write_text("no capture")
    (tmp_path / "folder").mkdir()
    return {"DIR": tmp_path / "folder", "FILE": tmp_path / "text", "PCAP": capture_of(b"\x60" + bytes(39))}


@pytest.mark.parametrize("words", READING)
def test_a_directory_cannot_be_read(command: Command, places: dict[str, Path], words: str) -> None:
    assert said(command, words, places) == (2, "", f"error: cannot read {places['DIR']}: it is a directory")


def test_a_directory_without_a_slash_in_its_name_is_one_too(
    command: Command, places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(places["DIR"].parent)
    assert said(command, "build folder", {}) == (2, "", "error: cannot read folder: it is a directory")


@pytest.mark.parametrize("words", WRITING)
def test_a_directory_cannot_be_written(command: Command, places: dict[str, Path], words: str) -> None:
    if "--plot" in words:
        pytest.importorskip("matplotlib")
    assert said(command, words, places) == (2, "", f"error: cannot write {places['DIR']}: it is a directory")


@pytest.mark.parametrize("words", INTO)
def test_files_cannot_be_written_into_a_file(command: Command, places: dict[str, Path], words: str) -> None:
    given = words.split()[-1].replace("FILE", str(places["FILE"]))
    assert said(command, words, places) == (2, "", f"error: cannot write {given}: it is no directory")


@pytest.mark.parametrize("words", ["run end PCAP -w", "run end PCAP --record", "run end PCAP --coverage", "build end -o"])
def test_a_directory_that_is_not_there_is_named(command: Command, places: dict[str, Path], words: str) -> None:
    missing = places["DIR"] / "none"
    assert (
        said(command, f"{words} {missing / 'file'}", places)[2]
        == f"error: cannot write {missing / 'file'}: there is no directory {missing}"
    )
