"""What happens to the frames that are sent into one direction of a link: which are lost, and when each of the others arrives.

The rules are those of `lab.topology`; the clock is whoever's asks, in nanoseconds that never go back.
"""

from __future__ import annotations

from collections import deque
from random import Random
from typing import final

from pybpfnf.lab.topology import Direction, Packets

_SECOND = 10**9


def seed_of(seed: int, link: str, end: int) -> str:
    """Of what is random in the direction away from an end (0 or 1) of a link: the same wherever the topology runs."""
    return f"{seed}/{link}/{end}"


@final
class Wire:
    """One direction, and the frames that are in its queue. Counts what it dropped: `lost` by chance, `full` for want of room."""

    def __init__(self, direction: Direction, seed: str) -> None:
        self._is = direction
        self._random = Random(seed)
        self._free_at = 0  # when the last bit of the last frame was sent
        self._last = 0  # when the last frame arrives
        self._queue: deque[tuple[int, int]] = deque()  # of frames not yet sent: when they will be, their sizes
        self._waiting = 0  # bytes in it
        self.lost = 0
        self.full = 0

    def offer(self, at: int, size: int) -> int | None:
        """When a frame of `size` bytes that is sent at `at` arrives; None where it does not."""
        if self._is.loss and self._random.random() < self._is.loss:
            self.lost += 1
            return None
        sent = at if self._is.rate is None else self._queued(at, size, self._is.rate)
        if sent is None:
            self.full += 1
            return None
        arrives = sent + self._is.delay
        if self._is.jitter:
            arrives += self._random.randint(-self._is.jitter, self._is.jitter)
        if not self._is.reorder:
            arrives = max(arrives, self._last)
        self._last = arrives
        return arrives

    def _queued(self, at: int, size: int, rate: int) -> int | None:
        """When its last bit is sent; None where the queue has no room for it."""
        while self._queue and self._queue[0][0] <= at:
            self._waiting -= self._queue.popleft()[1]
        limit = self._is.queue
        if (len(self._queue) + 1 if isinstance(limit, Packets) else self._waiting + size) > limit.count:
            return None
        self._free_at = max(at, self._free_at) + -(-size * 8 * _SECOND // rate)
        self._queue.append((self._free_at, size))
        self._waiting += size
        return self._free_at
