"""Helper rows: what the kernel offers a program to call, by name and number.

Every helper that one of the four lightweight-tunnel types may call, and in `device_helpers` what XDP and tc have besides
(net/core/filter.c, kernel/bpf/helpers.c, kernel/trace/bpf_trace.c of Linux 6.18; numbers and C signatures from include/uapi/linux/bpf.h).
Behaviour in the VM lives in `vm/helpers`, keyed by these names; which program type may call what is in `programs`.
"""

from __future__ import annotations

from collections.abc import Mapping

from pybpfnf.abi.device_helpers import SHARED, TC, XDP
from pybpfnf.abi.helper import Arg as Arg
from pybpfnf.abi.helper import Helper as Helper

CTX, SCALAR, MAP, MAP_KEY, MAP_VALUE, MAP_VALUE_OUT = Arg.CTX, Arg.SCALAR, Arg.MAP, Arg.MAP_KEY, Arg.MAP_VALUE, Arg.MAP_VALUE_OUT
MEM, MEM_OR_NULL, MEM_OUT, SIZE, SIZE_OR_ZERO = Arg.MEM, Arg.MEM_OR_NULL, Arg.MEM_OUT, Arg.SIZE, Arg.SIZE_OR_ZERO
DYNPTR_OUT, DYNPTR = Arg.DYNPTR_OUT, Arg.DYNPTR
FUNC, STACK_OR_NULL, RECORD, OTHER, VOID = Arg.FUNC, Arg.STACK_OR_NULL, Arg.RECORD, Arg.OTHER, Arg.VOID
MAP_VALUE_OR_NULL, RECORD_OR_NULL = Arg.MAP_VALUE_OR_NULL, Arg.RECORD_OR_NULL

_MAPS = (
    Helper("map_lookup_elem", 1, (MAP, MAP_KEY), MAP_VALUE_OR_NULL, "3.19", "Address of the value under a key, or null."),
    Helper("map_update_elem", 2, (MAP, MAP_KEY, MAP_VALUE, SCALAR), SCALAR, "3.19",
           "Store a value under a key; flags: 0 always, 1 only if the key is new, 2 only if it exists."),
    Helper("map_delete_elem", 3, (MAP, MAP_KEY), SCALAR, "3.19", "Remove a key; -ENOENT when it is not there."),
    Helper("map_push_elem", 87, (MAP, MAP_VALUE, SCALAR), SCALAR, "4.20",
           "Push a value on a queue or stack, or add it to a Bloom filter; flag 2 drops the oldest of a full queue."),
    Helper("map_pop_elem", 88, (MAP, MAP_VALUE_OUT), SCALAR, "4.20", "Take the next value off a queue or stack."),
    Helper("map_peek_elem", 89, (MAP, MAP_VALUE_OUT), SCALAR, "4.20",
           "Copy the next value of a queue or stack; of a Bloom filter, say whether it may hold the given value."),
    Helper("map_lookup_percpu_elem", 195, (MAP, MAP_KEY, SCALAR), MAP_VALUE_OR_NULL, "5.19",
           "Address of the value that another CPU has under a key, or null."),
    Helper("for_each_map_elem", 164, (MAP, FUNC, STACK_OR_NULL, SCALAR), SCALAR, "5.13",
           "Call a function on each element of a map; gives the number of elements visited."),
    Helper("tail_call", 12, (CTX, MAP, SCALAR), VOID, "4.2",
           "Continue in another program of a program array and do not return; falls through when there is none at the index: packet"
           " pointers are then as before, but for the verifiers of Linux 6.12 to 6.17, which take them for stale."),
)  # fmt: skip

