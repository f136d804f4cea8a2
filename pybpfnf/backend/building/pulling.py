"""Packets that do not lie in one piece: what a function looks for is pulled into the piece that it sees, where its hook may.

`data_end` is the end of the first piece. A card leaves the headers there at least, and a sender of its own what it likes; the rest is in
fragments. Only the check that fails looks further: it has the kernel bring more into the first piece, once, and is made anew.

    piece:                                          reached with the pointers that are there, and again with new ones
      data, end, first = phi ...
      the search; a check that fails leads to `short`
    short:                                          off the hot path, as is all that follows
      br (first < 16), (where the check leads), pull
    pull:
      call skb_pull_data; data and end from the context; first = 0
      br piece
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pybpfnf.abi.headers import HEADERS
from pybpfnf.backend.building.frame import CONTEXT, Frame
from pybpfnf.backend.building.linear import packet_memory, packet_memory_now
from pybpfnf.dsl.ir import Function, Subprogram

_HELPER = "skb_pull_data"
_FIRST = -1  # or any number that `_LEAST_FIRST` is not more than, unsigned: nothing was pulled yet
_AGAIN = 0
_LEAST_FIRST = 16  # not 1: LLVM would make a bit of its own of what is only compared with 0
_MOST = 4096  # bytes that a search for a header pulls: more than all that it goes over, but for headers of the greatest length


def can_pull(function: Function | Subprogram) -> bool:
    """Not at a SID, where the kernel frees the packet under the program (`abi.programs`, `withdrawn`)."""
    return _HELPER in function.hook.helpers


@contextmanager
def in_one_piece(frame: Frame, end: str | None = None) -> Iterator[None]:
    """Checks within, of what lies in the packet, are made again after a pull where they fail. Code within may run twice, and no label
    that they lead to is placed there. `end`: the offset, an i64, up to which they look; None: as far as headers go.

    A packet that lies in one piece pays a move, and not even that where the version was looked at before (`Packet.version`).
    """
    if not can_pull(frame.function):
        yield
        return
    w = frame.writer
    pointers = packet_memory(frame)
    before, memory, first = frame.packet, (w.slot("ptr"), w.slot("ptr")), w.slot("i32")
    _set(frame, memory, pointers)
    # Hidden from LLVM, which would write all of it twice: for the first time, and for the second.
    w.store("i32", before.version or w.barrier("i32", _FIRST), first)
    again, pull, done = (w.label(hint) for hint in ("piece", "pull", "whole"))
    w.place(again)
    frame.packet = before.pulled(w.load("ptr", memory[0]), w.load("ptr", memory[1]))
    short: dict[str, str] = {}
    frame.short = short
    yield
    frame.short = None
    frame.jump(done)
    for elsewhere, label in short.items():
        frame.place(label)
        frame.leave_if(w.icmp("ult", "i32", w.load("i32", first), _LEAST_FIRST), elsewhere)
        frame.jump(pull)
    if short:
        frame.place(pull)
        # Where the packet has not so many, nothing is pulled, and the check fails again.
        frame.call(_HELPER, f"ptr {CONTEXT}", f"i32 {_wanted(frame, end)}", seldom=True)
        _set(frame, memory, _pulled(frame, shown=before.ipv6))
        w.store("i32", w.barrier("i32", _AGAIN), first)
        frame.loop_back(again)
    frame.place(done)


def _set(frame: Frame, slots: tuple[str, str], pointers: tuple[str, str]) -> None:
    for slot, pointer in zip(slots, pointers, strict=True):
        frame.writer.store("ptr", pointer, slot)


def _pulled(frame: Frame, *, shown: bool) -> tuple[str, str]:
    """The packet's memory after a pull; `shown`: the verifier had seen that an IPv6 header is there, and does again."""
    w = frame.writer
    data, end = packet_memory_now(frame)
    if shown:
        w.go_on_unless(w.icmp("ugt", "ptr", w.offset(data, HEADERS["ipv6"].size), end), frame.never())
        data = w.barrier("ptr", data)  # else LLVM would make one check of this and the one before, of a pointer that is either
    return data, end


def _wanted(frame: Frame, end: str | None) -> str:
    w = frame.writer
    if end is not None:
        return w.cast("trunc", "i64", end, "i32")
    field = frame.context_field(frame.function.hook.context.fields["len"].offset)
    length = w.load("i32", field, 4, volatile=True)
    return w.select(w.icmp("ult", "i32", length, _MOST), "i32", length, _MOST)
