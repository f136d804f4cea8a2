"""Which class emulates which map type."""

from __future__ import annotations

from collections.abc import Mapping

from pybpfnf.errors import InputError
from pybpfnf.image.model import MapSpec
from pybpfnf.vm.device_maps import DeviceArray, DeviceHash, NoTargets
from pybpfnf.vm.events import PerfEventArray, RingBuffer
from pybpfnf.vm.maps import ArrayMap, HashMap, LpmTrieMap, LruHashMap, LruPercpuHashMap, PercpuArrayMap, PercpuHashMap, VmMap
from pybpfnf.vm.memory import Memory
from pybpfnf.vm.queues import QueueMap, StackMap
from pybpfnf.vm.tails import ProgArrayMap

MAP_CLASSES: Mapping[str, type[VmMap]] = {
    "array": ArrayMap,
    "percpu_array": PercpuArrayMap,
    "hash": HashMap,
    "percpu_hash": PercpuHashMap,
    "lru_hash": LruHashMap,
    "lru_percpu_hash": LruPercpuHashMap,
    "lpm_trie": LpmTrieMap,
    "queue": QueueMap,
    "stack": StackMap,
    "ringbuf": RingBuffer,
    "perf_event_array": PerfEventArray,
    "prog_array": ProgArrayMap,
    "devmap": DeviceArray,
    "devmap_hash": DeviceHash,
    "cpumap": NoTargets,
    "xskmap": NoTargets,
}
"""Storage by map type; the keys are rows of abi.maps."""


def make_map(spec: MapSpec, memory: Memory, cpus: int, cpu: int) -> VmMap:
    """A map with its first contents; raises InputError for a type that is not emulated."""
    storage = MAP_CLASSES.get(spec.type)
    if storage is None:
        raise InputError(f"map {spec.name!r} is of type {spec.type}, which the VM does not have", hint=f"it has: {', '.join(MAP_CLASSES)}")
    return storage(spec, memory, cpus, cpu)
