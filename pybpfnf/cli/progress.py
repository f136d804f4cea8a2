"""How far a long file has been read, as a bar on a terminal's stderr. rich is imported only where there is one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pybpfnf.lazy import load_module

_LONG = 1 << 22  # bytes of a file that take seconds


@contextmanager
def progress(path: Path, *, quiet: bool) -> Iterator[Callable[[int], None] | None]:
    """What takes the number of bytes that have been read; None where no bar is shown: for short files and pipes, where packets' lines go to
    a terminal and say the same, with `quiet`, and where stderr is no terminal."""
    if quiet or not sys.stderr.isatty() or sys.stdout.isatty() or not path.is_file() or path.stat().st_size < _LONG:
        yield None
        return
    with load_module("pybpfnf.cli.rich_progress").bar(path.name, path.stat().st_size) as moved:
        yield moved
