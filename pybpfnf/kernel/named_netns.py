"""Network namespaces with names, as `ip netns` has them: each is a mount of the kernel's own file of it (ip-netns(8))."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

from pybpfnf.errors import InputError
from pybpfnf.kernel.bpf import Fd
from pybpfnf.kernel.libc import LIBC, checked
from pybpfnf.kernel.netns import Namespace, refused

DIRECTORY = Path("/run/netns")
_MS_BIND, _MS_REC, _MS_SHARED = 4096, 16384, 1 << 20
_MNT_DETACH = 2


def create_namespace(name: str) -> Namespace:
    """A new namespace, which lives on under its name. Raises InputError where there is one of that name."""
    path = DIRECTORY / name
    try:
        _prepare_directory()
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0))
    except FileExistsError:
        raise InputError(f"there is a network namespace {name} already") from None
    except OSError as error:
        raise refused(f"make the network namespace {name}", error) from None
    try:
        namespace = Namespace()
        try:
            _mount(namespace.path, path, _MS_BIND)
        except BaseException:
            namespace.close()
            raise
    except OSError as error:
        path.unlink(missing_ok=True)
        raise refused(f"make the network namespace {name}", error) from None
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return namespace


def open_namespace(name: str) -> Namespace:
    """Raises InputError where there is none."""
    try:
        return Namespace(Fd(os.open(DIRECTORY / name, os.O_RDONLY | os.O_CLOEXEC)))
    except FileNotFoundError:
        raise InputError(f"there is no network namespace {name}") from None
    except OSError as error:
        raise refused(f"open the network namespace {name}", error) from None


def namespace_names() -> list[str]:
    """All that have a name; also one that was not finished, or whose mount is gone."""
    try:
        return sorted(each.name for each in DIRECTORY.iterdir())
    except FileNotFoundError:
        return []


def is_namespace(name: str) -> bool:
    """Whether a namespace is mounted there: else the name alone is left of one."""
    try:
        return os.stat(DIRECTORY / name).st_dev == os.stat("/proc/self/ns/net").st_dev
    except OSError:
        return False


def inode_of(name: str) -> int | None:
    """The number by which the kernel tells the namespace from others; None where there is none of that name."""
    try:
        return os.stat(DIRECTORY / name).st_ino
    except OSError:
        return None


def remove_name(name: str) -> None:
    """The namespace ends once nothing else is in it. Fine where it is gone."""
    path = DIRECTORY / name
    try:
        checked(LIBC.umount2(os.fsencode(path), _MNT_DETACH))
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOENT):  # it is no mount: a name alone
            raise refused(f"remove the network namespace {name}", error) from None
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise refused(f"remove the network namespace {name}", error) from None


def _prepare_directory() -> None:
    """As iproute2: what is mounted there is seen, and goes, in every mount namespace that shares this one's mounts."""
    DIRECTORY.mkdir(mode=0o755, parents=True, exist_ok=True)
    try:
        _mount("", DIRECTORY, _MS_SHARED | _MS_REC)
    except OSError as error:
        if error.errno != errno.EINVAL:  # not: it is no mount yet
            raise
        _mount(str(DIRECTORY), DIRECTORY, _MS_BIND | _MS_REC)
        _mount("", DIRECTORY, _MS_SHARED | _MS_REC)


def _mount(source: str, target: Path, flags: int) -> None:
    checked(LIBC.mount(os.fsencode(source), os.fsencode(target), b"none", ctypes.c_ulong(flags), None))
