"""A direction of a link as the kernel's netem does it: the rules of `lab.topology`, but for these.

netem has one bound for the frames that wait and those that are under way, so to the queue's length comes what a full line holds. It sends
at `rate` what it has delayed, not the other way round, and then never reorders. Its random numbers are its own, from the seed since Linux
6.6.
"""

from __future__ import annotations

from hashlib import sha256

from pybpfnf.kernel.netem import Netem
from pybpfnf.lab.topology import Direction, Packets

_SECOND = 10**9
_UNBOUNDED = 1 << 30  # frames
_FASTEST = 10**12  # bits a second: with a rate netem keeps frames in order, and this one takes no time
_ETHERNET = 14


def netem_of(direction: Direction, mtu: int, seed: str) -> Netem:
    rate = direction.rate
    if rate is None and direction.jitter and not direction.reorder:
        rate = _FASTEST
    return Netem(
        direction.delay, direction.jitter, rate, direction.loss, _limit(direction, mtu + _ETHERNET), _number(seed)
    )  # fmt: skip


def _limit(direction: Direction, frame: int) -> int:
    """In frames of the largest size."""
    if direction.rate is None:
        return _UNBOUNDED
    queue = direction.queue.count if isinstance(direction.queue, Packets) else -(-direction.queue.count // frame)
    line = (direction.delay + direction.jitter) * direction.rate // (frame * 8 * _SECOND)
    return queue + line + 1


def _number(seed: str) -> int:
    return int.from_bytes(sha256(seed.encode()).digest()[:8], "little")
