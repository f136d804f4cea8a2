"""Helpers in machine code, for the ordinary call: what they do not decide (0 in r0's place is no answer) the reference's helper does.

Functions of words (`words`): each takes the state and the arguments in r2 and on, puts the helper's answer into Word.RESULT and gives 1; or
changes nothing and gives 0. What they must agree with is in `vm.helpers`, `vm.seg6_helpers` and `vm.arguments`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pybpfnf.abi.headers import HEADERS, SEGMENT_SIZE
from pybpfnf.abi.seg6 import ACTIONS
from pybpfnf.vm.memory import STACK_SIZE
from pybpfnf.vm.native.layout import (
    FOUND_KEYS,
    FOUND_SIZE,
    KEY_BASIS,
    KEY_PRIME,
    LONGEST_KEY,
    MAP_SETS,
    MAP_WORDS,
    REGION_SETS,
    REGION_STEP,
    REGION_WORDS,
    WRITABLE,
    MapKind,
    Word,
)  # fmt: skip
from pybpfnf.vm.native.words import clear, load8, load16, load32, load64, move, same, store8, store16, store64

SRH = HEADERS["ipv6"].size
"""Where the SRH is, in the packets that machine code has by itself."""
FIXED = HEADERS["srh"].size
HDRLEN, TYPE, LEFT, LAST, FLAGS = (
    SRH + HEADERS["srh"].fields[name].offset for name in ("hdr_ext_len", "routing_type", "segments_left", "last_entry", "flags")
)
PAYLOAD_LENGTH = HEADERS["ipv6"].fields["payload_length"].offset
LOW = (1 << 32) - 1
DESTINATION = HEADERS["ipv6"].fields["destination"].offset
ADDRESS = 16
END_X, END_T = ACTIONS["end_x"].number, ACTIONS["end_t"].number
SIGN = 1 << 31
LONGEST = 65_575  # of a packet that grows in place: an IPv6 header and what its length field can say
LARGEST_READ = 256


def word(state: int, number: int) -> int:
    return load64(state + number * 8)


def put(state: int, number: int, value: int) -> int:
    store64(state + number * 8, value)
    return 0


def answer(state: int, value: int) -> int:
    put(state, Word.RESULT, value)
    return 1


def readable(state: int, address: int, size: int) -> int:
    """Where `size` bytes are that a helper may read, which is not the packet; 0 where that takes a closer look."""
    frame = word(state, 10) - STACK_SIZE
    if address >= frame and address < frame + STACK_SIZE and size <= frame + STACK_SIZE - address:
        marks = word(state, Word.STACK_WRITTEN) + address - frame
        at = 0
        while at < size:
            if not load8(marks + at):
                return 0
            at += 1
        return word(state, Word.STACK_BYTES) + address - frame
    number = address >> 32
    entry = word(state, Word.REGIONS) + ((number >> 1) & (REGION_SETS - 1)) * (REGION_WORDS * 8)
    if load64(entry) != number or load64(entry + 24):
        put(state, Word.MISSED, number)
        return 0
    length = load64(entry + 16) & (WRITABLE - 1)
    if (address & LOW) > length or size > length - (address & LOW):
        return 0
    return load64(entry + 8) + (address & LOW)


def moved(state: int) -> int:
    """The packet gets a new address (`Host.map_packet`)."""
    number = word(state, Word.NEXT_REGION)
    put(state, Word.NEXT_REGION, number + REGION_STEP)
    put(state, Word.PACKET, number << 32)
    return 0


def is_valid(data: int, length: int, hdrlen: int) -> int:
    """`srh.why_invalid(reduced=True)` and `get_srh`'s look at the length: whether it is a valid SRH of that HdrLen."""
    size = (hdrlen + 1) * 8
    last = load8(data + LAST)
    if load8(data + TYPE) != 4 or SRH + size > length or (last + 1) * 2 > hdrlen or load8(data + LEFT) > last + 1:
        return 0
    at = SRH + FIXED + (last + 1) * SEGMENT_SIZE
    end = SRH + size
    while at < end:
        if end - at < 2:
            return 0
        at += 2 + load8(data + at + 1)
    return at == end


def settle_srh(state: int) -> int:
    """`seg6_bpf_has_valid_srh` where the SRH is valid: 1, and it is noted; else 0, and nothing is changed."""
    if word(state, Word.SRH_VALID):
        return 1
    hdrlen = word(state, Word.SRH_LENGTH)
    data = word(state, Word.PACKET_BYTES)
    if hdrlen & 7 or hdrlen > 2040 or not is_valid(data, word(state, Word.LENGTH), hdrlen >> 3):
        return 0
    store8(data + HDRLEN, hdrlen >> 3)
    put(state, Word.SRH_VALID, 1)
    return 1


def lwt_seg6_store_bytes(state: int, r2: int, r3: int, r4: int) -> int:
    if not word(state, Word.OWNED) or r4 == 0 or r4 > LARGEST_READ:
        return 0
    source = readable(state, r3, r4)
    if not source:
        return 0
    offset = r2 & LOW
    data = word(state, Word.PACKET_BYTES)
    first = SRH + (load8(data + LAST) + 1) * SEGMENT_SIZE
    in_tlvs = first <= offset and offset + r4 <= SRH + FIXED + word(state, Word.SRH_LENGTH)
    if not in_tlvs and (offset < FLAGS or offset + r4 > SRH + FIXED):
        return 0
    if offset + r4 > word(state, Word.LENGTH):
        return 0
    if in_tlvs:
        put(state, Word.SRH_VALID, 0)
    move(data + offset, source, r4)
    moved(state)
    return answer(state, 0)


