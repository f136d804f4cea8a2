"""LLVM, through llvmlite: IR text in, an optimised module or a BPF object out.

LLVM's BPF back end answers what it cannot do with exit(1) or abort(), which no caller can catch. So it runs in a worker, a
Python process of its own (`llvm_worker`) that is started at the first use and kept (6 ms a module then); its death is an InternalError
with what LLVM said, and the next module gets a new worker. A child by fork() instead would be refused by Python 3.12
in a process with threads, and would keep the caller's file descriptors (BPF programs, routes) alive.

The imports here are few: `start_llvm` is called first of all, so that the worker loads LLVM while the command imports the rest.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from typing import IO, final

from pybpfnf import llvm_worker
from pybpfnf.errors import InternalError, SystemLacksError
from pybpfnf.llvm_worker import ABSENT, OBJECT, REFUSED, TEXT, receive, send

TRIPLE = llvm_worker.TRIPLE
_INSTALL = "pip install 'llvmlite>=0.45'"


@final
class LlvmDiedError(InternalError):
    """LLVM has ended its process; `said` is what it wrote before."""

    def __init__(self, message: str, said: str) -> None:
        super().__init__(message)
        self.said = said


def emit_object(text: str) -> bytes:
    """The ELF object of a module in LLVM's text form, optimised, with BTF and DWARF where it has debug metadata.

    Raises InternalError when LLVM refuses the module or complains, LlvmDiedError when it dies, SystemLacksError without llvmlite.
    """
    return _ask(OBJECT, text)


def optimised_text(text: str) -> str:
    """The module after LLVM's passes, in text form; raises as `emit_object` does."""
    return _ask(TEXT, text).decode()


def start_llvm() -> None:
    """Start the worker, without waiting for it: it loads LLVM while the caller does something else.

    Raises SystemLacksError without an interpreter for it.
    """
    with _LOCK:
        _worker()


# ------------------------------------------------------------------------------------------------ the caller's side


@final
class _Worker:
    """`owner` is the process that started it: none is shared across a fork. `said`: what it writes to stdout and stderr."""

    __slots__ = ("channel", "owner", "pid", "ready", "said")

    def __init__(self, pid: int, channel: socket.socket, said: IO[bytes]) -> None:
        self.owner = os.getpid()
        self.pid = pid
        self.channel = channel
        self.said = said
        self.ready = False


_LOCK = threading.Lock()
_KEPT: list[_Worker] = []  # the worker of this process, or of the one that it was forked from, or none


def _worker() -> _Worker:
    if _KEPT and _KEPT[0].owner != os.getpid():
        _let_go(_KEPT.pop())
    if not _KEPT:
        _KEPT.append(_start())
    return _KEPT[0]


def _start() -> _Worker:
    if not sys.executable:
        raise SystemLacksError("compiling needs a Python interpreter to run LLVM in, and sys.executable names none")
    ours, theirs = socket.socketpair()
    said = _log()
    with theirs:
        files = [(os.POSIX_SPAWN_DUP2, source, target) for source, target in ((theirs.fileno(), 0), (said.fileno(), 1), (said.fileno(), 2))]
        # The worker is told where to look for modules, so it need not look through site-packages for that (-S), and must not look
        # beside itself (-P), where our `types` would be taken for the standard library's.
        command = [sys.executable, "-S", "-P", llvm_worker.__file__, *map(os.path.abspath, sys.path)]
        pid = os.posix_spawn(sys.executable, command, os.environ, file_actions=files)
    return _Worker(pid, ours, said)


def _log() -> IO[bytes]:
    """A file without a name."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("llvm"), "w+b")
    from tempfile import TemporaryFile  # here: it costs more than starting the worker

    return TemporaryFile()


def _ask(request: int, text: str) -> bytes:
    with _LOCK:
        worker = _worker()
        try:
            _await_ready(worker)
            send(worker.channel, request, text.encode())
            answer, payload = receive(worker.channel)
            complaint = _said(worker)
        except (EOFError, ConnectionError):
            end, last_words = _stop(worker)
            raise LlvmDiedError(f"LLVM died ({end}) of a module that it was given: {last_words}", last_words) from None
        except BaseException:
            # Its next answer would be taken for that to the next question, and it may be at this one for minutes.
            os.kill(worker.pid, signal.SIGKILL)
            _stop(worker)
            raise
    if answer == REFUSED:
        raise InternalError(f"LLVM refuses a module that it was given: {payload.decode()}")
    if complaint:
        # For instance "ignoring invalid debug info": the object would lack its BTF.
        raise InternalError(f"LLVM complains about a module that it was given: {complaint}")
    return payload


def _await_ready(worker: _Worker) -> None:
    if not worker.ready:
        answer, payload = receive(worker.channel)
        if answer == ABSENT:
            raise SystemLacksError("compiling needs the Python package llvmlite, which is not installed", hint=_INSTALL)
        if answer == REFUSED:
            raise SystemLacksError(f"llvmlite cannot be used: {payload.decode()}", hint=_INSTALL)
        _said(worker)  # warnings of imports are none of the module's
        worker.ready = True


def _said(worker: _Worker) -> str:
    """What the worker has written since the last question."""
    worker.said.seek(0)
    text = worker.said.read().decode(errors="replace").strip()
    worker.said.seek(0)
    worker.said.truncate()
    return text


def _stop(worker: _Worker) -> tuple[str, str]:
    """End the worker; gives how it ended, and what it said."""
    _KEPT.remove(worker)
    # Closing alone would not end it where a child of this process has inherited the socket.
    with suppress(OSError):
        worker.channel.shutdown(socket.SHUT_RDWR)
    _, status = os.waitpid(worker.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    said = _said(worker)
    _let_go(worker)
    return f"signal {-code}" if code < 0 else f"exit status {code}", said


def _let_go(worker: _Worker) -> None:
    """Close what this process has of it; a worker of the process that this one was forked from lives on."""
    worker.channel.close()
    worker.said.close()


@atexit.register
def stop_llvm() -> None:
    """End the worker, if there is one; the next module gets a new one."""
    with _LOCK:
        for worker in list(_KEPT):
            if worker.owner == os.getpid():
                os.kill(worker.pid, signal.SIGKILL)  # it has nothing to put in order, and may still be loading LLVM
                _stop(worker)
            else:
                _let_go(worker)
