"""End.BPF around a program in machine code, for ordinary packets: what `vm.ipv6.receive`, `vm.seg6` and `vm.network` do with them.

Functions of words (`words`). A packet that is not ordinary, before the program or after it, goes to the session (`batch`), which knows
all of the rules; here are those that an ordinary one passes. Ordinary: an IPv6 header with the SRH after it at once, without an HMAC, and
addresses of somewhere else.
"""

from __future__ import annotations

from collections.abc import Callable

from pybpfnf.abi.headers import HEADERS, NEXT_HEADERS, SEGMENT_SIZE, SRH_FLAGS, SRH_TLVS
from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.vm.memory import STACK_SIZE
from pybpfnf.vm.native import fast_helpers
from pybpfnf.vm.native.emit import Around
from pybpfnf.vm.native.fast_helpers import (
    ADDRESS,
    DESTINATION,
    FIXED,
    FLAGS,
    HDRLEN,
    LAST,
    LEFT,
    LONGEST,
    LOW,
    PAYLOAD_LENGTH,
    SRH,
    is_elsewhere,
    is_valid,
    leads_onwards,
    moved,
    put,
    settle_srh,
    word,
)
from pybpfnf.vm.native.layout import DROPPED, REGION_STEP, RESULT_WORDS, Word
from pybpfnf.vm.native.words import clear, is_end, load8, load16, load64, move, run, same, store8, store64

DONE, WHOLE, REST, FULL = 0, 1, 2, 3
"""What a batch stops for: its end, a packet that the session must run, one whose run it must go on with (at Word.SLOT), no more room."""

NEXT_HEADER, SOURCE = (HEADERS["ipv6"].fields[name].offset for name in ("next_header", "source"))
ROUTING = NEXT_HEADERS["routing"]
HMAC = SRH_FLAGS["hmac"]
HMAC_TYPE, HMAC_SIZE = SRH_TLVS["hmac"], 40
OK, DROP, REDIRECT = (PROGRAM_TYPES["lwt_seg6local"].verdicts[name] for name in ("OK", "DROP", "REDIRECT"))


def has_hmac(data: int) -> int:
    """`srh.hmac_tlv`, of a valid SRH."""
    at = data + SRH + (load8(data + HDRLEN) + 1) * 8 - HMAC_SIZE
    has_room = load8(data + FLAGS) & HMAC and load8(data + HDRLEN) >= (load8(data + LAST) + 1) * 2 + 5
    return has_room and load8(at) == HMAC_TYPE and load8(at + 1) == HMAC_SIZE - 2


def admit(state: int, data: int, size: int) -> int:
    """Reception and the hook's checks of a packet, and what may follow it: 1 where it is ordinary, and then it is in the work area, cut to
    its length."""
    if size < SRH + FIXED or load8(data) >> 4 != 6 or load8(data + NEXT_HEADER) != ROUTING:
        return 0
    length = SRH + load16(data + PAYLOAD_LENGTH)
    if length > size or length < SRH + FIXED or load8(data + LEFT) == 0:
        return 0
    if load64(data + SOURCE) == 0 or load8(data + SOURCE) == 0xFF or not is_elsewhere(state, data + DESTINATION):
        return 0
    if word(state, Word.SID_GIVEN) and not same(data + DESTINATION, word(state, Word.SID), ADDRESS):
        return 0
    if not is_valid(data, length, load8(data + HDRLEN)) or has_hmac(data):
        return 0
    move(word(state, Word.WORK), data, length)
    put(state, Word.GIVEN, data)
    put(state, Word.PACKET_BYTES, word(state, Word.WORK))
    put(state, Word.LENGTH, length)
    put(state, Word.LINEAR, length)
    return 1


