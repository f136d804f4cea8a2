"""BPF_PROG_TEST_RUN: a loaded program on given bytes, without a packet on any device.

Not for lwt_seg6local (the kernel answers ENOTSUPP): pybpfnf.kernel.runner is for that.
"""

from __future__ import annotations

import ctypes
import errno
from typing import final

from pybpfnf.errors import SystemLacksError
from pybpfnf.kernel.attrs import TestRun
from pybpfnf.kernel.bpf import Command, bpf, explained
from pybpfnf.kernel.load import LoadedProgram, program_type
from pybpfnf.kernel.maps import address_of
from pybpfnf.kernel.refuse import refuse_trial_run
from pybpfnf.records import dataclass

_ENOTSUPP = 524  # the kernel's own, not in errno.h
_ROOM = 1 << 14  # bytes that a program may add: a helper lengthens no packet to more (SKB_MAX_ALLOC)


@final
@dataclass(frozen=True, slots=True)
class TrialRun:
    """`value` is r0, 32 bits; `data` and `context` as the last run left them; `duration` nanoseconds a run, on average."""

    value: int
    data: bytes
    context: bytes
    duration: int


def trial_run(loaded: LoadedProgram, data: bytes, *, repeat: int = 1, context: bytes = b"", type_name: str | None = None) -> TrialRun:
    """Run on `data`, an Ethernet frame. For the lightweight-tunnel hooks the program sees what follows the 14 bytes; these come back as
    zeros. What comes back of XDP begins with its metadata.

    `context` is a struct __sk_buff or xdp_md, of which the kernel takes only some fields (net/bpf/test_run.c, convert___skb_to_skb).
    Raises CompileError for a program that must not be run so, SystemLacksError where its type cannot be.
    """
    row = program_type(loaded.program, type_name)
    refuse_trial_run(loaded.program, row)
    data_out = ctypes.create_string_buffer(len(data) + _ROOM)
    context_out = ctypes.create_string_buffer(len(context))
    attr = TestRun(
        prog_fd=loaded.fd.number,
        data_size_in=len(data),
        data_size_out=len(data_out),
        data_in=address_of(data),
        data_out=address_of(data_out),
        repeat=repeat,
        ctx_size_in=len(context),
        ctx_size_out=len(context),
        ctx_in=address_of(context) if context else 0,
        ctx_out=address_of(context_out) if context else 0,
    )
    try:
        bpf(Command.PROG_TEST_RUN, attr)
    except OSError as error:
        if error.errno in (_ENOTSUPP, errno.EOPNOTSUPP):
            raise SystemLacksError(f"the kernel has no test run for {row.name}", hint="run it on a route: KernelRunner") from None
        raise explained(f"test-run program {loaded.program.name}", error) from None
    return TrialRun(attr.retval, data_out.raw[: attr.data_size_out], context_out.raw[: attr.ctx_size_out], attr.duration)
