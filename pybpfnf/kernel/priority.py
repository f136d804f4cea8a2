"""The scheduling of a process that stands for hardware (sched(7), prctl(2))."""

from __future__ import annotations

import os
from contextlib import suppress

from pybpfnf.kernel.libc import LIBC

_PR_SET_TIMERSLACK = 29


def keep_time() -> bool:
    """Before everything that is not real-time, and woken to the microsecond, not when it suits. False where the first is not allowed:
    then it waits for the processor as others do."""
    LIBC.prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(os.sched_get_priority_min(os.SCHED_RR)))
        return True
    return False
