"""LLVM, through llvmlite: IR text in, an optimised module or a BPF object out. The only owner of llvmlite's initialisation.

LLVM's BPF back end answers what it cannot do with exit(1) or abort(), which no caller can catch. So it runs in a worker, a
Python process of its own that is started at the first use and kept (6 ms a module then); its death is an InternalError
with what LLVM said, and the next module gets a new worker. A child by fork() instead would be refused by Python 3.12
in a process with threads, and would keep the caller's file descriptors (BPF programs, routes) alive.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from tempfile import TemporaryFile
from typing import IO, Any, final

from pybpfnf.errors import InternalError, SystemLacksError

TRIPLE = "bpfel"  # little-endian on each machine: same input, same bytes
CPU = "v3"  # not v4: libbpf 1.1 refuses what LLVM 22 makes of a dense switch there (`gotox`)
OLDEST_LLVM = (20,)  # llvmlite 0.45

_OPTIMISATION = 2  # a part of correctness: the verifier refuses what comes out of 0 (offsets reloaded from the stack)
_FRAME = struct.Struct("<BI")  # request or answer, byte count
_OBJECT, _TEXT = 1, 2
_DONE, _REFUSED = 0, 1
_INSTALL = "pip install 'llvmlite>=0.45'"
_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from pybpfnf.llvm import serve; serve()"


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
    return _ask(_OBJECT, text)


def optimised_text(text: str) -> str:
    """The module after LLVM's passes, in text form; raises as `emit_object` does."""
    return _ask(_TEXT, text).decode()


def prepare() -> None:
    """Start the worker, without waiting for it: it loads LLVM while the caller does something else."""
    with _LOCK:
        _worker()


# ------------------------------------------------------------------------------------------------ the caller's side


@final
@dataclass(slots=True)
class _Worker:
    """`owner` is the process that started it: none is shared across a fork."""

    owner: int
    pid: int
    channel: socket.socket
    said: IO[bytes]  # what the worker writes to stdout and stderr
    ready: bool = False


_LOCK = threading.Lock()
_KEPT: list[_Worker] = []  # the worker of this process, or of the one that it was forked from, or none


def _worker() -> _Worker:
    if _KEPT and _KEPT[0].owner != os.getpid():
        _let_go(_KEPT.pop())
    if not _KEPT:
        _KEPT.append(_start())
    return _KEPT[0]


def _start() -> _Worker:
    if find_spec("llvmlite") is None:
        raise SystemLacksError("compiling needs the Python package llvmlite, which is not installed", hint=_INSTALL)
    if not sys.executable:
        raise SystemLacksError("compiling needs a Python interpreter to run LLVM in, and sys.executable names none")
    ours, theirs = socket.socketpair()
    said = TemporaryFile()  # noqa: SIM115 (lives as long as the worker)
    with theirs:
        files = [(os.POSIX_SPAWN_DUP2, source, target) for source, target in ((theirs.fileno(), 0), (said.fileno(), 1), (said.fileno(), 2))]
        path = json.dumps([os.path.abspath(entry) for entry in sys.path])
        pid = os.posix_spawn(sys.executable, [sys.executable, "-c", _START, path], os.environ, file_actions=files)
    return _Worker(os.getpid(), pid, ours, said)


def _ask(request: int, text: str) -> bytes:
    with _LOCK:
        worker = _worker()
        try:
            _await_ready(worker)
            _send(worker.channel, request, text.encode())
            answer, payload = _receive(worker.channel)
            complaint = _said(worker)
        except (EOFError, ConnectionError):
            end, last_words = _stop(worker)
            raise LlvmDiedError(f"LLVM died ({end}) of a module that it was given: {last_words}", last_words) from None
        except BaseException:
            _stop(worker)  # its next answer would be taken for that to the next question
            raise
    if answer == _REFUSED:
        raise InternalError(f"LLVM refuses a module that it was given: {payload.decode()}")
    if complaint:
        # For instance "ignoring invalid debug info": the object would lack its BTF.
        raise InternalError(f"LLVM complains about a module that it was given: {complaint}")
    return payload


def _await_ready(worker: _Worker) -> None:
    if not worker.ready:
        answer, payload = _receive(worker.channel)
        if answer == _REFUSED:
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
def _stop_at_exit() -> None:
    with _LOCK:
        for worker in list(_KEPT):
            if worker.owner == os.getpid():
                _stop(worker)
            else:
                _let_go(worker)


def _send(channel: socket.socket, kind: int, payload: bytes) -> None:
    channel.sendall(_FRAME.pack(kind, len(payload)) + payload)


def _receive(channel: socket.socket) -> tuple[int, bytes]:
    """One frame; EOFError at the end of the stream."""
    kind, size = _FRAME.unpack(_receive_exactly(channel, _FRAME.size))
    return kind, _receive_exactly(channel, size)


def _receive_exactly(channel: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = channel.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)


# ------------------------------------------------------------------------------------------------ the worker's side


def serve() -> None:
    """The worker: answer requests on file descriptor 0 until its other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's interrupt is for the caller
    with socket.socket(fileno=0) as channel, suppress(EOFError, ConnectionError):
        try:
            binding, machine = initialise()
        except (ImportError, OSError, RuntimeError) as error:
            _send(channel, _REFUSED, str(error).encode())
            return
        _send(channel, _DONE, b"")
        while True:
            request, payload = _receive(channel)
            try:
                answer = _REQUESTS[request](_optimised(binding, machine, payload.decode()), machine)
            except RuntimeError as error:  # llvmlite's, for IR that does not parse or verify
                _send(channel, _REFUSED, str(error).encode())
            else:
                _send(channel, _DONE, answer)


def initialise() -> tuple[Any, Any]:
    """llvmlite's binding with the BPF target ready, and a target machine. To be called in a process that LLVM may end."""
    import llvmlite.binding as binding  # here: only the worker pays for it (80 ms), and only where it is installed

    if binding.llvm_version_info < OLDEST_LLVM:
        version = ".".join(map(str, binding.llvm_version_info))
        raise RuntimeError(f"it has LLVM {version}; version {OLDEST_LLVM[0]} is the oldest that works")
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    target = binding.Target.from_triple(TRIPLE)
    # The feature allows-misaligned-mem-access is not asked for: with it LLVM merges byte stores to the stack into wider
    # misaligned ones, which the verifier refuses. Loads from the packet claim their natural alignment instead, as clang's do.
    return binding, target.create_target_machine(cpu=CPU, opt=_OPTIMISATION)


def _optimised(binding: Any, machine: Any, text: str) -> Any:
    module = binding.parse_assembly(text)
    module.data_layout = str(machine.target_data)
    module.verify()
    tuning = binding.create_pipeline_tuning_options(speed_level=_OPTIMISATION)
    builder = binding.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(module, builder)
    return module


_REQUESTS: Mapping[int, Callable[[Any, Any], bytes]] = {
    _OBJECT: lambda module, machine: bytes(machine.emit_object(module)),
    _TEXT: lambda module, machine: str(module).encode(),
}
