"""Packets that the kernel makes itself: an XDP program that is run on live frames (BPF_F_TEST_XDP_LIVE_FRAMES, Linux 5.18).

The frames' pages come back when a packet is freed, as it was then, so the program writes each anew; and Python is called once for
thousands of packets.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self, final

from pybpfnf.abi.text import parse
from pybpfnf.errors import InputError
from pybpfnf.image.model import ObjectImage, ProgramImage
from pybpfnf.kernel.attrs import TestRun
from pybpfnf.kernel.bpf import Command, bpf, explained
from pybpfnf.kernel.load import LoadedProgram, load_program

_LIVE_FRAMES = 1 << 1  # BPF_F_TEST_XDP_LIVE_FRAMES
_BATCH = 64  # frames between which the kernel does what they set off: NAPI's own budget
_XDP_DROP = 1
_REDIRECT, _GET_PRANDOM_U32 = 23, 7
_WORD = 4


class _LiveRun(ctypes.Structure):
    """The BPF_PROG_TEST_RUN part of union bpf_attr, up to the size of a batch (include/uapi/linux/bpf.h)."""

    _fields_ = [*TestRun._fields_, ("flags", ctypes.c_uint32), ("cpu", ctypes.c_uint32), ("batch_size", ctypes.c_uint32)]


@final
@dataclass(frozen=True, slots=True)
class Mix:
    """Frames of one length: `usual`, and `rare`, one in `every` by chance (0: never, 1: always)."""

    usual: bytes
    rare: bytes = b""
    every: int = 0

    def __post_init__(self) -> None:
        if self.every and len(self.rare) != len(self.usual):
            raise InputError(f"frames of one run have one length, not {len(self.usual)} and {len(self.rare)} bytes")


@final
class LiveSource:
    """Sends a mix out of a device; with `device` 0 the frames are dropped as soon as they are made, which tells what making them costs."""

    def __init__(self, mix: Mix, device: int) -> None:
        self._frame = ctypes.create_string_buffer(mix.usual, len(mix.usual))
        program = ProgramImage("source", "xdp", "xdp", parse("\n".join(_program(mix, device))))
        self._loaded: LoadedProgram = load_program(ObjectImage((program,), {}, "GPL"), program)

    def send(self, count: int) -> None:
        """That many, in batches; each batch is through the kernel on this processor before the next."""
        attr = _LiveRun(
            prog_fd=self._loaded.fd.number,
            data_size_in=len(self._frame),
            data_in=ctypes.addressof(self._frame),
            repeat=count,
            flags=_LIVE_FRAMES,
            batch_size=_BATCH,
        )
        try:
            bpf(Command.PROG_TEST_RUN, attr)
        except OSError as error:
            raise explained("send live frames (Linux 5.18)", error) from None

    def close(self) -> None:
        self._loaded.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _program(mix: Mix, device: int) -> Iterator[str]:
    end = [f"r1 = {device}", "r2 = 0", f"call {_REDIRECT}", "exit"] if device else [f"r0 = {_XDP_DROP}", "exit"]
    usual = [*_stores(mix.usual), *end]
    yield "r6 = r1"
    if mix.every:
        yield from (f"call {_GET_PRANDOM_U32}", "r7 = r0", f"r7 %= {mix.every}")
    yield from ("r2 = *(u32 *)(r6 + 0)", "r3 = *(u32 *)(r6 + 4)", "r4 = r2", f"r4 += {len(mix.usual) // _WORD * _WORD}")
    yield from ("if r4 <= r3 goto +2", f"r0 = {_XDP_DROP}", "exit")
    if mix.every:
        yield f"if r7 == 0 goto +{len(usual)}"
    yield from usual
    if mix.every:
        yield from (*_stores(mix.rare), *end)


def _stores(frame: bytes) -> list[str]:
    """All of it but for the last bytes that are no word, which stay as they are: nothing changes them on the way."""
    return [
        f"*(u32 *)(r2 + {at}) = {int.from_bytes(frame[at : at + _WORD], 'little', signed=True)}"
        for at in range(0, len(frame) // _WORD * _WORD, _WORD)
    ]
