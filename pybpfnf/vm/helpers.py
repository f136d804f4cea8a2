"""The helpers that the VM emulates, by the names of their rows, and why it does not emulate the others.

A helper takes the host and its arguments as `arguments` unpacks them, and gives what goes into r0: a number, negative for an error.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping

from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.runner import FaultKind
from pybpfnf.vm.alu import U32
from pybpfnf.vm.callbacks import CALLBACK_HELPERS
from pybpfnf.vm.dynptr_helpers import DYNPTR_HELPERS
from pybpfnf.vm.encap import lwt_push_encap
from pybpfnf.vm.event_helpers import EVENT_HELPERS
from pybpfnf.vm.faults import GuestFault
from pybpfnf.vm.host import Host
from pybpfnf.vm.locks import spin_lock, spin_unlock
from pybpfnf.vm.maps import VmMap
from pybpfnf.vm.memory import STACK_SIZE
from pybpfnf.vm.printk import trace_printk, trace_vprintk
from pybpfnf.vm.queues import QUEUE_HELPERS
from pybpfnf.vm.redirect import REDIRECT_HELPERS
from pybpfnf.vm.seg6_helpers import SEG6_HELPERS, flow_hash
from pybpfnf.vm.skb import Skb
from pybpfnf.vm.tails import tail_call
from pybpfnf.vm.tc_helpers import TC_HELPERS
from pybpfnf.vm.timer_helpers import TIMER_HELPERS
from pybpfnf.vm.xdp_helpers import XDP_HELPERS
from pybpfnf.vm.xmit_helpers import XMIT_HELPERS

_JIFFY_NS = 4_000_000  # a kernel with CONFIG_HZ=250

# ------------------------------------------------------------------------------------------------------- maps


def map_lookup_elem(host: Host, map_: VmMap, key: bytes) -> int:
    return map_.find(key)


def map_update_elem(host: Host, map_: VmMap, key: bytes, value: bytes, flags: int) -> int:
    return map_.put(key, value, flags)


def map_delete_elem(host: Host, map_: VmMap, key: bytes) -> int:
    return map_.remove(key)


def map_lookup_percpu_elem(host: Host, map_: VmMap, key: bytes, cpu: int) -> int:
    if not map_.per_cpu:
        raise GuestFault(FaultKind.HELPER, f"map_lookup_percpu_elem: map {map_.spec.name!r} is not a per-CPU map")
    return map_.find(key, cpu & U32) if cpu & U32 < host.environment.cpus else 0


# --------------------------------------------------------------------------------------------- time and chance


def ktime_get_ns(host: Host) -> int:
    return host.now


def ktime_get_tai_ns(host: Host) -> int:
    return host.environment.clock_tai + host.elapsed


def jiffies64(host: Host) -> int:
    return ktime_get_ns(host) // _JIFFY_NS


def get_prandom_u32(host: Host) -> int:
    return host.random.u32()


def get_smp_processor_id(host: Host) -> int:
    return host.environment.cpu


# ------------------------------------------------------------------------------------------------- the packet


def skb_load_bytes(host: Host, skb: Skb, offset: int, target: int, size: int) -> int:
    """Past the end of the packet the target is cleared, and the answer -EFAULT."""
    offset &= U32
    if offset + size > len(skb.data):
        host.memory.write(target, bytes(size))
        return -errno.EFAULT
    host.memory.write(target, bytes(skb.data[offset : offset + size]))
    return 0


def csum_diff(host: Host, old: bytes, old_size: int, new: bytes, new_size: int, seed: int) -> int:
    """Folded to 16 bits, and of any size, since Linux 6.13."""
    if not host.kernel.csum_diff_folds:
        return _unfolded_difference(old, new, seed & U32)
    if old and not new:
        total = ~_csum_partial(old, ~seed & U32) & U32
    else:
        total = _csum_partial(new, seed & U32)
        if old:
            total = _end_around(total + (~_csum_partial(old, 0) & U32))
    return (total + (total >> 16 | total << 16) & U32) >> 16


def _unfolded_difference(old: bytes, new: bytes, seed: int) -> int:
    """What the kernel puts together first has room for a stack's worth."""
    if len(old) % 4 or len(new) % 4 or len(old) + len(new) > STACK_SIZE:
        return -errno.EINVAL
    return _csum_partial(bytes(byte ^ 0xFF for byte in old) + new, seed)


def _csum_partial(data: bytes, seed: int) -> int:
    return _end_around(seed + sum(int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)))


def _end_around(total: int) -> int:
    """The one's complement sum of 32 bits: carries come back in at the low end."""
    while total >> 32:
        total = (total & U32) + (total >> 32)
    return total


def get_hash_recalc(host: Host, skb: Skb) -> int:
    """A stand-in, where no program has set one: the kernel's hash has a key that is random at each boot. Equal flows have equal hashes."""
    return skb.hash or flow_hash(skb)


# ----------------------------------------------------------------------------------------------------- control


def _zero(host: Host, *_: object) -> int:
    """What this router has none of: NUMA nodes beyond the first, realms, classes."""
    return 0


