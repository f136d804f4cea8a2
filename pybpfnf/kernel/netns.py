"""Network namespaces. One without a name lives as long as its descriptor, so that nothing is left behind however a process ends."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, final

from pybpfnf.errors import Error, KernelError, SystemLacksError
from pybpfnf.kernel.bpf import Fd
from pybpfnf.kernel.libc import LIBC, checked

_CLONE_NEWNET = 0x40000000
_CURRENT = "/proc/thread-self/ns/net"
_SYSCTLS = Path("/proc/sys/net")


@final
class Namespace:
    """A new, empty network namespace, or the one of a descriptor. Close it, or use it as a context manager."""

    def __init__(self, existing: Fd | None = None) -> None:
        self._fd = _new_namespace() if existing is None else existing

    @property
    def fd(self) -> Fd:
        return self._fd

    @property
    def path(self) -> str:
        """Where other programs can enter it while it is open: `nsenter --net=PATH`."""
        return f"/proc/{os.getpid()}/fd/{self._fd.number}"

    @property
    def inode(self) -> int:
        return os.fstat(self._fd.number).st_ino

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Within the block this thread is in the namespace; sockets that it makes stay there, other threads are where they were."""
        before = Fd(os.open(_CURRENT, os.O_RDONLY | os.O_CLOEXEC))
        with before:
            _enter(self._fd)
            try:
                yield
            finally:
                _enter(before)

    def close(self) -> None:
        """Let go of it: its devices and routes vanish once nothing else is in it."""
        self._fd.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.close()


def current_inode() -> int:
    """The number of this thread's network namespace, by which the kernel tells them apart while they live."""
    return os.stat(_CURRENT).st_ino


def _new_namespace() -> Fd:
    """A thread of its own leaves for a new namespace and ends, so that no thread that goes on is ever in the wrong one."""
    result: list[Fd | OSError] = []

    def leave() -> None:
        try:
            checked(LIBC.unshare(_CLONE_NEWNET))
            result.append(Fd(os.open(_CURRENT, os.O_RDONLY | os.O_CLOEXEC)))
        except OSError as error:
            result.append(error)

    thread = threading.Thread(target=leave, name="new network namespace")
    thread.start()
    thread.join()
    if isinstance(result[0], OSError):
        raise refused("make a network namespace", result[0])
    return result[0]


def _enter(namespace: Fd) -> None:
    try:
        checked(LIBC.setns(namespace.number, _CLONE_NEWNET))
    except OSError as error:
        raise refused("enter a network namespace", error) from None


def refused(attempt: str, error: OSError) -> Error:
    """What to raise where the kernel does not let one handle namespaces."""
    if isinstance(error, PermissionError):
        return SystemLacksError(f"not permitted to {attempt}", hint="run as root, or with the capability CAP_SYS_ADMIN")
    return KernelError(f"cannot {attempt}: {error.strerror}", errno=error.errno or 0)


def set_sysctl(name: str, value: int) -> None:
    """Set `net.<name>` in this thread's namespace; slashes between the parts (`ipv6/conf/all/forwarding`), for device names have dots."""
    path = _SYSCTLS / name
    try:
        path.write_text(f"{value}\n")
    except FileNotFoundError:
        hint = "is it built with CONFIG_IPV6_SEG6_LWTUNNEL?" if "seg6" in name else None
        raise SystemLacksError(f"this kernel has no sysctl {_dotted(name)}", hint=hint) from None
    except OSError as error:
        raise KernelError(f"cannot set {_dotted(name)} to {value}: {error.strerror}", errno=error.errno or 0) from None


def sysctl(name: str) -> int | None:
    """The value of `net.<name>` in this thread's namespace, None where the kernel has none."""
    try:
        return int((_SYSCTLS / name).read_text())
    except FileNotFoundError:
        return None


def _dotted(name: str) -> str:
    return "net." + name.replace("/", ".")