_EVENTS = (
    Helper("perf_event_output", 25, (CTX, MAP, SCALAR, MEM, SIZE_OR_ZERO), SCALAR, "4.4",
           "Send bytes to user space through a perf event array, with the start of the packet on request.", gpl_only=True),
    Helper("ringbuf_output", 130, (MAP, MEM, SIZE_OR_ZERO, SCALAR), SCALAR, "5.8", "Copy bytes into a ring buffer."),
    Helper("ringbuf_reserve", 131, (MAP, SCALAR, SCALAR), RECORD_OR_NULL, "5.8",
           "Reserve a record of constant size in a ring buffer, to be submitted or discarded on every path."),
    Helper("ringbuf_submit", 132, (RECORD, SCALAR), VOID, "5.8", "Hand a reserved record to the reader."),
    Helper("ringbuf_discard", 133, (RECORD, SCALAR), VOID, "5.8", "Give up a reserved record."),
    Helper("ringbuf_query", 134, (MAP, SCALAR), SCALAR, "5.8",
           "State of a ring buffer: 0 bytes unread, 1 size, 2 reader's position, 3 writer's position."),
    Helper("user_ringbuf_drain", 209, (MAP, FUNC, STACK_OR_NULL, SCALAR), SCALAR, "6.1",
           "Call a function on each sample that user space has put in a user ring buffer."),
    Helper("trace_printk", 6, (MEM, SIZE), SCALAR, "4.1",
           "Write a line of text with up to three numbers to the kernel's trace buffer.", gpl_only=True, variadic=3),
    Helper("trace_vprintk", 177, (MEM, SIZE, MEM_OR_NULL, SIZE_OR_ZERO), SCALAR, "5.16",
           "As trace_printk, with the numbers in an array of u64.", gpl_only=True),
    Helper("perf_event_read", 22, (MAP, SCALAR), SCALAR, "4.3", "Read a hardware counter of a perf event array.",
           gpl_only=True, lwt_since="6.16"),
    Helper("perf_event_read_value", 55, (MAP, SCALAR, MEM_OUT, SIZE), SCALAR, "4.15",
           "Read a hardware counter with the times it was enabled and running.", gpl_only=True, lwt_since="6.16"),
)  # fmt: skip

_ENVIRONMENT = (
    Helper("ktime_get_ns", 5, (), SCALAR, "4.1", "Nanoseconds since boot, without time asleep (CLOCK_MONOTONIC)."),
    Helper("ktime_get_boot_ns", 125, (), SCALAR, "5.8", "Nanoseconds since boot, time asleep included (CLOCK_BOOTTIME)."),
    Helper("ktime_get_coarse_ns", 160, (), SCALAR, "5.11", "CLOCK_MONOTONIC as of the last timer tick: cheaper, less exact."),
    Helper("ktime_get_tai_ns", 208, (), SCALAR, "6.1", "Nanoseconds of International Atomic Time since 1970 (CLOCK_TAI)."),
    Helper("jiffies64", 118, (), SCALAR, "5.6", "Timer ticks since boot."),
    Helper("get_prandom_u32", 7, (), SCALAR, "4.1", "A pseudo-random number of 32 bits."),
    Helper("get_smp_processor_id", 8, (), SCALAR, "4.1", "Number of the CPU that the program runs on."),
    Helper("get_numa_node_id", 42, (), SCALAR, "4.10", "Number of the NUMA node that the program runs on."),
)  # fmt: skip

_PACKET = (
    Helper("skb_load_bytes", 26, (CTX, SCALAR, MEM_OUT, SIZE), SCALAR, "4.5",
           "Copy bytes of the packet from an offset; -EFAULT past its end."),
    Helper("skb_pull_data", 39, (CTX, SCALAR), SCALAR, "4.9",
           "Make the first bytes of the packet linear, so that they lie between data and data_end.", changes_packet=True),
    Helper("csum_diff", 28, (MEM_OR_NULL, SIZE_OR_ZERO, MEM_OR_NULL, SIZE_OR_ZERO, SCALAR), SCALAR, "4.6",
           "Difference of the checksums of two buffers, each a multiple of four bytes, added to a seed."),
    Helper("get_hash_recalc", 34, (CTX,), SCALAR, "4.8", "The packet's flow hash, computed where there is none."),
    Helper("get_route_realm", 24, (CTX,), SCALAR, "4.4", "Realm of the packet's route, 0 where it has none."),
    Helper("get_cgroup_classid", 17, (CTX,), SCALAR, "4.3", "net_cls class of the socket that sent the packet."),
    Helper("skb_under_cgroup", 33, (CTX, MAP, SCALAR), SCALAR, "4.8", "Whether the packet's socket is below a cgroup of a cgroup array."),
)  # fmt: skip

_ENCAP = (
    Helper("lwt_push_encap", 73, (CTX, SCALAR, MEM, SIZE), SCALAR, "4.18",
           "Encapsulate the packet; type 0 outer IPv6 header and the given SRH, 1 the SRH inline, 2 the given IP header.",
           changes_packet=True),
)  # fmt: skip

