"""The bar of long files: on a terminal's stderr, and nowhere else."""

from __future__ import annotations

import io
import sys

import pytest

from pybpfnf.cli import exit_status
from pybpfnf.testing.packets import srv6
from tests.cli.conftest import CaptureOf

TAGGED = srv6(["fc00:3::3", "fc00:2::2"], tag=7)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def said(monkeypatch: pytest.MonkeyPatch, capture_of: CaptureOf, stderr: io.StringIO, *options: str) -> str:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("pybpfnf.cli.progress._LONG", 1)
    monkeypatch.setattr(sys, "stderr", stderr)
    assert exit_status(["run", "end", str(capture_of(*[TAGGED] * 5)), *options]) == 0
    return stderr.getvalue()


def test_a_terminal_shows_how_much_of_the_file_has_been_read(monkeypatch: pytest.MonkeyPatch, capture_of: CaptureOf) -> None:
    assert "in.pcap" in said(monkeypatch, capture_of, Terminal())


def test_there_is_none_where_stderr_is_no_terminal(monkeypatch: pytest.MonkeyPatch, capture_of: CaptureOf) -> None:
    assert said(monkeypatch, capture_of, io.StringIO()) == ""


def test_there_is_none_for_who_wants_the_sums_alone(monkeypatch: pytest.MonkeyPatch, capture_of: CaptureOf) -> None:
    assert said(monkeypatch, capture_of, Terminal(), "-q") == ""