def advance(state: int) -> int:
    """`advance_nextseg`, and the SRH as the program finds it."""
    data = word(state, Word.WORK)
    left = load8(data + LEFT) - 1
    store8(data + LEFT, left)
    move(data + DESTINATION, data + SRH + FIXED + left * SEGMENT_SIZE, ADDRESS)
    put(state, Word.SRH_LENGTH, load8(data + HDRLEN) * 8)
    put(state, Word.SRH_VALID, 1)
    return put(state, Word.TRANSPORT, SRH)


def prepare(state: int) -> int:
    """The program's registers and stack, and new addresses for packet and stack."""
    put(state, Word.FIRST_REGION, word(state, Word.NEXT_REGION))
    moved(state)
    stack = word(state, Word.NEXT_REGION)
    put(state, Word.NEXT_REGION, stack + REGION_STEP)
    clear(word(state, Word.STACK_WRITTEN), STACK_SIZE)
    move(word(state, Word.COUNTERS_BEFORE), word(state, Word.COUNTERS), word(state, Word.COUNTERS_SIZE))
    put(state, 1, word(state, Word.CONTEXT))
    put(state, 10, (stack << 32) + STACK_SIZE)
    put(state, Word.SLOT, 0)
    put(state, Word.ROUTED, 0)
    return put(state, Word.FUEL, word(state, Word.RUN_FUEL))


def passes(state: int) -> int:
    """The hook's checks after the program: 1 where what becomes of the packet is known. What leaves is in the work area."""
    verdict = word(state, 0) & LOW
    if word(state, Word.FUEL) == 0 or (verdict != OK and verdict != DROP and (verdict != REDIRECT or not word(state, Word.ROUTED))):
        return 0
    if not same(word(state, Word.COUNTERS), word(state, Word.COUNTERS_BEFORE), word(state, Word.COUNTERS_SIZE)):
        return 0
    if verdict == OK and not leads_onwards(state, word(state, Word.WORK) + DESTINATION):
        return 0
    return verdict == DROP or settle_srh(state)


def through(state: int) -> int:
    """The packet in the work area through the hook, with the program: 1 where what becomes of it is known, else the session must go on with
    it, at Word.SLOT."""
    advance(state)
    prepare(state)
    put(state, Word.OWNED, 1)
    slot = run(state)
    put(state, Word.OWNED, 0)
    put(state, Word.SLOT, slot)
    return is_end(slot) and passes(state)


def note(state: int) -> int:
    """Write down what became of the packet: its words of the results, and its bytes where it leaves."""
    verdict = word(state, 0) & LOW
    result = word(state, Word.RESULTS) + word(state, Word.INDEX) * (RESULT_WORDS * 8)
    store64(result, verdict)
    store64(result + 24, word(state, Word.RUN_FUEL) - word(state, Word.FUEL) + 1)
    store64(result + 16, DROPPED)
    if verdict != DROP:
        length = word(state, Word.LENGTH)
        used = word(state, Word.USED)
        move(word(state, Word.OUTPUT) + used, word(state, Word.WORK), length)
        store64(result + 8, used)
        store64(result + 16, length)
        put(state, Word.USED, used + length)
    return 0


def batch(state: int) -> int:
    """Packets from Word.INDEX on, until one is not ordinary, or there are no more, or no room for the next."""
    while word(state, Word.INDEX) < word(state, Word.COUNT):
        if word(state, Word.USED) + LONGEST > word(state, Word.ROOM):
            return FULL
        place = word(state, Word.STARTS) + word(state, Word.INDEX) * 8
        if not admit(state, word(state, Word.INPUT) + load64(place), load64(place + 8) - load64(place)):
            return WHOLE
        if not through(state):
            return REST
        note(state)
        put(state, Word.INDEX, word(state, Word.INDEX) + 1)
    return DONE


HOOK: tuple[Callable[..., int], ...] = (*fast_helpers.WORDS, has_hmac, admit, advance, prepare, passes, through)
"""What a packet goes through, wherever it comes from."""
END_BPF = Around((*HOOK, note, batch), kept=frozenset({"batch", "admit", "passes", *fast_helpers.FAST_HELPERS}), fast_helpers=True)
