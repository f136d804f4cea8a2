"""Files that a command reads and writes; a file that is written appears whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pybpfnf.errors import InputError
from pybpfnf.held_signals import HeldSignals
from pybpfnf.unusable import unreadable, unwritable


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


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def refuse_same(output: Path, given: Path) -> None:
    """Raises InputError where what is written would take the place of a source, which nothing brings back."""
    if str(given) != "-" and output.exists() and given.exists() and output.samefile(given) and output.is_file():
        raise InputError(f"{output} is what is read here, and would be written over", hint="name another file")


@contextmanager
def output_file(path: Path) -> Iterator[BinaryIO]:
    """A file that takes its name only when the block ends without an exception; until then a former one stays.

    What is no regular file (`/dev/stdout`, a pipe) is written directly.
    """
    if _is_special(path):
        with _named(path), _opened(path) as stream:
            yield stream
        return
    target = path.resolve()  # a link keeps being one: the file that it names is replaced
    name: Path | None = None
    try:
        with HeldSignals():
            handle, name = _temporary(path, target)
        with _named(path), open(handle, "wb") as stream:
            yield stream
        os.chmod(name, _mode(target))
        os.replace(name, target)
    except BaseException:
        if name is not None:
            name.unlink(missing_ok=True)
        raise


def _temporary(path: Path, target: Path) -> tuple[int, Path]:
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise unwritable(path, error) from None
    return handle, Path(name)


def _is_special(path: Path) -> bool:
    """Whether there is something that is no regular file. Raises InputError for a directory."""
    if path.is_dir():
        raise unwritable(path, IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)))
    return path.exists() and not path.is_file()


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("wb")
    except OSError as error:
        raise unwritable(path, error) from None


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """A disk that is full while the file is written is said with the file's name, which the kernel leaves out."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno in _FULL:
            raise unwritable(path, error) from None
        raise


def _mode(target: Path) -> int:
    """As the file that is replaced has it, else as open(2) would make it."""
    if target.exists():
        return stat.S_IMODE(target.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