def lwt_seg6_adjust_srh(state: int, r2: int, r3: int) -> int:
    if not word(state, Word.OWNED) or not word(state, Word.TRANSPORT):
        return 0
    offset = r2 & LOW
    shrink = 0
    grow = r3 & LOW
    if grow & SIGN:
        shrink = (-grow) & LOW
        grow = 0
    data = word(state, Word.PACKET_BYTES)
    length = word(state, Word.LENGTH)
    hdrlen = word(state, Word.SRH_LENGTH)
    first = SRH + FIXED + (load8(data + LAST) + 1) * SEGMENT_SIZE
    end = SRH + FIXED + hdrlen
    if offset < first or offset > end or offset + shrink > end or offset + shrink > length or length + grow > LONGEST:
        return 0
    move(data + offset + grow, data + offset + shrink, length - offset - shrink)
    clear(data + offset, grow)
    length = length + grow - shrink
    put(state, Word.LENGTH, length)
    put(state, Word.LINEAR, length)
    put(state, Word.TRANSPORT, word(state, Word.TRANSPORT) + grow - shrink)
    put(state, Word.SRH_LENGTH, (hdrlen + grow - shrink) & 0xFFFF)
    put(state, Word.SRH_VALID, 0)
    store16(data + PAYLOAD_LENGTH, length - SRH)
    moved(state)
    return answer(state, 0)


def lwt_seg6_action(state: int, r2: int, r3: int, r4: int) -> int:
    """End.X and End.T to an address of somewhere else."""
    if not word(state, Word.OWNED) or not settle_srh(state):
        return 0
    address = word(state, Word.PACKET_BYTES) + DESTINATION
    if (r2 & LOW) == END_T and r4 == 4:
        given = readable(state, r3, 4)
        if not given or not has_table(state, load32(given)):
            return 0
    elif (r2 & LOW) == END_X and r4 == ADDRESS:
        address = readable(state, r3, ADDRESS)
        if not address:
            return 0
    else:
        return 0
    if not leads_onwards(state, address):
        return 0
    put(state, Word.ROUTED, 1)
    moved(state)
    return answer(state, 0)


def has_table(state: int, table: int) -> int:
    """Whether it is one of those in which an address of somewhere else is found."""
    at = 0
    while at < word(state, Word.TABLES_COUNT):
        if load64(word(state, Word.TABLES) + at * 8) == table:
            return 1
        at += 1
    return 0


def is_elsewhere(state: int, address: int) -> int:
    """Whether an address is neither the router's own nor of a kind that is not forwarded or has its own rules: multicast, link-local,
    and all that begin with 64 zeros."""
    first = load16(address)
    if load64(address) == 0 or first >> 8 == 0xFF or first & 0xFFC0 == 0xFE80:
        return 0
    return not same(address, word(state, Word.DEVICE_ADDRESS), ADDRESS)


def leads_onwards(state: int, address: int) -> int:
    """`is_elsewhere`, and not the SID either, which is where the packet in hand was going."""
    return is_elsewhere(state, address) and not same(address, word(state, Word.GIVEN) + DESTINATION, ADDRESS)


def map_lookup_elem(state: int, r1: int, r2: int) -> int:
    if not word(state, Word.OWNED) or r1 & LOW:
        return 0
    number = r1 >> 32
    entry = word(state, Word.MAPS) + ((number >> 1) & (MAP_SETS - 1)) * (MAP_WORDS * 8)
    if load64(entry) != number:
        return 0
    size = load64(entry + 16)
    contents = load64(entry + 24)
    if load64(entry + 8) == MapKind.ARRAY:
        place = readable(state, r2, 4)
        if not place:
            return 0
        index = load32(place)
        if index >= size:
            return answer(state, 0)
        return answer(state, load64(contents + index * 8))
    key = readable(state, r2, size)
    if not key:
        return 0
    value = KEY_BASIS
    at = 0
    while at < size:
        value = (value ^ load8(key + at)) * KEY_PRIME
        at += 1
    found = contents + ((value >> 32) & (FOUND_KEYS - 1)) * FOUND_SIZE
    address = load64(found + LONGEST_KEY)
    if not address or not same(found, key, size):
        return 0
    return answer(state, address)


WORDS: tuple[Callable[..., int], ...] = (
    word, put, answer, readable, moved, is_valid, settle_srh, lwt_seg6_store_bytes, lwt_seg6_adjust_srh,
    lwt_seg6_action, has_table, is_elsewhere, leads_onwards, map_lookup_elem,
)  # fmt: skip
FAST_HELPERS: Mapping[str, int] = {"lwt_seg6_store_bytes": 4, "lwt_seg6_adjust_srh": 3, "lwt_seg6_action": 4, "map_lookup_elem": 2}
"""By the names of their rows, with the number of arguments. A context among them is the first, which the caller has looked at and keeps."""
