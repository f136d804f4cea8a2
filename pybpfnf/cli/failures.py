"""How the command line ends: every failure becomes one clear message on stderr and an exit status, never a traceback.

    0 ran    1 the program is wrong    2 usage or unreadable input    3 the system lacks something    70 our bug

Status 130 is an interrupt, 143 SIGTERM and 141 a closed pipe, as shells say it. With PYBPFNF_DEBUG set, a traceback follows.
"""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from functools import singledispatch
from types import TracebackType
from typing import Self, final

import click

from pybpfnf.cli.terminated import Terminated
from pybpfnf.diagnostics import Diagnostic
from pybpfnf.errors import CompileError, Error, InternalError, SystemLacksError, VerifierError

DEBUG_VARIABLE = "PYBPFNF_DEBUG"
_SIGNALLED = 128  # and the number of the signal
_INTERRUPTED, _CLOSED_PIPE = 130, 141


@final
class ReportFailures:
    """A context in which an exception is explained and becomes `status`."""

    status = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> bool:
        if error is None:
            return True
        self.status = explain(error)
        if os.environ.get(DEBUG_VARIABLE):
            traceback.print_exception(error, file=sys.stderr)
        return True


_PLAINER = {"a valid integer range": "a whole number", "a valid float range": "a number"}  # click's names of its types


@singledispatch
def explain(error: BaseException) -> int:
    """Say on stderr what went wrong, and return the exit status. What is not registered below is a bug of ours."""
    return _bug(f"{type(error).__name__}: {error}")


@explain.register
def _(error: Error) -> int:
    _say(f"error: {error.message}")
    if error.hint is not None:
        _say(f"hint: {error.hint}")
    return error.exit_status


@explain.register
def _(error: InternalError) -> int:
    return _bug(error.message)


@explain.register
def _(error: CompileError) -> int:
    _say("\n\n".join(diagnostic.render() for diagnostic in error.diagnostics))
    _say_where_to_read(error.diagnostics)
    return error.exit_status


def _say_where_to_read(diagnostics: Sequence[Diagnostic]) -> None:
    """Once, however many there are."""
    codes = list(dict.fromkeys(diagnostic.code for diagnostic in diagnostics))
    command = f"`pybpfnf explain {codes[0] if len(codes) == 1 else 'CODE'}`"
    _say(f"\n{command} says why, and shows it right" + (f": {', '.join(codes)}" if len(codes) > 1 else ""))


@explain.register
def _(error: VerifierError) -> int:
    _say(error.diagnostic.render())
    with tempfile.NamedTemporaryFile("w", prefix="pybpfnf-verifier-", suffix=".log", delete=False, encoding="utf-8") as file:
        file.write(error.log)
    _say(f"the verifier's whole log: {file.name}")
    _say_where_to_read([error.diagnostic])
    return error.exit_status


@explain.register
def _(error: click.ClickException) -> int:
    message = error.format_message()
    for theirs, ours in _PLAINER.items():
        message = message.replace(theirs, ours)
    _say(f"error: {message[:1].lower()}{message[1:].rstrip('.')}")
    if isinstance(error, click.UsageError) and error.ctx is not None:
        _say(f"hint: `{error.ctx.command_path} --help` says how it is used")
    return error.exit_code


@explain.register
def _(error: click.exceptions.Exit) -> int:
    sys.stdout.flush()  # --help and --version end so
    return error.exit_code


@explain.register
def _(error: KeyboardInterrupt) -> int:
    _say("interrupted")
    return _INTERRUPTED


@explain.register
def _(error: Terminated) -> int:
    _say("terminated")
    return _SIGNALLED + error.number


@explain.register
def _(error: BrokenPipeError) -> int:
    # Nobody reads any more (`| head`).
    _let_go_of_stdout()
    return _CLOSED_PIPE


@explain.register
def _(error: OSError) -> int:
    named = f"{error.filename}: " if error.filename is not None else ""
    _say(f"error: {named}{(error.strerror or str(error)).lower()}")
    if isinstance(error, PermissionError):
        _say("hint: run as root")
    try:
        sys.stdout.flush()
    except OSError:
        _let_go_of_stdout()
    return SystemLacksError.exit_status


def _let_go_of_stdout() -> None:
    """What is still buffered goes nowhere, so that the interpreter's last flush is quiet and the exit status stands."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _bug(what: str) -> int:
    _say(f"error: this is a bug in pybpfnf: {' '.join(what.split())}")
    _say(f"hint: please report it, with the command and what it prints when {DEBUG_VARIABLE}=1 is set")
    return InternalError.exit_status


def _say(text: str) -> None:
    click.echo(text, err=True)
