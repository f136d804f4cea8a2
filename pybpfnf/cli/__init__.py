"""The command line: `pybpfnf COMMAND`. `commands` has the table; this starts as much as it can before that is imported.

Data goes to stdout, everything else to stderr. `failures` says how a command ends.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from pybpfnf.errors import SystemLacksError
from pybpfnf.lazy import resolve

_COMPILING = ("build",)  # commands that need LLVM whatever they are given


def exit_status(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; `arguments` as after the program's name."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _open_closed_streams()
    if given[:1] and given[0] in _COMPILING and "--help" not in given:
        with suppress(SystemLacksError):  # said when it is needed
            resolve("start_llvm")()
    from pybpfnf.cli.commands import run  # here: LLVM is loaded by its own process in the meantime

    return run(given)


def _open_closed_streams() -> None:
    """Python has None for a stream that its caller has closed (`>&-`): what is printed then goes nowhere, and nothing is read."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 for as long as the process lives
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def main() -> NoReturn:
    """The process as a command: ends it with the status, at once. Taking 300 modules apart takes as long as compiling a function does,
    and nothing in them is to be put in order: files are closed by who opens them."""
    gc.set_threshold(50_000)  # collecting while it imports is a twentieth of a command's time
    status = exit_status()
    with suppress(OSError):
        sys.stderr.flush()
    if "pybpfnf.llvm" in sys.modules:
        resolve("stop_llvm")()
    os._exit(status)
