"""The memory of a run: separate regions, each access checked for region, bounds and rights.

An address is a plain 64-bit integer: a region's number in the high 32 bits, the offset in the low 32. Arithmetic and
comparisons need no help, and an address that has left its region, or whose region is gone (a packet that moved, a frame
that returned), is found out where it is used. Byte order is little-endian, as on the machines that BPF mostly runs on.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import ClassVar, NoReturn, final

from pybpfnf.runner import FaultKind
from pybpfnf.vm.faults import GuestFault

STACK_SIZE = 512  # MAX_BPF_STACK, include/linux/filter.h
OFFSET = 0xFFFFFFFF  # of an address: its low half
# Far from zero and from what programs compute, so that a number taken for a pointer finds no region.
_FIRST_NUMBER = 0x4000_0000
UNSIGNED: Mapping[int, struct.Struct] = {1: struct.Struct("<B"), 2: struct.Struct("<H"), 4: struct.Struct("<I"), 8: struct.Struct("<Q")}
OutOfBounds = struct.error  # what their unpack_from and pack_into raise past the end of the bytes


class Region:
    """A piece of memory. `name` is how messages call it ("the stack", "a value of map 'm'"); `address` is that of its first byte."""

    plain: ClassVar[bool] = True  # what is at an offset of `data` is what a load there gives, and a store there writes if `writable`
    __slots__ = ("address", "data", "lock", "name", "writable")

    def __init__(self, name: str, data: bytearray, *, writable: bool = True) -> None:
        self.name = name
        self.data = data
        self.writable = writable
        self.address = 0
        self.lock: int | None = None  # where in it a spin lock is

    def load(self, offset: int, size: int) -> int:
        end = offset + size
        if end > len(self.data):
            self.out_of_bounds("read", offset, size)
        return int.from_bytes(self.data[offset:end], "little")

    def store(self, offset: int, size: int, value: int) -> None:
        """Store the low `size` bytes of a value that has no more."""
        end = offset + size
        if end > len(self.data):
            self.out_of_bounds("write", offset, size)
        if not self.writable:
            self.read_only()
        self.data[offset:end] = value.to_bytes(size, "little")

    def read(self, offset: int, size: int) -> bytes:
        """Bytes for a helper."""
        if offset + size > len(self.data):
            self.out_of_bounds("read", offset, size)
        return bytes(self.data[offset : offset + size])

    def write(self, offset: int, data: bytes) -> None:
        """Bytes from a helper."""
        self.check_writable(offset, len(data))
        self.data[offset : offset + len(data)] = data

    def check_writable(self, offset: int, size: int) -> None:
        if offset + size > len(self.data):
            self.out_of_bounds("write", offset, size)
        if not self.writable:
            self.read_only()

    def out_of_bounds(self, verb: str, offset: int, size: int) -> NoReturn:
        raise memory_fault(f"{verb} of {_count(size)} at offset {offset} of {self.name}, which has {_count(len(self.data))}")

    def read_only(self) -> NoReturn:
        raise memory_fault(f"write to {self.name}, which is read-only here")


class StackFrame(Region):
    """A function's 512 bytes of stack, which remembers which of them have been written."""

    plain = False
    __slots__ = ("written",)

    def __init__(self) -> None:
        self.name = "the stack"  # written out: a stack is made for every run and every call
        self.data = bytearray(STACK_SIZE)
        self.writable = True
        self.address = 0
        self.lock = None
        self.written = bytearray(STACK_SIZE)

    def load(self, offset: int, size: int) -> int:
        unsigned = UNSIGNED[size]
        if offset + size > STACK_SIZE or unsigned.unpack_from(self.written, offset)[0] != _WRITTEN[size]:
            self._check_read(offset, size)
        value: int = unsigned.unpack_from(self.data, offset)[0]
        return value

    def store(self, offset: int, size: int, value: int) -> None:
        if offset + size > STACK_SIZE:
            self.out_of_bounds("write", offset, size)
        unsigned = UNSIGNED[size]
        unsigned.pack_into(self.data, offset, value)
        unsigned.pack_into(self.written, offset, _WRITTEN[size])

    def read(self, offset: int, size: int) -> bytes:
        self._check_read(offset, size)
        return bytes(self.data[offset : offset + size])

    def write(self, offset: int, data: bytes) -> None:
        super().write(offset, data)
        self.written[offset : offset + len(data)] = b"\1" * len(data)

    def _check_read(self, offset: int, size: int) -> None:
        if offset + size > STACK_SIZE:
            self.out_of_bounds("read", offset, size)
        if self.written.find(0, offset, offset + size) >= 0:
            raise memory_fault(f"read of {_count(size)} of the stack at r10{offset - STACK_SIZE}, not all of which have been written")

    def out_of_bounds(self, verb: str, offset: int, size: int) -> NoReturn:
        raise memory_fault(f"{verb} of {_count(size)} of the stack at r10{offset - STACK_SIZE:+}, outside its {STACK_SIZE} bytes")