EMULATED: dict[str, Callable[..., int]] = {
    "map_lookup_elem": map_lookup_elem,
    "map_update_elem": map_update_elem,
    "map_delete_elem": map_delete_elem,
    "map_lookup_percpu_elem": map_lookup_percpu_elem,
    "ktime_get_ns": ktime_get_ns,
    "ktime_get_boot_ns": ktime_get_ns,
    "ktime_get_coarse_ns": ktime_get_ns,
    "ktime_get_tai_ns": ktime_get_tai_ns,
    "jiffies64": jiffies64,
    "get_prandom_u32": get_prandom_u32,
    "get_smp_processor_id": get_smp_processor_id,
    "get_numa_node_id": _zero,
    "get_route_realm": _zero,
    "get_cgroup_classid": _zero,
    "skb_load_bytes": skb_load_bytes,
    "csum_diff": csum_diff,
    "get_hash_recalc": get_hash_recalc,
    "trace_printk": trace_printk,
    "trace_vprintk": trace_vprintk,
    "tail_call": tail_call,
    "spin_lock": spin_lock,
    "spin_unlock": spin_unlock,
    "lwt_push_encap": lwt_push_encap,
    **CALLBACK_HELPERS,
    **TIMER_HELPERS,
    **DYNPTR_HELPERS,
    **EVENT_HELPERS,
    **QUEUE_HELPERS,
    **SEG6_HELPERS,
    **XMIT_HELPERS,
    **REDIRECT_HELPERS,
    **TC_HELPERS,
    **XDP_HELPERS,
}
"""By the name of the helper's row."""

_TUNNELS = "tunnel metadata is not emulated"
_TASKS = "a packet comes in whatever process was interrupted: there is no task to emulate"
_KERNEL_MEMORY = "there is no kernel or user memory to look into"
_TYPED = "kernel objects (storage, sockets) are not emulated"
_TEXT = "text in maps is not emulated"
_READER = "what the reader of a buffer or counter does is not emulated"

_NEIGHBOURS = "devices have neither neighbours nor MTUs here"
_SOCKETS = "a packet has no socket here, and none is looked up"

NOT_EMULATED: Mapping[str, str] = {
    **dict.fromkeys(("fib_lookup", "check_mtu", "redirect_neigh", "redirect_peer"), _NEIGHBOURS),
    **dict.fromkeys(
        (
            "sk_lookup_tcp", "sk_lookup_udp", "sk_release", "skc_lookup_tcp", "sk_fullsock", "tcp_sock", "get_listener_sock", "sk_assign",
            "sk_storage_get", "sk_storage_delete", "get_socket_cookie", "get_socket_uid", "skb_cgroup_id", "skb_ancestor_cgroup_id",
            "skb_cgroup_classid", "get_netns_cookie", "skb_get_xfrm_state",
        ),
        _SOCKETS,
    ),
    **dict.fromkeys(
        (
            "tcp_check_syncookie", "tcp_gen_syncookie", "tcp_raw_gen_syncookie_ipv4", "tcp_raw_gen_syncookie_ipv6",
            "tcp_raw_check_syncookie_ipv4", "tcp_raw_check_syncookie_ipv6",
        ),
        "SYN cookies have a key that is random at each boot",
    ),
    "skb_set_tstamp": "there is no queueing discipline to deliver at a time",
    **dict.fromkeys(("skb_get_tunnel_key", "skb_set_tunnel_key", "skb_get_tunnel_opt", "skb_set_tunnel_opt"), _TUNNELS),
    **dict.fromkeys(("user_ringbuf_drain", "perf_event_read", "perf_event_read_value"), _READER),
    **dict.fromkeys(("strtol", "strtoul", "strncmp", "snprintf", "snprintf_btf"), _TEXT),
    **dict.fromkeys(
        (
            "get_current_pid_tgid", "get_ns_current_pid_tgid", "get_current_uid_gid", "get_current_comm", "get_current_task",
            "get_current_task_btf", "task_pt_regs", "current_task_under_cgroup", "get_current_cgroup_id",
            "get_current_ancestor_cgroup_id", "get_task_stack", "get_branch_snapshot", "find_vma", "send_signal", "send_signal_thread",
            "skb_under_cgroup",
        ),
        _TASKS,
    ),
    **dict.fromkeys(("probe_read_user", "probe_read_user_str", "probe_read_kernel", "probe_read_kernel_str"), _KERNEL_MEMORY),
    **dict.fromkeys(
        (
            "kptr_xchg", "per_cpu_ptr",
            "this_cpu_ptr", "task_storage_get", "task_storage_delete", "cgrp_storage_get",
            "cgrp_storage_delete", "skc_to_tcp6_sock", "skc_to_tcp_sock", "skc_to_tcp_timewait_sock", "skc_to_tcp_request_sock",
            "skc_to_udp6_sock", "skc_to_unix_sock", "skc_to_mptcp_sock",
        ),
        _TYPED,
    ),
}  # fmt: skip
"""Why not, by the name of the helper's row. With EMULATED, every helper that has a row."""

WITHDRAWN: Mapping[str, str] = {
    "skb_pull_data": "the kernel frees the packet under a seg6local program that calls it (CVE-2026-98383)",
}
"""Why a helper that is emulated is not where its row says that it is withdrawn."""


def unavailable(name: str, program_type: str | None) -> str | None:
    """Why a program of that type cannot call the helper here; None where it can."""
    row = PROGRAM_TYPES[program_type] if program_type is not None else None
    if row is not None and name not in row.helpers | row.withdrawn:
        return f"{name}: programs of type {row.name} cannot use this helper"
    if row is not None and name in row.withdrawn:
        return f"{name} is not emulated: {WITHDRAWN[name]}"
    return None if name in EMULATED else f"{name} is not emulated: {NOT_EMULATED.get(name, 'nobody has written it yet')}"
