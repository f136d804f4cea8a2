"""Packets that do not lie in one piece: what a function looks for is pulled into the piece that it sees, where its hook may.

`data_end` is the end of the first piece. A card leaves the headers there at least, and a sender of its own what it likes; the rest is in
fragments. Only the check that fails looks further: it has the kernel bring more into the first piece, once, and is made anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pybpfnf.backend.frame import CONTEXT, Frame
from pybpfnf.dsl.ir import Function, Subprogram

_HELPER = "skb_pull_data"
_MOST = 4096  # bytes that a search for a header pulls: more than all that it goes over, but for headers of the greatest length


def can_pull(function: Function | Subprogram) -> bool:
    """Not at a SID, where the kernel frees the packet under the program (`abi.programs`, `withdrawn`)."""
    return _HELPER in function.hook.helpers


@contextmanager
def in_one_piece(frame: Frame, end: str | None = None) -> Iterator[None]:
    """Checks within, of what lies in the packet, are made again after a pull where they fail. Code within may run twice, and no label
    that they lead to is placed there. `end`: the offset, an i64, up to which they look; None: as far as headers go."""
    if not can_pull(frame.function):
        yield
        return
    w = frame.writer
    again, pull, done = (w.label(hint) for hint in ("piece", "pull", "whole"))
    tried = w.slot("i32")
    w.store("i32", 0, tried)
    frame.packet = frame.packet.moved()
    w.place(again)
    frame.short = []
    yield
    short, frame.short = frame.short, None
    frame.jump(done)
    for label, elsewhere in short:
        frame.place(label)
        # Hidden from LLVM, which would write all of it twice: for the first time, and for the second.
        frame.leave_if(w.icmp("ne", "i32", w.barrier("i32", w.load("i32", tried)), 0), elsewhere)
        frame.jump(pull)
    if short:
        frame.place(pull)
        w.store("i32", 1, tried)
        # Where the packet has not so many, nothing is pulled, and the check fails again.
        frame.call(_HELPER, f"ptr {CONTEXT}", f"i32 {_wanted(frame, end)}")
        frame.loop_back(again)
    frame.place(done)


def _wanted(frame: Frame, end: str | None) -> str:
    w = frame.writer
    if end is not None:
        return w.cast("trunc", "i64", end, "i32")
    field = frame.context_field(frame.function.hook.context.fields["len"].offset)
    length = w.load("i32", field, 4, volatile=True)
    return w.select(w.icmp("ult", "i32", length, _MOST), "i32", length, _MOST)
