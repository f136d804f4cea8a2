"""How a daemon is asked to end: SIGTERM and SIGINT become a flag, and an exception where nobody looks at the flag."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Self, final

GRACE = 2.0  # seconds that a `control` has to see the flag before it is interrupted
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(BaseException):
    """Raised in a `control` that goes on after it was asked to stop; no Exception, so that what it handles does not stop it."""


@final
class Stopping:
    """A context manager. In the main thread it takes SIGTERM and SIGINT; elsewhere `set` alone asks.

    A signal sets the flag. While `interruptible`, a second one, or GRACE seconds without an end, raise Interrupted in the main thread.
    """

    def __init__(self) -> None:
        self._flag = threading.Event()
        self._former: dict[signal.Signals, object] = {}
        self._interruptible = False
        self.signal: str | None = None  # the name of the one that came

    def set(self) -> None:
        """Ask to stop; from any thread."""
        self._flag.set()

    def __bool__(self) -> bool:
        return self._flag.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait so long; whether it was asked to stop."""
        return self._flag.wait(seconds)

    def interruptible(self) -> _Interruptible:
        """A block that may be interrupted; outside of it signals are kept as the flag, so that nothing is left half done."""
        return _Interruptible(self)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for each in (*_SIGNALS, signal.SIGALRM):
                self._former[each] = signal.signal(each, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        if self._former:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for each, former in self._former.items():
            signal.signal(each, former)  # type: ignore[arg-type]  # as signal.signal gave it, which typeshed calls Any

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        again = bool(self)
        if number != signal.SIGALRM:
            self.signal = signal.Signals(number).name
        self.set()
        if not self._interruptible:
            return
        if again:
            raise Interrupted
        signal.setitimer(signal.ITIMER_REAL, GRACE)


@final
class _Interruptible:
    def __init__(self, stopping: Stopping) -> None:
        self._stopping = stopping

    def __enter__(self) -> None:
        self._stopping._interruptible = True

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> bool:
        """Swallows the interruption: the block has ended, as it was asked to."""
        self._stopping._interruptible = False
        return kind is Interrupted
