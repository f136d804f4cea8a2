"""Captures in machine code: the records of a pcap or pcapng file through End.BPF, and what leaves as records of a pcap file.

Functions of words (`words`). What is not ordinary is left to who reads captures in Python, where it stands: a block that is no enhanced
packet block, a frame of which a part was captured, a VLAN tag, a length that cannot be. Formats: draft-ietf-opsawg-pcap and -pcapng.
"""

from __future__ import annotations

from pybpfnf.abi.headers import ETHER_TYPES
from pybpfnf.vm.native import fast_helpers
from pybpfnf.vm.native.emit import Around
from pybpfnf.vm.native.fast_helpers import LONGEST, LOW, put, word
from pybpfnf.vm.native.fast_path import DONE, DROP, FULL, HOOK, REST, WHOLE, admit, through
from pybpfnf.vm.native.layout import INTERFACE_WORDS, NO_TYPE, Word
from pybpfnf.vm.native.words import load8, load16, load32, load64, move, store32

FOUND = 4
"""A record is in hand; beside what a batch stops for, of which DONE means that the rest of the input has no whole record."""

LONGEST_LINK_HEADER = 64
LONGEST_FRAME = 1 << 18  # what Python takes; it says so of longer ones
RECORD_HEADER = 16
ENHANCED_PACKET, BLOCK_AROUND = 6, 32  # the block's type; its bytes without the frame and options
SECOND = 10**9
IPV6_TYPE = ETHER_TYPES["ipv6"]


def number(state: int, at: int) -> int:
    """32 bits in the file's byte order."""
    if word(state, Word.BIG_ENDIAN):
        return load16(at) << 16 | load16(at + 2)
    return load32(at)


def hold(state: int, at: int, size: int, around: int, row: int) -> int:
    """Take the frame in hand that is at that address, in a record with so many bytes more, of the interface of that row."""
    header = load64(row + 8)
    type_at = load64(row + 16)
    if not load64(row) or size < header or (type_at != NO_TYPE and load16(at + type_at) != IPV6_TYPE):
        return WHOLE
    put(state, Word.FRAME, at)
    put(state, Word.FRAME_SIZE, size)
    put(state, Word.LINK_SIZE, header)
    put(state, Word.RECORD_SIZE, size + around)
    return FOUND


def find_record(state: int, at: int, left: int) -> int:
    """The record of a pcap file at that address."""
    if left < RECORD_HEADER:
        return DONE
    size = number(state, at + 8)
    if size > LONGEST_FRAME:
        return WHOLE
    if left < RECORD_HEADER + size:
        return DONE
    row = word(state, Word.INTERFACES)
    nanoseconds = number(state, at + 4) * (SECOND // load64(row + 24))
    if nanoseconds >= SECOND or number(state, at + 12) > size:
        return WHOLE
    put(state, Word.SECONDS, number(state, at))
    put(state, Word.NANOSECONDS, nanoseconds)
    return hold(state, at + RECORD_HEADER, size, RECORD_HEADER, row)


def find_block(state: int, at: int, left: int) -> int:
    """The enhanced packet block at that address."""
    if left < 4:
        return DONE
    if number(state, at) != ENHANCED_PACKET:
        return WHOLE
    if left < BLOCK_AROUND:
        return DONE
    block = number(state, at + 4)
    if block < BLOCK_AROUND or block & 3 or block > LONGEST_FRAME:
        return WHOLE
    if left < block:
        return DONE
    size = number(state, at + 20)
    interface = number(state, at + 8)
    if number(state, at + block - 4) != block or size > block - BLOCK_AROUND or number(state, at + 24) > size:
        return WHOLE
    if interface >= word(state, Word.INTERFACES_COUNT):
        return WHOLE
    row = word(state, Word.INTERFACES) + interface * (INTERFACE_WORDS * 8)
    ticks = number(state, at + 12) << 32 | number(state, at + 16)
    second = load64(row + 24)
    seconds = ticks // second + load64(row + 32)
    if seconds > LOW:
        return WHOLE
    put(state, Word.SECONDS, seconds)
    put(state, Word.NANOSECONDS, (ticks - ticks // second * second) * SECOND // second)
    return hold(state, at + 28, size, block - size, row)


def find(state: int) -> int:
    at = word(state, Word.INPUT) + word(state, Word.POSITION)
    left = word(state, Word.END) - word(state, Word.POSITION)
    if word(state, Word.IN_BLOCKS):
        return find_block(state, at, left)
    return find_record(state, at, left)


def write(state: int) -> int:
    """The packet in the work area as a record: little-endian, nanoseconds, behind the link header that it came with."""
    header = word(state, Word.LINK_SIZE)
    length = word(state, Word.LENGTH)
    to = word(state, Word.OUTPUT) + word(state, Word.USED)
    store32(to, word(state, Word.SECONDS))
    store32(to + 4, word(state, Word.NANOSECONDS))
    store32(to + 8, header + length)
    store32(to + 12, header + length)
    move(to + RECORD_HEADER, word(state, Word.FRAME), header)
    move(to + RECORD_HEADER + header, word(state, Word.WORK), length)
    return put(state, Word.USED, word(state, Word.USED) + RECORD_HEADER + header + length)


def capture(state: int) -> int:
    """Records from Word.POSITION on, until one is not ordinary, or is not there whole, or there is no room for the next."""
    while word(state, Word.USED) + RECORD_HEADER + LONGEST_LINK_HEADER + LONGEST <= word(state, Word.ROOM):
        found = find(state)
        if found != FOUND:
            return found
        header = word(state, Word.LINK_SIZE)
        if not admit(state, word(state, Word.FRAME) + header, word(state, Word.FRAME_SIZE) - header):
            return WHOLE
        if not through(state):
            return REST
        if word(state, 0) & LOW != DROP:
            if load8(word(state, Word.WORK)) >> 4 != 6:
                return REST  # its link header changes too
            put(state, Word.FORWARDED, word(state, Word.FORWARDED) + 1)
            if word(state, Word.WRITING):
                write(state)
        put(state, Word.INDEX, word(state, Word.INDEX) + 1)
        put(state, Word.POSITION, word(state, Word.POSITION) + word(state, Word.RECORD_SIZE))
    return FULL


CAPTURES = Around(
    (*HOOK, number, hold, find_record, find_block, find, write, capture),
    kept=frozenset({"capture", "find", "admit", "passes", *fast_helpers.FAST_HELPERS}),
    fast_helpers=True,
)
