"""Random numbers for programs: a sequence by its seed, or numbers that were drawn before."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable
from typing import final


@final
class Chance:
    """What `get_prandom_u32` draws from."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._given: deque[int] = deque()
        self._drawn: list[int] | None = None

    def u32(self) -> int:
        value = self._given.popleft() if self._given else self._random.getrandbits(32)
        if self._drawn is not None:
            self._drawn.append(value)
        return value

    def give(self, numbers: Iterable[int]) -> None:
        """These are drawn next, and none of those that were given before; then the sequence goes on."""
        self._given = deque(numbers)

    def drawn(self) -> tuple[int, ...]:
        """The numbers since it was asked before. They are kept from the first time on."""
        numbers, self._drawn = self._drawn or (), []
        return tuple(numbers)
