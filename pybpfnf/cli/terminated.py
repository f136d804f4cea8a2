"""SIGTERM and SIGHUP as an exception, so that what a command has begun is taken back as it is on an interrupt."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self, final

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


@final
class Terminated(BaseException):
    """`number` is the signal's. No Exception, so that nothing takes it for a failure that it can handle."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@final
class Terminating:
    """A context in which the first of these signals raises Terminated in the main thread. A second one ends the process at once.

    What is ignored stays so (`nohup`), and so does what has a handler already.
    """

    def __init__(self) -> None:
        self._former: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._former = {each: signal.signal(each, _terminate) for each in _SIGNALS if signal.getsignal(each) is signal.SIG_DFL}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        for each, former in self._former.items():
            signal.signal(each, former)


def _terminate(number: int, _frame: FrameType | None) -> None:
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_DFL)
    raise Terminated(number)
