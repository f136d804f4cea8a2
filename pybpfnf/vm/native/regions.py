"""Memory whose regions machine code can find: beside `vm.memory`, a table of those that were met lately."""

from __future__ import annotations

import ctypes
from typing import final

from pybpfnf.vm.memory import Memory, Region, StackFrame
from pybpfnf.vm.native.layout import REGION_SETS, REGION_WORDS, WRITABLE, region_index


@final
class NativeFrame(StackFrame):
    """A stack that knows where its bytes are, and where it notes which have been written."""

    __slots__ = ("places",)

    def __init__(self) -> None:
        super().__init__()
        self.places = bytes_address(self.data), bytes_address(self.written)


@final
class NativeMemory(Memory):
    """An address space whose table forgets a region when the address space does."""

    def __init__(self) -> None:
        super().__init__()
        self.table = (ctypes.c_uint64 * (REGION_SETS * REGION_WORDS))()

    def retire(self, region: Region, reason: str) -> None:
        super().retire(region, reason)
        self._forget(region)

    def end_run(self) -> None:
        for region in self._at_end:
            self._forget(region)
        super().end_run()

    def remember(self, number: int) -> None:
        """Put a region of this number into the table, where there is one whose bytes stay where they are and may simply be accessed."""
        region = self._regions.get(number)
        if region is None or not region.data or type(region) not in (Region, NativeFrame):
            return
        size = len(region.data) | (WRITABLE if region.writable else 0)
        places = region.places if isinstance(region, NativeFrame) else (bytes_address(region.data), 0)
        at = region_index(number)
        self.table[at : at + REGION_WORDS] = [number, places[0], size, places[1]]

    def _forget(self, region: Region) -> None:
        number = region.address >> 32
        at = region_index(number)
        if self.table[at] == number:
            self.table[at] = 0


def bytes_address(data: bytearray) -> int:
    """Where its bytes are, as long as its length stays."""
    return ctypes.addressof(ctypes.c_char.from_buffer(data))