_SEG6 = (
    Helper("lwt_seg6_store_bytes", 74, (CTX, SCALAR, MEM, SIZE), SCALAR, "4.18",
           "Write the SRH's flags, tag or TLVs, at an offset from the start of the IPv6 header.", changes_packet=True),
    Helper("lwt_seg6_adjust_srh", 75, (CTX, SCALAR, SCALAR), SCALAR, "4.18",
           "Grow (with zeros) or shrink the SRH's TLV area at an offset from the start of the IPv6 header.", changes_packet=True),
    Helper("lwt_seg6_action", 76, (CTX, SCALAR, MEM, SIZE), SCALAR, "4.18",
           "Apply a seg6local action: 2 End.X, 3 End.T, 7 End.DT6, 9 End.B6, 10 End.B6.Encaps.", changes_packet=True),
)  # fmt: skip

_XMIT = (
    Helper("skb_store_bytes", 9, (CTX, SCALAR, MEM, SIZE, SCALAR), SCALAR, "4.1",
           "Write bytes into the packet at an offset; flag 1 mends the checksum state, 2 forgets the hash.", changes_packet=True),
    Helper("l3_csum_replace", 10, (CTX, SCALAR, SCALAR, SCALAR, SCALAR), SCALAR, "4.1",
           "Mend the IPv4 header checksum for a changed field.", changes_packet=True),
    Helper("l4_csum_replace", 11, (CTX, SCALAR, SCALAR, SCALAR, SCALAR), SCALAR, "4.1",
           "Mend a TCP, UDP or ICMP checksum for a changed field.", changes_packet=True),
    Helper("csum_update", 40, (CTX, SCALAR), SCALAR, "4.9", "Add to the checksum that the device computed over the packet."),
    Helper("csum_level", 135, (CTX, SCALAR), SCALAR, "5.8", "Change or read how many checksums are known to be right."),
    Helper("skb_change_head", 43, (CTX, SCALAR, SCALAR), SCALAR, "4.10", "Make room in front of the packet.", changes_packet=True),
    Helper("skb_change_tail", 38, (CTX, SCALAR, SCALAR), SCALAR, "4.9", "Cut the packet or lengthen it with zeros.", changes_packet=True),
    Helper("set_hash_invalid", 41, (CTX,), SCALAR, "4.9", "Forget the packet's flow hash."),
    Helper("redirect", 23, (SCALAR, SCALAR), SCALAR, "4.4", "Send the packet to another device once the program has returned REDIRECT."),
    Helper("clone_redirect", 13, (CTX, SCALAR, SCALAR), SCALAR, "4.2", "Send a copy of the packet to another device.", changes_packet=True),
    Helper("skb_get_tunnel_key", 20, (CTX, MEM_OUT, SIZE, SCALAR), SCALAR, "4.3", "Metadata of the tunnel that the packet came through."),
    Helper("skb_set_tunnel_key", 21, (CTX, MEM, SIZE, SCALAR), SCALAR, "4.3", "Metadata for the tunnel that the packet will take."),
    Helper("skb_get_tunnel_opt", 29, (CTX, MEM_OUT, SIZE), SCALAR, "4.6", "Options of the tunnel that the packet came through."),
    Helper("skb_set_tunnel_opt", 30, (CTX, MEM, SIZE), SCALAR, "4.6", "Options for the tunnel that the packet will take."),
)  # fmt: skip

