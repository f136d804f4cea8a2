"""Time to build: in this process once warm, as the whole command, and clang on the same function in C."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

import pybpfnf
from benchmarks import clang
from benchmarks.measure import Spread, in_turn
from benchmarks.yardsticks import YARDSTICKS

_COMMAND = [sys.executable, "-c", "from pybpfnf.cli import main; main()"]


@final
@dataclass(frozen=True, slots=True)
class BuildTime:
    """Milliseconds. `clang` is None where there is no clang."""

    function: str
    in_process: Spread
    command: Spread
    clang: Spread | None


def measure(rounds: int, has_clang: bool, where: Path) -> Iterator[BuildTime]:
    """`where` is a directory for the objects."""
    for function in YARDSTICKS:
        actions: list[Callable[[], object]] = [_in_process(function), _command(function, where)]
        if has_clang:
            actions.append(_clang(function, where))
        actions[0]()  # warm: modules imported, LLVM started
        in_process, command, *rest = in_turn(actions, rounds)
        yield BuildTime(function, in_process, command, rest[0] if rest else None)


def _in_process(function: str) -> Callable[[], object]:
    return lambda: pybpfnf.build(YARDSTICKS[function].source)


def _command(function: str, where: Path) -> Callable[[], object]:
    return lambda: subprocess.run(
        [*_COMMAND, "build", str(YARDSTICKS[function].source), "-o", str(where / "command.o")], check=True, capture_output=True
    )


def _clang(function: str, where: Path) -> Callable[[], object]:
    return lambda: clang.build(function, where / "clang.o")
