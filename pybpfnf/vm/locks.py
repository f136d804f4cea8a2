"""Spin locks: which one a program holds. Nobody else runs meanwhile, so that taking one never waits."""

from __future__ import annotations

from pybpfnf.runner import FaultKind
from pybpfnf.vm.faults import GuestFault
from pybpfnf.vm.host import Host

_OFFSET = 0xFFFFFFFF


def spin_lock(host: Host, lock: int) -> int:
    _check(host, "spin_lock", lock)
    host.lock = lock
    return 0


def spin_unlock(host: Host, lock: int) -> int:
    _check(host, "spin_unlock", lock)
    if host.lock is None:
        raise GuestFault(FaultKind.HELPER, "spin_unlock: no lock is held")
    if lock != host.lock:
        raise GuestFault(FaultKind.HELPER, "spin_unlock: the lock that is held is another")
    host.lock = None
    return 0


def _check(host: Host, helper: str, lock: int) -> None:
    """The address is that of a lock in a map's value; the object's types say where one is."""
    region = host.memory.region(lock)
    if region.lock is None or region.lock != lock & _OFFSET:
        raise GuestFault(FaultKind.HELPER, f"{helper}: {region.name} has no bpf_spin_lock there")
