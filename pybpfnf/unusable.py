"""Files and directories that cannot be used, in the same words whichever command they are given to."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

from pybpfnf.errors import InputError

# Where the kernel's words have no verb, or mean something else than what was asked for.
_WORDS: Mapping[int, str] = {
    errno.EISDIR: "it is a directory",
    errno.EEXIST: "it is no directory",  # mkdir(2), of what is there and is something else
    errno.ENOTDIR: "it is no directory",
}


def unreadable(path: str | os.PathLike[str], error: OSError) -> InputError:
    return InputError(f"cannot read {os.fspath(path)}: {reason(error)}")


def unwritable(path: str | os.PathLike[str], error: OSError) -> InputError:
    """Also where a directory was to be made of that name."""
    given = Path(path)
    if error.errno == errno.ENOENT and not given.absolute().parent.exists():
        return InputError(f"cannot write {given}: there is no directory {given.parent}")
    return InputError(f"cannot write {given}: {reason(error)}")


def reason(error: OSError) -> str:
    """Why the kernel refused, as part of a sentence."""
    return _WORDS.get(error.errno or 0) or (error.strerror or str(error)).lower()


def check_writable(path: Path) -> None:
    """Raises InputError where a file of that name could not be written at the end: to find out before a long run. Nothing is made."""
    directory = path.absolute().parent
    if path.is_dir():
        raise _refused(path, errno.EISDIR)
    if not directory.exists():
        raise _refused(path, errno.ENOENT)
    if not directory.is_dir():
        raise _refused(path, errno.ENOTDIR)
    # Not opened: that would wait at a pipe without a reader.
    allowed = os.access(path, os.W_OK) if path.exists() else os.access(directory, os.W_OK | os.X_OK)
    if not allowed:
        raise _refused(path, errno.EACCES)


def check_directory(path: Path) -> None:
    """Raises InputError where files could not be written into a directory of that name; it need not be there yet, nor those above it."""
    there = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
    if not there.is_dir():
        raise _refused(path, errno.ENOTDIR)
    if not os.access(there, os.W_OK | os.X_OK):
        raise _refused(path, errno.EACCES)


def _refused(path: Path, number: int) -> InputError:
    return unwritable(path, OSError(number, os.strerror(number)))
