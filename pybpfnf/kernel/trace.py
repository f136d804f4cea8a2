"""The lines that programs write to the kernel's trace, read from an instance of our own (Documentation/trace/ftrace.rst, Instances).

`bpf_trace_printk` is a trace event since Linux 5.9, so an instance has its lines too, and who reads /sys/kernel/tracing/trace_pipe
misses none.
"""

from __future__ import annotations

import itertools
import os
import re
from types import TracebackType
from typing import Self, final

from pybpfnf.image.model import ProgramImage
from pybpfnf.kernel.bpf import Fd, explained
from pybpfnf.kernel.libc import LIBC, checked
from pybpfnf.kernel.refuse import calls

_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432  # the numbers are one on all machines
_CONFIG_CREATE = 6  # FSCONFIG_CMD_CREATE
_EVENT = "events/bpf_trace/bpf_trace_printk/enable"
_LINE = re.compile(
    r"^ *(?P<task>.*?)-(?P<pid>\d+) +\[\d+\][^\n]*?: (?P<event>bpf_trace_printk|tracing_mark_write): (?P<text>[^\n]*)$", re.M
)
_DEFERRED = "ksoftirqd/"  # the kernel's own task, where the packets of a busy CPU end up
_SPEAKERS = ("trace_printk", "trace_vprintk")
_READ_SIZE = 1 << 16
_numbers = itertools.count()


def speaks(program: ProgramImage) -> bool:
    """Whether a program writes to the trace."""
    return any(calls(insn, helper) for insn in program.insns for helper in _SPEAKERS)


@final
class Trace:
    """What programs say from here on about packets that this thread sends. Where the kernel has put packets off, others are heard too."""

    def __init__(self) -> None:
        self._name = f"instances/pybpfnf-{os.getpid()}-{next(_numbers)}"
        try:
            self._root = _tracefs()
            os.mkdir(self._name, dir_fd=self._root.number)
        except OSError as error:
            raise explained("make an instance of the kernel's trace", error) from None
        try:
            self._write(_EVENT, b"1")
            self._pipe = Fd(self._open("trace_pipe", os.O_RDONLY | os.O_NONBLOCK))
        except OSError as error:
            self._remove()
            raise explained("read the kernel's trace", error) from None

    def read(self) -> list[str]:
        """The lines since it was last read, in the thread that sent the packets."""
        self._write("trace_marker", b"read")  # says how the trace calls this thread, whatever its own PID namespace does
        data = bytearray()
        try:
            while piece := os.read(self._pipe.number, _READ_SIZE):
                data += piece
        except BlockingIOError:
            pass
        lines = list(_LINE.finditer(data.decode("ascii", errors="replace")))
        own = next((line["pid"] for line in reversed(lines) if line["event"] == "tracing_mark_write"), None)
        said = (line for line in lines if line["event"] == "bpf_trace_printk")
        return [line["text"] for line in said if line["pid"] == own or line["task"].startswith(_DEFERRED)]

    def close(self) -> None:
        self._pipe.close()
        self._remove()

    def _open(self, name: str, flags: int) -> int:
        return os.open(f"{self._name}/{name}", flags | os.O_CLOEXEC, dir_fd=self._root.number)

    def _write(self, name: str, data: bytes) -> None:
        with Fd(self._open(name, os.O_WRONLY)) as file:
            os.write(file.number, data)

    def _remove(self) -> None:
        os.rmdir(self._name, dir_fd=self._root.number)
        self._root.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.close()


def _tracefs() -> Fd:
    """The root of tracefs, mounted nowhere."""
    with Fd(checked(int(LIBC.syscall(_FSOPEN, b"tracefs", 1)))) as context:  # FSOPEN_CLOEXEC
        checked(int(LIBC.syscall(_FSCONFIG, context.number, _CONFIG_CREATE, None, None, 0)))
        return Fd(checked(int(LIBC.syscall(_FSMOUNT, context.number, 1, 0))))  # FSMOUNT_CLOEXEC
