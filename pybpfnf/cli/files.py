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
    if _is_special(path):
        with _opened(path) as stream:
            yield stream
        return
    target = path.resolve()  # a link keeps being one: the file that it names is replaced
    try:
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


def _is_special(path: Path) -> bool:
    """Whether there is something that is no regular file. Raises InputError for a directory."""
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a directory")
    return path.exists() and not path.is_file()


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("wb")
    except OSError as error:
        raise unwritable(path, error) from None


def unwritable(path: Path, error: OSError) -> InputError:
    return InputError(f"cannot write {path}: {(error.strerror or str(error)).lower()}")


def _mode(target: Path) -> int:
    """As the file that is replaced has it, else as open(2) would make it."""
    if target.exists():
        return stat.S_IMODE(target.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
