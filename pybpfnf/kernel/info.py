"""What the kernel tells about loaded programs, and the statistics that it keeps when asked to."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.kernel.attrs import EnableStats, InfoByFd
from pybpfnf.kernel.attrs import ProgramInfo as RawProgramInfo
from pybpfnf.kernel.bpf import Command, Fd, bpf, explained
from pybpfnf.records import dataclass

_STATS_RUN_TIME = 0  # BPF_STATS_RUN_TIME


@final
@dataclass(frozen=True, slots=True)
class ProgramInfo:
    """A loaded program. `tag` is the kernel's digest of its instructions; sizes are bytes; `load_time` is nanoseconds
    since boot; `run_count` and `run_ns` grow only while statistics are on (`statistics`)."""

    id: int
    type: str  # a row of abi.programs, or "type <number>"
    name: str  # as the kernel keeps it: 15 characters
    tag: str
    xlated_size: int
    jited_size: int  # 0 where the program is interpreted
    load_time: int
    map_ids: tuple[int, ...]
    run_count: int
    run_ns: int


def program_info(fd: Fd) -> ProgramInfo:
    """Ask about a program; raises KernelError for a descriptor that is none."""
    raw = _ask(fd, RawProgramInfo())
    ids = (ctypes.c_uint32 * raw.nr_map_ids)()
    raw = _ask(fd, RawProgramInfo(nr_map_ids=raw.nr_map_ids, map_ids=ctypes.addressof(ids)))
    types = {row.id: row.name for row in PROGRAM_TYPES.values()}
    return ProgramInfo(
        id=raw.id,
        type=types.get(raw.type, f"type {raw.type}"),
        name=raw.name.decode(),
        tag=bytes(raw.tag).hex(),
        xlated_size=raw.xlated_prog_len,
        jited_size=raw.jited_prog_len,
        load_time=raw.load_time,
        map_ids=tuple(ids),
        run_count=raw.run_cnt,
        run_ns=raw.run_time_ns,
    )


def _ask(fd: Fd, raw: RawProgramInfo) -> RawProgramInfo:
    attr = InfoByFd(bpf_fd=fd.number, info_len=ctypes.sizeof(raw), info=ctypes.addressof(raw))
    try:
        bpf(Command.OBJ_GET_INFO_BY_FD, attr)
    except OSError as error:
        raise explained("ask about a program", error) from None
    return raw


@contextmanager
def statistics() -> Iterator[None]:
    """While the block runs, the kernel counts runs and run time of all programs (some 20 ns a run); others' use is not disturbed."""
    try:
        fd = Fd(bpf(Command.ENABLE_STATS, EnableStats(type=_STATS_RUN_TIME)))
    except OSError as error:
        raise explained("switch on BPF statistics", error) from None
    with fd:
        yield
