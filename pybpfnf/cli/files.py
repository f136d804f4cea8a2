"""Files that a command reads and writes; a file that is written appears whole or not at all."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pybpfnf.errors import InputError
from pybpfnf.targets import unreadable


@contextmanager
def input_file(path: Path) -> Iterator[BinaryIO]:
    """The file to read; `-` is stdin."""
    if str(path) == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from None
    with stream:
        yield stream


@contextmanager
def output_file(path: Path) -> Iterator[BinaryIO]:
    """A file that takes its name only when the block ends without an exception; until then a former one stays.

    What is no regular file (`/dev/stdout`, a pipe) is written directly.
    """
    try:
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            if path.is_dir():
                raise InputError(f"cannot write {path}: it is a directory")
            with path.open("wb") as stream:
                yield stream
            return
        # A link keeps being one: the file that it names is replaced.
        target = path.resolve()
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        with open(handle, "wb") as stream:
            yield stream
        os.chmod(name, _mode(target))
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise


def unwritable(path: Path, error: OSError) -> InputError:
    return InputError(f"cannot write {path}: {(error.strerror or str(error)).lower()}")


def _mode(target: Path) -> int:
    """As the file that is replaced has it, else as open(2) would make it."""
    if target.exists():
        return stat.S_IMODE(target.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
