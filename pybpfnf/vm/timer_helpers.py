"""Helpers of timers, by the names of their rows; what they give is as in `helpers` (kernel/bpf/helpers.c, bpf_timer_*).

A timer's function runs when the emulated clock has come so far: before the next packet, or when a session's clock is put forward.
Where an array's element is written whole, the kernel gives its timer up; here it stays.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping

from pybpfnf.runner import FaultKind
from pybpfnf.vm.faults import GuestFault
from pybpfnf.vm.host import Host
from pybpfnf.vm.maps import VmMap
from pybpfnf.vm.memory import Region
from pybpfnf.vm.timer import Timer

_SIZE = 16  # struct bpf_timer
_OFFSET = 0xFFFFFFFF
_CLOCKS = (0, 1, 7)  # CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, which all go by the emulated clock here
_ABSOLUTE, _PINNED = 1, 2  # BPF_F_TIMER_ABS, BPF_F_TIMER_CPU_PIN


def timer_init(host: Host, place: int, map_: VmMap, flags: int) -> int:
    value = host.memory.region(place)
    if not value.name.startswith("a value of map") or (place & _OFFSET) + _SIZE > len(value.data):
        raise GuestFault(FaultKind.HELPER, "timer_init: expected a timer in a map's value")
    if flags not in _CLOCKS:
        return -errno.EINVAL
    if host.timers.at(place) is not None:
        return -errno.EBUSY
    host.timers.add(place, Timer(map_, value))
    return 0


def timer_set_callback(host: Host, place: int, function: int) -> int:
    timer = host.timers.at(place)
    if timer is None:
        return -errno.EINVAL
    timer.function = function
    return 0


def timer_start(host: Host, place: int, nanoseconds: int, flags: int) -> int:
    timer = host.timers.at(place)
    if flags & ~(_ABSOLUTE | _PINNED) or timer is None or timer.function is None:
        return -errno.EINVAL
    timer.expires = nanoseconds if flags & _ABSOLUTE else host.now + nanoseconds
    return 0


def timer_cancel(host: Host, place: int) -> int:
    """Its function is forgotten too."""
    timer = host.timers.at(place)
    if timer is None:
        return -errno.EINVAL
    if timer is host.timers.running:
        return -errno.EDEADLK
    active = timer.expires is not None
    timer.expires = timer.function = None
    return int(active)


def call_back(host: Host, timer: Timer) -> int:
    """The timer's function, with its map, key and value."""
    key = Region("a key", bytearray(timer.key), writable=False)
    host.memory.add(key)
    timer.expires, host.timers.running = None, timer
    try:
        assert timer.function is not None  # it was started
        return host.call(timer.function, (timer.map.handle, key.address, timer.value.address))
    finally:
        host.timers.running = None
        host.memory.retire(key, "a key is there only during its call")


TIMER_HELPERS: Mapping[str, Callable[..., int]] = {
    function.__name__: function for function in (timer_init, timer_set_callback, timer_start, timer_cancel)
}
