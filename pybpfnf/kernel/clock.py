"""How far this machine's CLOCK_TAI is ahead of its CLOCK_REALTIME: what a program needs to tell the time of day."""

from __future__ import annotations

import time

_SECOND = 1_000_000_000
_PATIENCE = _SECOND // 10  # between the two readings; half a second would be rounded to the wrong offset


def tai_offset() -> int:
    """Nanoseconds, in whole seconds as the kernel keeps it (timekeeping.tai_offset, kernel/time/timekeeping.c).

    0 until an NTP daemon has told the kernel (adjtimex, ADJ_TAI): CLOCK_TAI is then CLOCK_REALTIME itself.
    """
    while True:
        before = time.clock_gettime_ns(time.CLOCK_REALTIME)
        tai = time.clock_gettime_ns(time.CLOCK_TAI)
        if 0 <= time.clock_gettime_ns(time.CLOCK_REALTIME) - before < _PATIENCE:
            return round((tai - before) / _SECOND) * _SECOND
