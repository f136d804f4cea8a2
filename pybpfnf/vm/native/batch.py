"""Many packets through End.BPF at once: machine code from packet to packet, the session for those that are not ordinary."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import final

from pybpfnf.image.model import ProgramImage
from pybpfnf.runner import Outcome
from pybpfnf.vm.hooks import HANDED_OUT
from pybpfnf.vm.host import Host
from pybpfnf.vm.memory import Region
from pybpfnf.vm.native.fast_helpers import LONGEST
from pybpfnf.vm.native.fast_path import END_BPF, FULL, REST, WHOLE
from pybpfnf.vm.native.hook import Begun, HookCode
from pybpfnf.vm.native.layout import DROPPED, RESULT_WORDS, Word
from pybpfnf.vm.native.regions import NativeMemory, bytes_address


@final
class Batch:
    """One program's machine code around and in the hook. `whole` runs the packet of an index, `rest` goes on with one that has begun."""

    def __init__(self, program: ProgramImage, host: Host, memory: NativeMemory, counters: tuple[Region, int, int] | None) -> None:
        """As `HookCode`."""
        self._code = HookCode(program, host, memory, counters, END_BPF)
        self._batch = self._code.function("batch")
        self._handed_out = program.dropped(HANDED_OUT)
        self._mark = host.environment.mark
        self._output = bytearray()

    def run(self, packets: Sequence[bytes], whole: Callable[[bytes], Outcome], rest: Callable[[bytes, Begun], Outcome]) -> list[Outcome]:
        """What becomes of each, in their order."""
        code = self._code
        state, given = code.state, b"".join(packets)
        starts = array("Q", (0, *accumulate(map(len, packets))))
        results = array("Q", bytes(len(packets) * RESULT_WORDS * 8))
        room = min(len(given) + 256 * len(packets), 1 << 24) + 2 * LONGEST
        if len(self._output) < room:
            self._output = bytearray(room)
        state[Word.INPUT] = ctypes.cast(ctypes.c_char_p(given), ctypes.c_void_p).value or 0
        state[Word.STARTS], state[Word.RESULTS] = starts.buffer_info()[0], results.buffer_info()[0]
        state[Word.OUTPUT], state[Word.ROOM] = bytes_address(self._output), len(self._output)
        state[Word.INDEX], state[Word.COUNT] = 0, len(packets)
        outcomes: list[Outcome] = []
        while len(outcomes) < len(packets):
            state[Word.USED] = 0
            stopped = code.go(self._batch)
            done = state[Word.INDEX]
            outcomes += self._outcomes(results, len(outcomes), done)
            if stopped in (WHOLE, REST):
                outcomes.append(rest(packets[done], code.begun()) if stopped == REST else whole(packets[done]))
                state[Word.INDEX] = done + 1
            assert stopped != FULL or state[Word.USED]
        return outcomes

    def _outcomes(self, results: Sequence[int], first: int, end: int) -> Iterator[Outcome]:
        output, mark = self._output, self._mark
        for at in range(first * RESULT_WORDS, end * RESULT_WORDS, RESULT_WORDS):
            verdict, start, length, executed = results[at : at + RESULT_WORDS]
            if length == DROPPED:
                yield Outcome(verdict, None, False, self._handed_out, None, (), (), executed, 1, mark)
            else:
                yield Outcome(verdict, bytes(output[start : start + length]), True, None, None, (), (), executed, 1, mark)
