"""The process that tests run in: its open files, and a child without rights."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from pybpfnf.errors import Error


def descriptors() -> set[str]:
    """The open files of this process, as what they are."""
    return {f"{name}:{os.readlink(f'/proc/self/fd/{name}')}" for name in os.listdir("/proc/self/fd") if _is_open(name)}


def _is_open(name: str) -> bool:
    return Path(f"/proc/self/fd/{name}").is_symlink()


def as_nobody(action: Callable[[], object]) -> str:
    """What the action raises in a child process without rights."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgid(65534)
        os.setuid(65534)
        try:
            action()
            text = "nothing"
        except Error as error:
            text = f"{type(error).__name__}: {error.message}; {(error.hint or '').partition(' (kernel.')[0]}"
        finally:
            os.write(writer, text.encode())
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        text = answer.read().decode()
    os.waitpid(child, 0)
    return text
