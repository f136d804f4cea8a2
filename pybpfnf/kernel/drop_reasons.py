"""Where and why the kernel has dropped a packet, in its own words: its trace event `skb:kfree_skb` (include/trace/events/skb.h)
has the function that let a packet go and, since Linux 5.17, one of enum skb_drop_reason."""

from __future__ import annotations

import atexit
import re
from functools import cache
from typing import final

from pybpfnf.errors import KernelError, SystemLacksError
from pybpfnf.kernel.trace_instance import TraceInstance

_EVENT = "kfree_skb"
_KILOBYTES = 64  # for each CPU: what came before the last packet may be overwritten
# Before Linux 6.10 the location is a number that hides the address.
_DROP = re.compile(r"location=(?:(?P<function>[a-z_]\w*)[^ ]*|\S+) reason: (?P<reason>\w+)", re.I)
_UNNAMED = "NOT_SPECIFIED"
# A packet that arrives is seen by the sockets of the runner's far end, and let go there as nobody's.
_ARRIVED = "OTHERHOST"


@final
class DropReasons:
    """What became of packets that this thread sends, one after another. Of a process there is one: to take one away takes the
    kernel longer than some hundred packets."""

    def __init__(self) -> None:
        self._instance = TraceInstance([f"skb/{_EVENT}"], kilobytes=_KILOBYTES)
        self._count = 0

    def begin(self) -> None:
        """The next packet is sent now."""
        self._count += 1
        self._instance.mark(b"packet %d" % self._count)

    def reason(self) -> str | None:
        """Of the packet that was begun last, which was dropped: "IP_INHDR in ip6_forward"; None where the kernel has said nothing of it.
        What this CPU drops in the same moment, in an interrupt, is not told from it."""
        lines = self._instance.read()
        begun = next((at for at, line in enumerate(lines) if line.text == f"packet {self._count}"), None)
        if begun is None:
            return None
        own = [line.text for line in lines[begun:] if line.event == _EVENT and line.pid == lines[begun].pid]
        drops = [said for said in map(_DROP.search, own) if said is not None and said["reason"] != _ARRIVED]
        return _words(drops[-1]["function"], drops[-1]["reason"]) if drops else None

    def close(self) -> None:
        self._instance.close()


def _words(function: str | None, reason: str) -> str | None:
    named = [reason] if reason != _UNNAMED else []
    return " ".join([*named, *([f"in {function}"] if function is not None else [])]) or None


@cache
def drop_reasons() -> DropReasons | None:
    """This process's; None where the kernel has no such trace, or lets nobody have it."""
    try:
        made = DropReasons()
    except (KernelError, SystemLacksError):
        return None
    atexit.register(made.close)
    return made
