"""A capture through End.BPF in machine code: bytes of a file in, bytes of a pcap file out, and a stop where something is not ordinary."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Sequence
from enum import Enum
from typing import final

from pybpfnf.image.model import ProgramImage
from pybpfnf.records import dataclass
from pybpfnf.vm.host import Host
from pybpfnf.vm.memory import Region
from pybpfnf.vm.native.fast_files import CAPTURES, LONGEST_LINK_HEADER
from pybpfnf.vm.native.fast_helpers import LONGEST
from pybpfnf.vm.native.fast_path import DONE, FULL, REST, WHOLE
from pybpfnf.vm.native.hook import Begun, HookCode
from pybpfnf.vm.native.layout import NO_TYPE, Word
from pybpfnf.vm.native.regions import NativeMemory, bytes_address

_ROOM = (1 << 21) + 2 * LONGEST
_MOST_TICKS = 10**10  # a second; more would not fit into a word with a billion of them
_LATEST = (1 << 32) - 1


@final
@dataclass(frozen=True, slots=True)
class FrameFormat:
    """How frames of an interface are in a capture: `link_size` bytes of link header, with the EtherType at `type_at` or none.

    `ticks` of its time stamps are a second, and they count from `offset` seconds after the epoch. `taken`: machine code may have them.
    """

    link_size: int
    type_at: int | None
    ticks: int
    offset: int
    taken: bool = True

    def words(self) -> tuple[int, int, int, int, int]:
        fits = self.link_size <= LONGEST_LINK_HEADER and 1 <= self.ticks <= _MOST_TICKS and 0 <= self.offset <= _LATEST
        known = self.taken and fits
        if not known:
            return 0, 0, NO_TYPE, 1, 0
        return 1, self.link_size, NO_TYPE if self.type_at is None else self.type_at, self.ticks, self.offset


class Stopped(Enum):
    """Why machine code does not go on in a capture."""

    DONE = DONE  # there is no whole record in what is left of the input
    WHOLE = WHOLE  # the next record, or what is in its place, is for the session
    REST = REST  # so is the rest of a run that has begun, of the next record's packet
    FULL = FULL  # there is no room for more output


@final
@dataclass(frozen=True, slots=True)
class Progress:
    """What has been done of a capture's bytes: `position` is where the next record begins, `records` and `forwarded` are counts, `output`
    the records of what left, if that is wanted; it is gone with the next call."""

    stopped: Stopped
    position: int
    records: int
    forwarded: int
    output: memoryview


@final
class FileBatch:
    """One program's machine code around and in the hook, for captures."""

    def __init__(self, program: ProgramImage, host: Host, memory: NativeMemory, counters: tuple[Region, int, int] | None) -> None:
        """As `HookCode`."""
        self._code = HookCode(program, host, memory, counters, CAPTURES)
        self._capture = self._code.function("capture")
        self._output = bytearray(_ROOM)
        self._interfaces = array("Q")
        state = self._code.state
        state[Word.OUTPUT], state[Word.ROOM] = bytes_address(self._output), len(self._output)

    def expect(self, formats: Sequence[FrameFormat], *, in_blocks: bool, big_endian: bool, writing: bool) -> None:
        """What the bytes of the next calls are: pcapng's blocks or pcap's records, and of which interfaces."""
        self._interfaces = array("Q", [word for each in formats for word in each.words()])
        state = self._code.state
        state[Word.INTERFACES], state[Word.INTERFACES_COUNT] = self._interfaces.buffer_info()[0], len(formats)
        state[Word.IN_BLOCKS], state[Word.BIG_ENDIAN], state[Word.WRITING] = in_blocks, big_endian, writing

    def go(self, data: bytes, position: int) -> Progress:
        """Deal with the records from `position` on."""
        state = self._code.state
        state[Word.INPUT] = ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0
        state[Word.POSITION], state[Word.END] = position, len(data)
        state[Word.INDEX] = state[Word.FORWARDED] = state[Word.USED] = 0
        stopped = Stopped(self._code.go(self._capture))
        output = memoryview(self._output)[: state[Word.USED]]
        return Progress(stopped, state[Word.POSITION], state[Word.INDEX], state[Word.FORWARDED], output)

    def begun(self) -> Begun:
        """The run to go on with, after Stopped.REST."""
        return self._code.begun()