_CODE = (
    Helper("loop", 181, (SCALAR, FUNC, STACK_OR_NULL, SCALAR), SCALAR, "5.17", "Call a function a number of times, until it returns 1."),
    Helper("spin_lock", 93, (OTHER,), VOID, "5.1", "Take the lock in a map value."),
    Helper("spin_unlock", 94, (OTHER,), VOID, "5.1", "Release the lock in a map value."),
    Helper("timer_init", 169, (OTHER, MAP, SCALAR), SCALAR, "5.15", "Prepare the timer in a map value.", gpl_only=True),
    Helper("timer_set_callback", 170, (OTHER, FUNC), SCALAR, "5.15", "Choose the function that a timer calls.", gpl_only=True),
    Helper("timer_start", 171, (OTHER, SCALAR, SCALAR), SCALAR, "5.15", "Start a timer.", gpl_only=True),
    Helper("timer_cancel", 172, (OTHER,), SCALAR, "5.15", "Stop a timer and wait for its function.", gpl_only=True),
    Helper("kptr_xchg", 194, (OTHER, OTHER), OTHER, "5.19", "Exchange a kernel pointer kept in a map value."),
    Helper("per_cpu_ptr", 153, (OTHER, SCALAR), OTHER, "5.10", "Address of a CPU's copy of a kernel variable, or null."),
    Helper("this_cpu_ptr", 154, (OTHER,), OTHER, "5.10", "Address of this CPU's copy of a kernel variable."),
    Helper("dynptr_from_mem", 197, (MEM_OUT, SIZE_OR_ZERO, SCALAR, DYNPTR_OUT), SCALAR, "5.19", "Make a dynamic pointer to a map value."),
    Helper("dynptr_read", 201, (MEM_OUT, SIZE_OR_ZERO, DYNPTR, SCALAR, SCALAR), SCALAR, "5.19", "Copy bytes out of a dynamic pointer."),
    Helper("dynptr_write", 202, (DYNPTR, SCALAR, MEM, SIZE_OR_ZERO, SCALAR), SCALAR, "5.19", "Copy bytes into a dynamic pointer."),
    Helper("dynptr_data", 203, (DYNPTR, SCALAR, SCALAR), OTHER, "5.19", "Address of a slice of a dynamic pointer, or null."),
    Helper("ringbuf_reserve_dynptr", 198, (MAP, SCALAR, SCALAR, DYNPTR_OUT), SCALAR, "5.19", "Reserve a ring-buffer record of any size."),
    Helper("ringbuf_submit_dynptr", 199, (DYNPTR, SCALAR), VOID, "5.19", "Hand a record from ringbuf_reserve_dynptr to the reader."),
    Helper("ringbuf_discard_dynptr", 200, (DYNPTR, SCALAR), VOID, "5.19", "Give up a record from ringbuf_reserve_dynptr."),
)  # fmt: skip

_TEXT = (
    Helper("strtol", 105, (MEM, SIZE, SCALAR, OTHER), SCALAR, "5.2", "Read a signed number from text.", lwt_since="6.1"),
    Helper("strtoul", 106, (MEM, SIZE, SCALAR, OTHER), SCALAR, "5.2", "Read an unsigned number from text.", lwt_since="6.1"),
    Helper("strncmp", 182, (MEM, SIZE, OTHER), SCALAR, "5.17", "Compare text with a constant string."),
    Helper("snprintf", 165, (MEM_OUT, SIZE_OR_ZERO, OTHER, MEM_OR_NULL, SIZE_OR_ZERO), SCALAR, "5.13", "Write formatted text.",
           gpl_only=True),
    Helper("snprintf_btf", 149, (MEM_OUT, SIZE, MEM, SIZE, SCALAR), SCALAR, "5.10", "Write a kernel structure as text."),
)  # fmt: skip

# A network hook runs in whatever process was interrupted: what "the current task" is says little there.
_TASK = (
    Helper("get_current_pid_tgid", 14, (), SCALAR, "4.2", "Thread and process id of the current task.", lwt_since="6.10"),
    Helper("get_ns_current_pid_tgid", 120, (SCALAR, SCALAR, MEM_OUT, SIZE), SCALAR, "5.7",
           "Thread and process id of the current task in a namespace.", lwt_since="6.10"),
    Helper("get_current_uid_gid", 15, (), SCALAR, "4.2", "User and group id of the current task.", lwt_since="6.16"),
    Helper("get_current_comm", 16, (MEM_OUT, SIZE), SCALAR, "4.2", "Name of the current task.", lwt_since="6.16"),
    Helper("get_current_task", 35, (), SCALAR, "4.8", "Address of the current task.", gpl_only=True, lwt_since="5.10"),
    Helper("get_current_task_btf", 158, (), OTHER, "5.11", "The current task, as a typed pointer.", gpl_only=True),
    Helper("task_pt_regs", 175, (OTHER,), OTHER, "5.15", "A task's registers at entry to the kernel.", gpl_only=True),
    Helper("current_task_under_cgroup", 37, (MAP, SCALAR), SCALAR, "4.9",
           "Whether the current task is below a cgroup of a cgroup array.", lwt_since="6.16"),
    Helper("get_current_cgroup_id", 80, (), SCALAR, "4.18", "Id of the current task's cgroup.", lwt_since="6.4"),
    Helper("get_current_ancestor_cgroup_id", 123, (SCALAR,), SCALAR, "5.7", "Id of an ancestor of the current task's cgroup.",
           lwt_since="6.4"),
    Helper("get_task_stack", 141, (OTHER, MEM_OUT, SIZE_OR_ZERO, SCALAR), SCALAR, "5.9", "Call stack of a task.", lwt_since="6.16"),
    Helper("get_branch_snapshot", 176, (MEM_OUT, SIZE_OR_ZERO), SCALAR, "5.16", "Last branches that the CPU took.",
           gpl_only=True, lwt_since="6.16", variadic=1),
    Helper("find_vma", 180, (OTHER, SCALAR, FUNC, STACK_OR_NULL, SCALAR), SCALAR, "5.17",
           "Call a function on the memory area that holds an address.", lwt_since="6.16"),
    Helper("send_signal", 109, (SCALAR,), SCALAR, "5.3", "Send a signal to the current process.", lwt_since="6.16"),
    Helper("send_signal_thread", 117, (SCALAR,), SCALAR, "5.6", "Send a signal to the current thread.", lwt_since="6.16"),
    Helper("task_storage_get", 156, (MAP, OTHER, OTHER, SCALAR), OTHER, "5.11", "A task's entry of a task storage map, or null.",
           lwt_since="6.16"),
    Helper("task_storage_delete", 157, (MAP, OTHER), SCALAR, "5.11", "Remove a task's entry of a task storage map.", lwt_since="6.16"),
    Helper("cgrp_storage_get", 210, (MAP, OTHER, OTHER, SCALAR), OTHER, "6.2", "A cgroup's entry of a cgroup storage map, or null."),
    Helper("cgrp_storage_delete", 211, (MAP, OTHER), SCALAR, "6.2", "Remove a cgroup's entry of a cgroup storage map."),
)  # fmt: skip