_WRITTEN = {size: unsigned.unpack(b"\1" * size)[0] for size, unsigned in UNSIGNED.items()}


@final
class Handle(Region):
    """An address that stands for something without bytes (a map, a function): it can be passed on, not read."""

    __slots__ = ("object",)

    def __init__(self, name: str, thing: object) -> None:
        super().__init__(name, bytearray())
        self.object = thing

    def out_of_bounds(self, verb: str, offset: int, size: int) -> NoReturn:
        raise memory_fault(f"{verb} of {_count(size)} of {self.name}, which a program cannot look into")


class Memory:
    """The address space of a session: regions of maps live as long as it, those of a run are retired by `end_run`."""

    def __init__(self) -> None:
        self._regions: dict[int, Region] = {}
        self._retired: dict[int, str] = {}
        self._at_end: list[Region] = []
        self._next = _FIRST_NUMBER

    def add(self, region: Region) -> int:
        """Give the region its address, which no other has had."""
        self._regions[self._next] = region
        region.address = self._next << 32
        self._next += 2  # so that one step below a region's start is no other region
        return region.address

    @property
    def next_number(self) -> int:
        """Of the next region. To be set by who has given numbers out beside `add`."""
        return self._next

    @next_number.setter
    def next_number(self, number: int) -> None:
        self._next = number

    def retire(self, region: Region, reason: str) -> None:
        """From now on the region's addresses are faults, which say `reason`."""
        del self._regions[region.address >> 32]
        self._retired[region.address >> 32] = reason

    def retire_at_end(self, region: Region) -> None:
        """Retire when the run ends (what RCU does for deleted map elements)."""
        self._at_end.append(region)

    def end_run(self) -> None:
        for region in self._at_end:
            del self._regions[region.address >> 32]
        self._at_end.clear()
        self._retired.clear()

    @property
    def regions(self) -> Mapping[int, Region]:
        """By number, which is an address' high half: for who looks there so often that a call counts."""
        return self._regions

    def load(self, address: int, size: int) -> int:
        return self.region(address, "read", size).load(address & OFFSET, size)

    def store(self, address: int, size: int, value: int) -> None:
        self.region(address, "write", size).store(address & OFFSET, size, value)

    def read(self, address: int, size: int) -> bytes:
        region = self.region(address, "read", size)
        return region.read(address & OFFSET, size)

    def write(self, address: int, data: bytes) -> None:
        region = self.region(address, "write", len(data))
        region.write(address & OFFSET, data)

    def check_writable(self, address: int, size: int) -> None:
        self.region(address, "write", size).check_writable(address & OFFSET, size)

    def holds(self, region: Region) -> bool:
        """Whether the region is there still."""
        return self._regions.get(region.address >> 32) is region

    def region(self, address: int, verb: str = "use", size: int = 1) -> Region:
        """The region that an address is in, whatever its offset; a fault where there is none."""
        region = self._regions.get(address >> 32)
        if region is None:
            self.bad_address(verb, address, size)
        return region

    def bad_address(self, verb: str, address: int, size: int) -> NoReturn:
        number = (address >> 32) & OFFSET
        if number in self._retired:
            raise memory_fault(f"{verb} of {_count(size)} through a stale pointer: {self._retired[number]}")
        above = self._regions.get(number + 1)
        if above is not None and address & OFFSET >= OFFSET - 0xFFFF:
            above.out_of_bounds(verb, (address & OFFSET) - (OFFSET + 1), size)
        if address == 0:
            raise memory_fault(f"{verb} of {_count(size)} through a null pointer")
        raise memory_fault(f"{verb} of {_count(size)} at {address:#x}, which is a number and no pointer")


def memory_fault(message: str) -> GuestFault:
    return GuestFault(FaultKind.MEMORY, message)


def _count(size: int) -> str:
    return f"{size} byte" if size == 1 else f"{size} bytes"
