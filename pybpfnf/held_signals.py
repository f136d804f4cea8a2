"""Signals that wait: between making something that outlives the process and noting that it is to be taken away, nothing may be raised."""

from __future__ import annotations

import signal
from types import TracebackType
from typing import Self, final

_HELD = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


@final
class HeldSignals:
    """A context in which this thread gets no signal that asks the process to end. One that came meanwhile is handled as it is left.

    For steps that are short. What is started in it inherits it: no processes.
    """

    def __enter__(self) -> Self:
        self._before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        try:
            signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
        except BaseException:  # a handler ran that had to anyway: nothing is held for it
            signal.pthread_sigmask(signal.SIG_SETMASK, self._before)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)
