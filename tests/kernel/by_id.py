"""Programs and maps by the number that the kernel gave them: how a test sees what is there still, without a descriptor of its own."""

from __future__ import annotations

import ctypes

from pybpfnf.kernel.bpf import Command, Fd, bpf, explained


class _GetById(ctypes.Structure):
    """union bpf_attr of BPF_*_GET_FD_BY_ID."""

    _fields_ = [("id", ctypes.c_uint32), ("next_id", ctypes.c_uint32), ("open_flags", ctypes.c_uint32)]


def program_by_id(program_id: int) -> Fd:
    """A descriptor of the program with that id; KernelError with ENOENT where there is none."""
    return _by_id(Command.PROG_GET_FD_BY_ID, program_id, "program")


def map_by_id(map_id: int) -> Fd:
    """A descriptor of the map with that id; KernelError with ENOENT where there is none."""
    return _by_id(Command.MAP_GET_FD_BY_ID, map_id, "map")


def _by_id(command: Command, number: int, what: str) -> Fd:
    try:
        return Fd(bpf(command, _GetById(id=number)))
    except OSError as error:
        raise explained(f"open the {what} with id {number}", error) from None