_FOREIGN_MEMORY = (
    Helper("probe_read_user", 112, (MEM_OUT, SIZE_OR_ZERO, SCALAR), SCALAR, "5.5", "Copy from user memory.",
           gpl_only=True, lwt_since="5.10"),
    Helper("probe_read_user_str", 114, (MEM_OUT, SIZE_OR_ZERO, SCALAR), SCALAR, "5.5", "Copy text from user memory.",
           gpl_only=True, lwt_since="5.10"),
    Helper("probe_read_kernel", 113, (MEM_OUT, SIZE_OR_ZERO, SCALAR), SCALAR, "5.5", "Copy from kernel memory.",
           gpl_only=True, lwt_since="5.10"),
    Helper("probe_read_kernel_str", 115, (MEM_OUT, SIZE_OR_ZERO, SCALAR), SCALAR, "5.5", "Copy text from kernel memory.",
           gpl_only=True, lwt_since="5.10"),
    Helper("skc_to_tcp6_sock", 136, (OTHER,), OTHER, "5.9", "A socket as a TCP over IPv6 socket, or null."),
    Helper("skc_to_tcp_sock", 137, (OTHER,), OTHER, "5.9", "A socket as a TCP socket, or null."),
    Helper("skc_to_tcp_timewait_sock", 138, (OTHER,), OTHER, "5.9", "A socket as a TCP time-wait socket, or null."),
    Helper("skc_to_tcp_request_sock", 139, (OTHER,), OTHER, "5.9", "A socket as a TCP request socket, or null."),
    Helper("skc_to_udp6_sock", 140, (OTHER,), OTHER, "5.9", "A socket as a UDP over IPv6 socket, or null."),
    Helper("skc_to_unix_sock", 178, (OTHER,), OTHER, "5.16", "A socket as a Unix socket, or null."),
    Helper("skc_to_mptcp_sock", 196, (OTHER,), OTHER, "5.19", "A socket as a Multipath TCP socket, or null."),
)  # fmt: skip

COMMON_HELPERS = tuple(
    helper.name for group in (_MAPS, _EVENTS, _ENVIRONMENT, _PACKET, _CODE, _TEXT, _TASK, _FOREIGN_MEMORY) for helper in group
)
"""Names that all four lightweight-tunnel types have."""

ENCAP_HELPERS, SEG6_HELPERS, XMIT_HELPERS = (tuple(helper.name for helper in group) for group in (_ENCAP, _SEG6, _XMIT))

DEVICE_HELPERS, XDP_HELPERS, TC_HELPERS = (tuple(helper.name for helper in group) for group in (SHARED, XDP, TC))
"""What both of xdp and sched_cls have and the lightweight-tunnel types have not, and what one of them has alone."""

HELPERS: Mapping[str, Helper] = {
    helper.name: helper
    for group in (_MAPS, _EVENTS, _ENVIRONMENT, _PACKET, _ENCAP, _SEG6, _XMIT, _CODE, _TEXT, _TASK, _FOREIGN_MEMORY, SHARED, XDP, TC)
    for helper in group
}
"""Every helper by name."""

HELPERS_BY_ID: Mapping[int, Helper] = {helper.id: helper for helper in HELPERS.values()}
