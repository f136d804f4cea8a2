"""ubpf (https://github.com/iovisor/ubpf) where it is installed: its interpreter and its JIT on the same bytes, in a loop of machine code.

The programs read a context of the kernel's, whose addresses have 32 bits: so context and packet lie in the lowest 4 GiB, which
is memory of one piece to ubpf. The interpreter looks at every access, the JIT at none.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import mmap
import os
import struct
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, final

from pybpfnf.abi.codec import encode
from pybpfnf.errors import InputError
from pybpfnf.image.model import ProgramImage
from pybpfnf.vm.native.jit import compile_module

VARIABLE: Final = "UBPF_LIBRARY"
_MAP_32BIT: Final = 0x40  # mmap(2), x86-64
_PACKET_AT: Final = 4096
_DATA, _DATA_END = 76, 80  # in struct __sk_buff

# Both take the address of what is called, of its first arguments and of how often: ubpf_exec's vm, memory, length and place of the result,
# the machine code's memory and length. The first gives 1 where the interpreter says that it has stopped.
_WORDS: Final = ("called", "vm", "memory", "length", "times")
_LOADED: Final = "\n".join(
    f"  %at.{name} = getelementptr i64, ptr %given, i64 {number}\n  %{name} = load i64, ptr %at.{name}"
    for number, name in enumerate(_WORDS)
)
_LOOPS: Final = f"""
define i64 @interpreted(ptr %given) {{
{_LOADED}
  %result = getelementptr i64, ptr %given, i64 {len(_WORDS)}
  %function = inttoptr i64 %called to ptr
  br label %again
again:
  %left = phi i64 [ %times, %0 ], [ %next, %went ]
  %stopped = call i32 %function(i64 %vm, i64 %memory, i64 %length, ptr %result)
  %is_wrong = icmp ne i32 %stopped, 0
  br i1 %is_wrong, label %failed, label %went
went:
  %next = sub i64 %left, 1
  %is_over = icmp eq i64 %next, 0
  br i1 %is_over, label %over, label %again
over:
  ret i64 0
failed:
  ret i64 1
}}

define i64 @jitted(ptr %given) {{
{_LOADED}
  %function = inttoptr i64 %called to ptr
  br label %again
again:
  %left = phi i64 [ %times, %0 ], [ %next, %again ]
  %result = call i64 %function(i64 %memory, i64 %length)
  %next = sub i64 %left, 1
  %is_over = icmp eq i64 %next, 0
  br i1 %is_over, label %over, label %again
over:
  ret i64 0
}}
"""


def find() -> Path | str | None:
    """The library: what UBPF_LIBRARY names, or an installed one; None without."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else ctypes.util.find_library("ubpf")


@final
class Ubpf:
    """A program loaded and compiled by ubpf, with a packet of its own; a context manager. Raises InputError where ubpf refuses."""

    def __init__(self, library: Path | str, program: ProgramImage, packet: bytes) -> None:
        self._calls = _opened(library)
        self._memory = mmap.mmap(-1, _PACKET_AT + len(packet), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_32BIT)
        self._view = (ctypes.c_char * len(self._memory)).from_buffer(self._memory)
        self._packet = packet
        self.reset()
        code = encode(program.insns)
        self._vm = self._calls.ubpf_create()
        said = ctypes.c_char_p()
        loaded = self._calls.ubpf_load(self._vm, code, len(code), ctypes.byref(said)) == 0
        self._machine_code: int = (self._calls.ubpf_compile(self._vm, ctypes.byref(said)) or 0) if loaded else 0
        if not self._machine_code:
            self._release()
            what = "compile" if loaded else "load"
            raise InputError(f"ubpf does not {what} the program: {(said.value or b'').decode(errors='replace')}")

    @property
    def packet(self) -> bytes:
        return self._memory[_PACKET_AT:]

    def reset(self) -> None:
        """The packet as it was given."""
        address = ctypes.addressof(self._view) + _PACKET_AT
        struct.pack_into("<II", self._memory, _DATA, address, address + len(self._packet))
        self._memory[_PACKET_AT:] = self._packet

    def interpreted(self, times: int) -> float:
        """Nanoseconds a run on average, one after the other on the packet as the last one left it."""
        return self._run("interpreted", ctypes.cast(self._calls.ubpf_exec, ctypes.c_void_p).value or 0, times)

    def jitted(self, times: int) -> float:
        """As `interpreted`, of its machine code."""
        return self._run("jitted", self._machine_code, times)

    def _run(self, loop: str, called: int, times: int) -> float:
        given = (ctypes.c_uint64 * (len(_WORDS) + 1))(called, self._vm, ctypes.addressof(self._view), len(self._memory), times)
        go = compile_module(_LOOPS).function(loop)
        began = time.perf_counter_ns()
        stopped = go(ctypes.addressof(given))
        taken = time.perf_counter_ns() - began
        if stopped:
            raise InputError("ubpf's interpreter stopped the program")
        return taken / times

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self._release()

    def _release(self) -> None:
        self._calls.ubpf_destroy(self._vm)
        del self._view
        self._memory.close()


def _opened(library: Path | str) -> Any:
    """ubpf's calls, as vm/inc/ubpf.h declares them. Raises InputError where the file is no such library."""
    try:
        calls = ctypes.CDLL(os.fspath(library))
        calls.ubpf_create.restype = ctypes.c_void_p
        calls.ubpf_destroy.argtypes = (ctypes.c_void_p,)
        calls.ubpf_destroy.restype = None
        calls.ubpf_load.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint32, ctypes.POINTER(ctypes.c_char_p))
        calls.ubpf_compile.argtypes = (ctypes.c_void_p, ctypes.POINTER(ctypes.c_char_p))
        calls.ubpf_compile.restype = ctypes.c_void_p
        _ = calls.ubpf_exec
    except (OSError, AttributeError) as error:
        raise InputError(f"{library} is no libubpf: {error}", hint=f"{VARIABLE} names the shared library, libubpf.so") from None
    return calls
