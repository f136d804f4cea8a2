"""What machine code and the reference machine share: an array of 64-bit words, and a table of the regions that were met lately."""

from __future__ import annotations

from enum import IntEnum


class Word(IntEnum):
    """Places in the array. The first eleven are the registers; addresses are this process's where nothing else is said."""

    SLOT = 11  # where to begin
    FUEL = 12  # instructions that may still run
    PACKET = 13  # the packet's address, as programs have it
    LENGTH = 14  # its bytes
    PACKET_BYTES = 15  # where they are
    STACK_BYTES = 16  # of the function that runs
    STACK_WRITTEN = 17  # a byte each, 1 where it has been written
    CONTEXT = 18  # its address, as programs have it
    REGIONS = 19  # where the table of regions is
    MISSED = 20  # the number of a region that was not in it
    RESULT = 21  # of a helper in machine code

    # Of a batch (`fast_path`). The first word says that machine code, and not the session, has the packet.
    OWNED = 22
    NEXT_REGION = 23  # the number that the next region gets
    FIRST_REGION = 24  # the first that the packet in hand got
    SRH_LENGTH = 25  # SrhState.hdrlen; SrhState.offset is always the IPv6 header's length there
    SRH_VALID = 26
    TRANSPORT = 27  # Skb.transport
    INDEX = 28  # of the packet in hand
    COUNT = 29
    INPUT = 30  # all packets' bytes
    STARTS = 31  # where each begins in them, and where the last ends
    WORK = 32  # where a packet is while it is worked on
    OUTPUT = 33  # bytes of those that leave
    ROOM = 34  # bytes of OUTPUT
    USED = 35  # of them
    RESULTS = 36  # RESULT_WORDS for each packet
    RUN_FUEL = 37  # instructions that a run may take
    COUNTERS = 38  # of fault exits, or 0
    COUNTERS_SIZE = 39  # in bytes
    COUNTERS_BEFORE = 40  # as they were before the packet in hand
    SID_GIVEN = 41  # 0: each packet's destination is the SID
    SID = 42  # the SID's bytes
    DEVICE_ADDRESS = 43  # the bytes of the router's own

    MAPS = 44  # the table of maps (`lookups`)
    TABLES = 45  # numbers of routing tables that exist, a word each
    TABLES_COUNT = 46
    ROUTED = 47  # an action has chosen a route, and it leads onwards

    LINEAR = 48  # bytes of the packet that are in one piece: where its data_end is

    GIVEN = 49  # where the packet in hand is, as it came

    # Of a capture (`fast_files`), beside INPUT, INDEX (records that were dealt with), OUTPUT, ROOM and USED.
    POSITION = 50  # where the next record begins in INPUT
    END = 51  # of INPUT
    IN_BLOCKS = 52  # pcapng, not pcap
    BIG_ENDIAN = 53  # numbers in the file
    INTERFACES = 54  # INTERFACE_WORDS for each
    INTERFACES_COUNT = 55
    WRITING = 56  # what leaves is wanted
    FORWARDED = 57  # packets that have left
    FRAME = 58  # where the frame in hand is
    FRAME_SIZE = 59
    RECORD_SIZE = 60  # with all that is around the frame
    LINK_SIZE = 61  # of the frame's link header
    SECONDS = 62  # the frame's time
    NANOSECONDS = 63

    CONSTANTS = 64  # what 64-bit loads give that depends on the session, one after the other


INTERFACE_WORDS = (
    5  # 1 where its frames can be read by machine code, link header's size, EtherType's place or NO_TYPE, ticks a second, seconds
)
NO_TYPE = (1 << 64) - 1

RESULT_WORDS = 4  # verdict, where in OUTPUT, length or DROPPED, instructions
DROPPED = (1 << 64) - 1

REGION_SETS = 256  # a power of 2
REGION_WORDS = 4  # number, bytes, size and rights, bytes of what was written
WRITABLE = 1 << 32  # beside the size
REGION_STEP = 2  # from one number to the next


MAP_SETS = 64
MAP_WORDS = 4  # number of its handle, MapKind, elements or key size, contents


class MapKind(IntEnum):
    """What a map's contents are: the addresses of an array's elements, or a hash's keys that were found lately."""

    ARRAY = 1
    HASH = 2


LONGEST_KEY = 40
FOUND_SIZE = LONGEST_KEY + 8  # a key, and the address of its value or 0
FOUND_KEYS = 256
KEY_BASIS, KEY_PRIME = 0xCBF29CE484222325, 0x100000001B3  # FNV-1a


def map_index(number: int) -> int:
    return (number >> 1 & MAP_SETS - 1) * MAP_WORDS


def key_place(key: bytes) -> int:
    """Which of the places a key has (`fast_helpers.map_lookup_elem` works it out too)."""
    value = KEY_BASIS
    for octet in key:
        value = (value ^ octet) * KEY_PRIME & (1 << 64) - 1
    return value >> 32 & FOUND_KEYS - 1


def region_index(number: int) -> int:
    """The table's word where a region of that number begins; numbers are two apart."""
    return (number >> 1 & REGION_SETS - 1) * REGION_WORDS
