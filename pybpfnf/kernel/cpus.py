"""Which CPU a thread is on while a packet of its is handled."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from pybpfnf.errors import SystemLacksError


def checked_cpu(cpu: int) -> int:
    """The number, where this process may run there; SystemLacksError where not."""
    if cpu not in os.sched_getaffinity(0):
        raise SystemLacksError(f"this process may not run on CPU {cpu}", hint=f"it may on {sorted(os.sched_getaffinity(0))}")
    return cpu


@contextmanager
def on_cpu(cpu: int) -> Iterator[None]:
    """This thread on one CPU: the program runs there, and packets stay in order, for each CPU has a queue of its own."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
