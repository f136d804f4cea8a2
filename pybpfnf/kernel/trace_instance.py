"""Instances of the kernel's trace of our own (Documentation/trace/ftrace.rst, Instances).

Who reads /sys/kernel/tracing/trace_pipe misses nothing by them. They outlive a process that is killed, so each new one first removes
those that dead processes have left.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Self, final

from pybpfnf.kernel.bpf import Fd, explained
from pybpfnf.kernel.libc import LIBC, checked
from pybpfnf.records import dataclass

_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432  # the numbers are one on all machines
_CONFIG_CREATE = 6  # FSCONFIG_CMD_CREATE
_INSTANCES = "instances"
_NAME = re.compile(r"pybpfnf-(?P<pid>\d+)-\d+")
_LINE = re.compile(r"^ *(?P<task>.*?)-(?P<pid>\d+) +\[\d+\][^\n]*?: (?P<event>\w+): (?P<text>[^\n]*)$", re.M)
_READ_SIZE = 1 << 16
_numbers = itertools.count()


@final
@dataclass(frozen=True, slots=True)
class TraceLine:
    """One event as the kernel writes it out; `pid` as the trace calls the thread, whatever the thread's own PID namespace does."""

    task: str
    pid: str
    event: str
    text: str


@final
class TraceInstance:
    """An instance in which `events` ("skb/kfree_skb") are on, and `marks` of our own. Raises KernelError and SystemLacksError."""

    def __init__(self, events: Iterable[str], *, kilobytes: int | None = None) -> None:
        """`kilobytes`: room for events, for each CPU; the kernel's own measure where None is given."""
        self._name = f"{_INSTANCES}/pybpfnf-{os.getpid()}-{next(_numbers)}"
        self._owner = os.getpid()
        try:
            self._root = _tracefs()
            _remove_leftovers(self._root)
            os.mkdir(self._name, dir_fd=self._root.number)
        except OSError as error:
            raise explained("make an instance of the kernel's trace", error) from None
        try:
            if kilobytes is not None:
                self._write("buffer_size_kb", b"%d" % kilobytes)
            for event in events:
                self._write(f"events/{event}/enable", b"1")
            with ExitStack() as opened:  # an instance with a file open stays
                self._marker = opened.enter_context(Fd(self._open("trace_marker", os.O_WRONLY)))
                self._pipe = opened.enter_context(Fd(self._open("trace_pipe", os.O_RDONLY | os.O_NONBLOCK)))
                opened.pop_all()
        except OSError as error:
            self._remove()
            raise explained("read the kernel's trace", error) from None

    def mark(self, text: bytes) -> None:
        """An event `tracing_mark_write` of this thread."""
        os.write(self._marker.number, text)

    def read(self) -> list[TraceLine]:
        """What has happened since it was last read, oldest first, as far as there was room for it."""
        data = bytearray()
        with suppress(BlockingIOError):
            while piece := os.read(self._pipe.number, _READ_SIZE):
                data += piece
        found = _LINE.finditer(data.decode("ascii", errors="replace"))
        return [TraceLine(line["task"], line["pid"], line["event"], line["text"]) for line in found]

    def close(self) -> None:
        self._pipe.close()
        self._marker.close()
        self._remove()

    def _open(self, name: str, flags: int) -> int:
        return os.open(f"{self._name}/{name}", flags | os.O_CLOEXEC, dir_fd=self._root.number)

    def _write(self, name: str, data: bytes) -> None:
        with Fd(self._open(name, os.O_WRONLY)) as file:
            os.write(file.number, data)

    def _remove(self) -> None:
        if self._owner == os.getpid():  # and not a child that has it by fork
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


def _remove_leftovers(root: Fd) -> None:
    """Instances of processes that are no more. One of a process in another PID namespace, which looks so too, is busy and stays."""
    with Fd(os.open(_INSTANCES, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root.number)) as directory:
        for name in os.listdir(directory.number):
            made = _NAME.fullmatch(name)
            if made is not None and not os.path.exists(f"/proc/{made['pid']}"):
                with suppress(OSError):
                    os.rmdir(name, dir_fd=directory.number)
