"""The BPF file system: where programs and maps live on after the process that made them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pybpfnf.errors import KernelError, SystemLacksError
from pybpfnf.kernel.attrs import ObjectPin
from pybpfnf.kernel.bpf import Command, Fd, bpf, explained
from pybpfnf.kernel.libc import LIBC, checked
from pybpfnf.kernel.maps import address_of

VARIABLE = "PYBPFNF_BPFFS"
_USUAL = "/sys/fs/bpf"
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # include/uapi/linux/fcntl.h, include/uapi/linux/fs.h


def mount_point() -> Path:
    """A directory on a mounted bpffs: /sys/fs/bpf, or what the environment variable PYBPFNF_BPFFS says.

    Raises SystemLacksError with the command that mounts it, where it is not mounted.
    """
    path = Path(os.environ.get(VARIABLE) or _USUAL)
    with _permitted(path):
        is_directory = path.is_dir()
    if not is_directory:
        raise SystemLacksError(f"{path} is not a directory, so no bpffs is mounted there", hint=_hint(path))
    if _file_system(path.resolve()) != "bpf":
        raise SystemLacksError(f"bpffs is not mounted on {path}", hint=_hint(path))
    return path


def _hint(path: Path) -> str:
    return f"mount -t bpf bpf {path}   (or set {VARIABLE} to where it is mounted)"


def _file_system(path: Path) -> str:
    """The type of the file system that `path` is on: that of the last mount at the longest mount point above it."""
    best, kind = "", ""
    for point, mounted in _mounts():
        if path.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, mounted
    return kind


def _mounts() -> Iterator[tuple[str, str]]:
    """Mount points and file system types (proc(5), mountinfo), in the order of mounting."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        point = before.split()[4]
        yield point.encode().decode("unicode_escape"), after.split()[0]


@contextmanager
def _permitted(path: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError:
        raise SystemLacksError(f"not permitted to use {path}", hint="run as root: pins belong to it") from None


def exists(path: Path) -> bool:
    with _permitted(path):
        return path.exists()


def entries(directory: Path) -> list[Path]:
    """What is in a directory, sorted; nothing where there is none."""
    with _permitted(directory):
        return sorted(directory.iterdir()) if directory.is_dir() else []


def make_directory(path: Path) -> bool:
    """Make a directory, and those above it; whether it was not there yet."""
    try:
        with _permitted(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir(mode=0o700)
    except FileExistsError:
        return False
    except OSError as error:
        raise KernelError(f"cannot make {path}: {error.strerror}", errno=error.errno or 0) from None
    return True


def pin(fd: Fd | int, path: Path, what: str) -> None:
    """Give the object a name there. The kernel refuses names with dots."""
    name = os.fsencode(path) + b"\0"
    number = fd.number if isinstance(fd, Fd) else fd
    try:
        bpf(Command.OBJ_PIN, ObjectPin(pathname=address_of(name), bpf_fd=number))
    except OSError as error:
        raise explained(f"pin {what} at {path}", error) from None


def unpin(pins: Iterable[Path]) -> None:
    """Take these names away; what is gone already is fine."""
    for each in pins:
        each.unlink(missing_ok=True)


def open_pin(path: Path, what: str) -> Fd:
    """The object of that name; KernelError with ENOENT where there is none."""
    name = os.fsencode(path) + b"\0"
    try:
        return Fd(bpf(Command.OBJ_GET, ObjectPin(pathname=address_of(name))))
    except OSError as error:
        raise explained(f"open the pinned {what} {path}", error) from None


def remove_directory(path: Path) -> None:
    """Unpin what is in a directory, and remove it; fine where it is gone. Directories above stay for others while they hold something."""
    try:
        with _permitted(path):
            for each in sorted(path.iterdir()):
                each.unlink(missing_ok=True)
            path.rmdir()
    except FileNotFoundError:
        return
    except OSError as error:
        raise KernelError(f"cannot remove {path}: {error.strerror}", errno=error.errno or 0) from None


def exchange(one: Path, other: Path) -> None:
    """Two directories take each other's names, at once (Linux 5.16 on); before that, one has none for a moment."""
    names = os.fsencode(one), os.fsencode(other)
    try:
        checked(LIBC.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE))
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise KernelError(f"cannot exchange {one} and {other}: {error.strerror}", errno=error.errno or 0) from None
        aside = one.parent / f"aside-{other.name}"
        os.rename(other, aside)
        os.rename(one, other)
        os.rename(aside, one)


def remove_if_empty(path: Path) -> None:
    try:
        path.rmdir()
    except OSError:
        return  # it holds other attachments, or is gone
