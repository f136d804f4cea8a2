"""The lines that programs write to the kernel's trace: `bpf_trace_printk` is a trace event since Linux 5.9."""

from __future__ import annotations

from types import TracebackType
from typing import Self, final

from pybpfnf.image.model import ProgramImage
from pybpfnf.kernel.refuse import calls
from pybpfnf.kernel.trace_instance import TraceInstance

_EVENT = "bpf_trace_printk"
_DEFERRED = "ksoftirqd/"  # the kernel's own task, where the packets of a busy CPU end up
_SPEAKERS = ("trace_printk", "trace_vprintk")


def speaks(program: ProgramImage) -> bool:
    """Whether a program writes to the trace."""
    return any(calls(insn, helper) for insn in program.insns for helper in _SPEAKERS)


@final
class Trace:
    """What programs say from here on about packets that this thread sends. Where the kernel has put packets off, others are heard too."""

    def __init__(self) -> None:
        self._instance = TraceInstance([f"bpf_trace/{_EVENT}"])

    def read(self) -> list[str]:
        """The lines since it was last read, in the thread that sent the packets."""
        self._instance.mark(b"read")  # says how the trace calls this thread
        lines = self._instance.read()
        own = next((line.pid for line in reversed(lines) if line.event == "tracing_mark_write"), None)
        said = (line for line in lines if line.event == _EVENT)
        return [line.text for line in said if line.pid == own or line.task.startswith(_DEFERRED)]

    def close(self) -> None:
        self._instance.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.close()
