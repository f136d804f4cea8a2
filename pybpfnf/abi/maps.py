"""Map-type rows: enum bpf_map_type (include/uapi/linux/bpf.h of Linux 6.18), by the names that bpftool prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from pybpfnf.records import dataclass

# Flags of a map when it is made.
BPF_F_NO_PREALLOC, BPF_F_RDONLY_PROG, BPF_F_MMAPABLE = 1 << 0, 1 << 7, 1 << 10
# Flags of an update: whether the key may, must not or must be there.
BPF_ANY, BPF_NOEXIST, BPF_EXIST = range(3)
# Of an update and of a look-up: with the spin lock of the value held.
BPF_F_LOCK = 4


@final
@dataclass(frozen=True, slots=True)
class MapType:
    """One map type (enum bpf_map_type, include/uapi/linux/bpf.h).

    `fixed_key_size`, `fixed_value_size`: bytes, where the kernel takes no other. `max_entries_is_size`: max_entries counts
    bytes, a power of two and whole pages. `drops`: a full one makes room by itself. `indexed`: its keys are
    the numbers below max_entries, whose values are all there from the start. `flags`: the map_flags without which the kernel
    makes none. `of_records`: programs send records through it, and a reader takes them.
    """

    name: str  # "array", "percpu_hash", as bpftool spells it
    id: int
    since: str
    doc: str
    per_cpu: bool = False
    has_keys: bool = True
    fixed_key_size: int | None = None
    fixed_value_size: int | None = None
    max_entries_is_size: bool = False
    drops: bool = False
    flags: int = 0
    indexed: bool = False
    of_records: bool = False


_ROWS = (
    MapType("hash", 1, "3.19", "Any key to a value."),
    MapType("array", 2, "3.19", "Values by index, all there from the start and zero.", fixed_key_size=4, indexed=True),
    MapType("prog_array", 3, "4.2", "Programs to tail-call, by index.", fixed_key_size=4, fixed_value_size=4),
    MapType("perf_event_array", 4, "4.3", "Perf events, one ring a CPU to send samples through.", fixed_key_size=4, fixed_value_size=4,
            of_records=True),
    MapType("percpu_hash", 5, "4.6", "A hash with a value for each CPU.", per_cpu=True),
    MapType("percpu_array", 6, "4.6", "An array with a value for each CPU.", per_cpu=True, fixed_key_size=4, indexed=True),
    MapType("stack_trace", 7, "4.6", "Call stacks by their id.", fixed_key_size=4),
    MapType("cgroup_array", 8, "4.8", "Cgroups to compare with, by index.", fixed_key_size=4, fixed_value_size=4),
    MapType("lru_hash", 9, "4.10", "A hash that makes room by dropping the entries used least recently.", drops=True),
    MapType("lru_percpu_hash", 10, "4.10", "As lru_hash, with a value for each CPU.", per_cpu=True, drops=True),
    MapType("lpm_trie", 11, "4.11", "Longest matching prefix; a key is its length in bits (u32) and then its bytes, in network order.",
            flags=BPF_F_NO_PREALLOC),
    MapType("array_of_maps", 12, "4.12", "Maps of one shape by index.", fixed_key_size=4, fixed_value_size=4),
    MapType("hash_of_maps", 13, "4.12", "Maps of one shape by key.", fixed_value_size=4),
    MapType("devmap", 14, "4.14", "Devices to redirect frames to, by index.", fixed_key_size=4),
    MapType("sockmap", 15, "4.14", "Sockets by index.", fixed_key_size=4),
    MapType("cpumap", 16, "4.15", "CPUs to redirect frames to.", fixed_key_size=4),
    MapType("xskmap", 17, "4.18", "AF_XDP sockets by index.", fixed_key_size=4, fixed_value_size=4),
    MapType("sockhash", 18, "4.18", "Sockets by key."),
    MapType("cgroup_storage", 19, "4.19", "A value for each cgroup and attach point."),
    MapType("reuseport_sockarray", 20, "4.19", "Sockets of a reuseport group, by index.", fixed_key_size=4),
    MapType("percpu_cgroup_storage", 21, "4.20", "As cgroup_storage, with a value for each CPU.", per_cpu=True),
    MapType("queue", 22, "4.20", "Values, first in first out.", has_keys=False, fixed_key_size=0),
    MapType("stack", 23, "4.20", "Values, last in first out.", has_keys=False, fixed_key_size=0),
    MapType("sk_storage", 24, "5.2", "A value for each socket.", fixed_key_size=4),
    MapType("devmap_hash", 25, "5.4", "Devices to redirect frames to, by key.", fixed_key_size=4),
    MapType("struct_ops", 26, "5.6", "Kernel operations written in BPF.", fixed_key_size=4),
    MapType("ringbuf", 27, "5.8", "Records for one reader, in the order they were reserved.",
            has_keys=False, fixed_key_size=0, fixed_value_size=0, max_entries_is_size=True, of_records=True),
    MapType("inode_storage", 28, "5.10", "A value for each inode.", fixed_key_size=4),
    MapType("task_storage", 29, "5.11", "A value for each task.", fixed_key_size=4),
    MapType("bloom_filter", 30, "5.16", "Whether a value may have been added.", has_keys=False, fixed_key_size=0),
    MapType("user_ringbuf", 31, "6.1", "Records from user space.", has_keys=False, fixed_key_size=0, fixed_value_size=0,
            max_entries_is_size=True),
    MapType("cgrp_storage", 32, "6.2", "A value for each cgroup.", fixed_key_size=4),
    MapType("arena", 33, "6.9", "Memory shared with user space; max_entries counts pages.",
            has_keys=False, fixed_key_size=0, fixed_value_size=0),
)  # fmt: skip

MAP_TYPES: Mapping[str, MapType] = {row.name: row for row in _ROWS}
"""Every map type by name."""

MAP_TYPES_BY_ID: Mapping[int, MapType] = {row.id: row for row in _ROWS}
