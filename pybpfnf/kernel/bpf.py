"""The bpf(2) system call: one function, and what its errors mean to a user."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import sys
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Self, final

from pybpfnf.errors import Error, KernelError, SystemLacksError
from pybpfnf.kernel.libc import LIBC, checked

# __NR_bpf: arch/*/entry/syscalls, and include/uapi/asm-generic/unistd.h for the machines that share one table.
_NUMBERS = {
    "x86_64": 321, "aarch64": 280, "riscv64": 280, "loongarch64": 280, "ppc64le": 361, "s390x": 351, "armv7l": 386, "i686": 357,
}  # fmt: skip
_UNPRIVILEGED = Path("/proc/sys/kernel/unprivileged_bpf_disabled")
_RETRIES = 5  # BPF_PROG_LOAD answers EAGAIN when a signal interrupts the verifier


class Command(IntEnum):
    """enum bpf_cmd."""

    MAP_CREATE = 0
    MAP_LOOKUP_ELEM = 1
    MAP_UPDATE_ELEM = 2
    MAP_DELETE_ELEM = 3
    MAP_GET_NEXT_KEY = 4
    PROG_LOAD = 5
    OBJ_PIN = 6
    OBJ_GET = 7
    PROG_TEST_RUN = 10
    PROG_GET_FD_BY_ID = 13
    MAP_GET_FD_BY_ID = 14
    OBJ_GET_INFO_BY_FD = 15
    BTF_LOAD = 18
    MAP_LOOKUP_AND_DELETE_ELEM = 21
    MAP_FREEZE = 22
    LINK_CREATE = 28
    ENABLE_STATS = 32


def bpf(command: Command, attr: ctypes.Structure) -> int:
    """Make the call; the result is a file descriptor or 0. Raises OSError, which `explained` turns into one for users."""
    machine = platform.machine()
    number = _NUMBERS.get(machine)
    if number is None or sys.byteorder != "little":
        raise SystemLacksError(f"the system call bpf() is not known on the machine type {machine}")
    for attempt in range(_RETRIES):
        result = LIBC.syscall(number, int(command), ctypes.byref(attr), ctypes.sizeof(attr))
        if result != -1 or ctypes.get_errno() != errno.EAGAIN or attempt == _RETRIES - 1:
            break
    return checked(int(result))


def explained(attempt: str, error: OSError) -> Error:
    """What to raise when `attempt` ("create map counters") failed with `error`."""
    number = error.errno or 0
    if number in (errno.EPERM, errno.EACCES):
        return SystemLacksError(f"not permitted to {attempt}", hint=_privileges())
    if number == errno.ENOSYS:
        return SystemLacksError(f"cannot {attempt}: this kernel has no bpf() system call (CONFIG_BPF_SYSCALL)")
    return KernelError(f"cannot {attempt}: {os.strerror(number)}", errno=number)


def _privileges() -> str:
    if os.geteuid() != 0:
        return "run as root, or with the capabilities CAP_BPF and CAP_NET_ADMIN" + _unprivileged()
    return "root is not enough here: the container or a security module withholds CAP_BPF and CAP_NET_ADMIN"


def _unprivileged() -> str:
    try:
        value = _UNPRIVILEGED.read_text().strip()
    except OSError:
        return ""
    return "" if value == "0" else f" (kernel.unprivileged_bpf_disabled is {value})"


@final
class Fd:
    """The owner of a file descriptor: closes it once, on `close`, at the end of a `with`, or at last when collected."""

    __slots__ = ("_number",)

    def __init__(self, number: int) -> None:
        self._number = number

    @property
    def number(self) -> int:
        if self._number < 0:
            raise ValueError("this file descriptor is closed")
        return self._number

    @property
    def closed(self) -> bool:
        return self._number < 0

    def close(self) -> None:
        number, self._number = self._number, -1
        if number >= 0:
            os.close(number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()
