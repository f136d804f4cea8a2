"""Every failure ends in one clear message on stderr and its exit status."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import click
import pytest

from pybpfnf.cli import exit_status
from pybpfnf.cli.commands import COMMANDS, commands
from pybpfnf.cli.failures import DEBUG_VARIABLE, ReportFailures
from pybpfnf.diagnostics import Diagnostic, Span
from pybpfnf.errors import CompileError, InputError, InternalError, KernelError, SystemLacksError, VerifierError

SPAN = Span("f.py", 2, 5, 2, 8)
DIAGNOSTIC = Diagnostic("type", "this is no number", SPAN, "    abc = 1", "write a number")


def reported(error: BaseException, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    with ReportFailures() as failures:
        raise error
    captured = capsys.readouterr()
    assert captured.out == ""
    return failures.status, captured.err


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (InputError("no such file: x", hint="look again"), 2, "error: no such file: x\nhint: look again\n"),
        (SystemLacksError("bpffs is not mounted"), 3, "error: bpffs is not mounted\n"),
        (KernelError("cannot load", errno=22), 3, "error: cannot load\n"),
        (click.UsageError("No such option: --x."), 2, "error: no such option: --x\n"),
        (PermissionError(13, "Permission denied", "/x"), 3, "error: /x: permission denied\nhint: run as root\n"),
        (OSError(5, "Input/output error"), 3, "error: input/output error\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_a_failure_is_a_line_a_hint_and_a_status(error: BaseException, status: int, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert reported(error, capsys) == (status, text)


def test_the_authors_mistakes_are_shown_at_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    status, text = reported(CompileError([DIAGNOSTIC, DIAGNOSTIC]), capsys)
    one = "f.py:2:5: error: this is no number [type]\n        abc = 1\n        ^^^\nhint: write a number\n"
    assert (status, text) == (1, f"{one}\n{one}\n`pybpfnf explain type` says why, and shows it right\n")


def test_the_verifiers_refusal_keeps_the_whole_log_in_a_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    status, text = reported(VerifierError(DIAGNOSTIC, "three\nhundred\nlines"), capsys)
    *shown, where, _, explain = text.splitlines()
    assert (status, shown) == (1, DIAGNOSTIC.render().splitlines())
    assert where.startswith("the verifier's whole log: ")
    assert explain == "`pybpfnf explain type` says why, and shows it right"
    assert Path(where.partition(": ")[2]).read_text() == "three\nhundred\nlines"


@pytest.mark.parametrize("error", [InternalError("LLVM died\nof this"), ZeroDivisionError("division by zero")])
def test_a_bug_of_ours_is_one_line_and_says_what_to_report(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = reported(error, capsys)
    assert status == 70
    assert "Traceback" not in text
    assert text.splitlines()[0].startswith("error: this is a bug in pybpfnf: ")
    assert len(text.splitlines()) == 2


def test_a_traceback_is_shown_where_it_is_asked_for(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DEBUG_VARIABLE, "1")
    assert "Traceback" in reported(InputError("no such file: x"), capsys)[1]


@pytest.mark.parametrize("arguments", [[], ["nosuch"], ["run"], ["list", "--nosuch"], ["run", "end", "x.pcap", "--type", "nosuch"]])
def test_wrong_usage_is_status_2_with_nothing_on_stdout(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status(arguments) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "end", "x.pcap", "--jobs", "many"], "error: invalid value for '--jobs': 'many' is not a whole number\n"),
        (["delay", "query", "fc00::1", "--interval", "soon"], "error: invalid value for '--interval': 'soon' is not a number\n"),
    ],
)
def test_numbers_are_called_numbers(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status(arguments) == 2
    assert capsys.readouterr().err.startswith(message)


# ------------------------------------------------------------------------------------------- processes around it

COMMAND = [sys.executable, "-m", "pybpfnf"]


def test_a_closed_pipe_ends_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run([*COMMAND, "list"], stdout=closed, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize(
    ("number", "word"), [(signal.SIGINT, b"interrupted\n"), (signal.SIGTERM, b"terminated\n"), (signal.SIGHUP, b"terminated\n")]
)
def test_a_signal_ends_with_one_word_and_takes_back_what_was_begun(tmp_path: Path, number: signal.Signals, word: bytes) -> None:
    """The command has read the header of a capture and waits for its first record."""
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    pipe = subprocess.PIPE
    # A shell that starts this suite in the background has SIGINT ignored, nohup SIGHUP, and what they start inherits that: `env` undoes it.
    command = ["env", "--default-signal=INT,HUP", *COMMAND, "run", "end", "-", "-w", str(tmp_path / "out.pcap")]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(header)
        process.stdin.flush()
        assert b"end" in process.stdout.readline()
        process.send_signal(number)
        _, error = process.communicate(timeout=30)
    assert (process.returncode, error) == (128 + number, word)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_named() -> None:
    # Buffered as in a user's shell: the error comes when the buffer is written, at the very end.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*COMMAND, "list"], stdout=full, stderr=subprocess.PIPE, check=False, env=environment)
    assert (done.returncode, done.stderr) == (3, b"error: no space left on device\n")


@pytest.mark.parametrize("stream", ["<&-", ">&-", "2>&-"])
def test_a_closed_stream_is_no_bug(stream: str) -> None:
    done = subprocess.run(["bash", "-c", f'"$@" {stream}', "bash", *COMMAND, "list"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


# ---------------------------------------------------------------------------------------------------------- help


def test_every_command_is_in_the_help_with_its_own_summary() -> None:
    context = click.Context(commands)
    for name, row in COMMANDS.items():
        command = commands.get_command(context, name)
        assert command is not None
        assert (command.help or "").splitlines()[0] == row.summary


def test_help_imports_no_command() -> None:
    script = (
        "import sys, pybpfnf.cli\n"
        "status = pybpfnf.cli.exit_status(['--help'])\n"
        "print(sorted(name for name in sys.modules if name.startswith('pybpfnf.cli.')), status)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (
        done.stdout.splitlines()[-1]
        == "['pybpfnf.cli.command_table', 'pybpfnf.cli.commands', 'pybpfnf.cli.failures', 'pybpfnf.cli.terminated'] 0"
    )
