"""The C library as this package uses it: what Python 3.11 does not offer (syscall, setns, unshare, mount)."""

from __future__ import annotations

import ctypes
import os

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long


def checked(result: int) -> int:
    """The result of a C call; raises OSError with errno for -1."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
