"""What machine code and the reference machine share: one array of 64-bit words, and a table of the regions that were met lately."""

from __future__ import annotations

from enum import IntEnum


class Word(IntEnum):
    """Places in the array. The first eleven are the registers."""

    SLOT = 11  # where to begin
    FUEL = 12  # instructions that may still run
    PACKET = 13  # the packet's address, as programs have it
    LENGTH = 14  # its bytes
    PACKET_BYTES = 15  # where they are in this process
    STACK_BYTES = 16  # of the function that runs
    STACK_WRITTEN = 17  # a byte each, 1 where it has been written
    CONTEXT = 18  # its address, as programs have it
    REGIONS = 19  # where the table of regions is
    MISSED = 20  # the number of a region that was not in it
    CONSTANTS = 21  # what 64-bit loads give that depends on the session, one after the other


REGION_SETS = 256  # a power of 2
REGION_WORDS = 4  # number, bytes, size and rights, bytes of what was written
WRITABLE = 1 << 32  # beside the size


def region_index(number: int) -> int:
    """The table's word where a region of that number begins; numbers are two apart."""
    return (number >> 1 & REGION_SETS - 1) * REGION_WORDS
