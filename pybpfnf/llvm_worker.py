"""The process that LLVM runs in, and what is said between it and `llvm`, which starts it by this file's path.

It imports nothing of ours, and little else before llvmlite: what it takes to be ready is most of what a command that compiles takes.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

TRIPLE = "bpfel"  # little-endian on each machine: same input, same bytes
CPU = "v3"  # not v4: libbpf 1.1 refuses what LLVM 22 makes of a dense switch there (`gotox`)
OLDEST_LLVM = (20,)  # llvmlite 0.45

OBJECT, TEXT = 1, 2  # requests
DONE, REFUSED, ABSENT = 0, 1, 2  # answers; ABSENT: there is no llvmlite

_OPTIMISATION = 2  # a part of correctness: the verifier refuses what comes out of 0 (offsets reloaded from the stack)
_FRAME = struct.Struct("<BI")  # request or answer, byte count


def send(channel: socket.socket, kind: int, payload: bytes) -> None:
    channel.sendall(_FRAME.pack(kind, len(payload)) + payload)


def receive(channel: socket.socket) -> tuple[int, bytes]:
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


def serve() -> None:
    """Answer requests on file descriptor 0 until its other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's interrupt is for the caller
    channel = socket.socket(fileno=0)
    try:
        binding, machine = initialise()
    except ModuleNotFoundError as error:
        send(channel, ABSENT if error.name == "llvmlite" else REFUSED, str(error).encode())
        return
    except (ImportError, OSError, RuntimeError) as error:
        send(channel, REFUSED, str(error).encode())
        return
    send(channel, DONE, b"")
    while True:
        request, payload = receive(channel)
        try:
            answer = _REQUESTS[request](_optimised(binding, machine, payload.decode()), machine)
        except RuntimeError as error:  # llvmlite's, for IR that does not parse or verify
            send(channel, REFUSED, str(error).encode())
        else:
            send(channel, DONE, answer)


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
    OBJECT: lambda module, machine: bytes(machine.emit_object(module)),
    TEXT: lambda module, machine: str(module).encode(),
}


if __name__ == "__main__":
    sys.path[:] = sys.argv[1:]
    try:
        serve()
    except (EOFError, ConnectionError):
        os._exit(0)  # the caller has gone or needs it no more: nothing is left to put in order
