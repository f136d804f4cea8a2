"""Program-type rows: the hooks, what they may do to the packet, their helpers and verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import final

from pybpfnf.abi.contexts import SK_BUFF, XDP_MD, Context
from pybpfnf.abi.helpers import (
    COMMON_HELPERS,
    DEVICE_HELPERS,
    ENCAP_HELPERS,
    SEG6_HELPERS,
    TC_HELPERS,
    XDP_HELPERS,
    XMIT_HELPERS,
)
from pybpfnf.records import dataclass


class PacketRights(Enum):
    """Direct access through data and data_end."""

    NONE = "none"
    READ_ONLY = "read only"
    READ_WRITE = "read and write"


@final
@dataclass(frozen=True, slots=True)
class ProgramType:
    """One program type (enum bpf_prog_type). `sections`: ELF section names that mean it, first the one that we write;
    a section may go on after a slash (`lwt_seg6local/name`).

    `helpers` names those of `HELPERS` that it may call. `withdrawn`: helpers that kernels may still accept here and that
    nothing of ours uses; they are not in `helpers`. `l2`: the packet starts with the Ethernet header, not with the IP header.
    """

    name: str
    id: int
    sections: tuple[str, ...]
    context: Context
    packet: PacketRights
    helpers: frozenset[str]
    verdicts: Mapping[str, int]
    doc: str
    withdrawn: frozenset[str] = frozenset()
    l2: bool = False
    since: str = "4.10"


# Linux frees and reallocates the packet's head under seg6local's feet in skb_pull_data (CVE-2026-98383): refused since 7.3
# and 6.12.117, still accepted by kernels between.
_SEG6_WITHDRAWN = frozenset({"skb_pull_data"})
_SKB_ONLY = frozenset({"skb_load_bytes", "skb_pull_data", "skb_under_cgroup", "get_hash_recalc", "get_route_realm"})

# Verdicts: enum bpf_ret_code. The verifier takes any return value; what a hook does with another one is in
# net/core/lwt_bpf.c (run_lwt_bpf and its callers) and net/ipv6/seg6_local.c (input_action_end_bpf).
_ROWS = (
    ProgramType(
        "lwt_seg6local", 19, ("lwt_seg6local",), SK_BUFF, PacketRights.READ_ONLY,
        (frozenset(COMMON_HELPERS + SEG6_HELPERS)) - _SEG6_WITHDRAWN,
        {"OK": 0, "DROP": 2, "REDIRECT": 7},
        "A segment's function (End.BPF): runs once the SRH has been advanced; OK looks the next segment up, "
        "REDIRECT keeps the route that an action chose.",
        withdrawn=_SEG6_WITHDRAWN, since="4.18",
    ),
    ProgramType(
        "lwt_in", 10, ("lwt_in",), SK_BUFF, PacketRights.READ_ONLY, frozenset(COMMON_HELPERS + ENCAP_HELPERS),
        {"OK": 0, "DROP": 2, "REROUTE": 128},
        "A route's input: packets received that match it; REROUTE looks the changed packet up again.",
    ),
    ProgramType(
        "lwt_out", 11, ("lwt_out",), SK_BUFF, PacketRights.READ_ONLY, frozenset(COMMON_HELPERS),
        {"OK": 0, "DROP": 2},
        "A route's output: packets that leave by it, those made here included.",
    ),
    ProgramType(
        "lwt_xmit", 12, ("lwt_xmit",), SK_BUFF, PacketRights.READ_WRITE, frozenset(COMMON_HELPERS + ENCAP_HELPERS + XMIT_HELPERS),
        {"OK": 0, "DROP": 2, "REDIRECT": 7, "REROUTE": 128},
        "A route's transmission, just before the link layer: the one hook here that may write the packet itself.",
    ),
    ProgramType(
        "xdp", 6, ("xdp", "xdp.frags"), XDP_MD, PacketRights.READ_WRITE,
        frozenset((*COMMON_HELPERS, "redirect", *DEVICE_HELPERS, *XDP_HELPERS)) - _SKB_ONLY,
        {"ABORTED": 0, "DROP": 1, "PASS": 2, "TX": 3, "REDIRECT": 4},
        "A device's receive path, before the network stack.",
        l2=True, since="4.8",
    ),
    ProgramType(
        "sched_cls", 3, ("tc", "tcx/ingress", "tcx/egress", "tc/ingress", "tc/egress", "classifier"), SK_BUFF, PacketRights.READ_WRITE,
        frozenset(COMMON_HELPERS + XMIT_HELPERS + DEVICE_HELPERS + TC_HELPERS),
        {"UNSPEC": 0xFFFFFFFF, "OK": 0, "RECLASSIFY": 1, "SHOT": 2, "PIPE": 3, "STOLEN": 4, "QUEUED": 5, "REPEAT": 6,
         "REDIRECT": 7, "TRAP": 8},
        "A traffic-control classifier of a device.",
        l2=True, since="4.1",
    ),
)  # fmt: skip

PROGRAM_TYPES: Mapping[str, ProgramType] = {row.name: row for row in _ROWS}
"""Every program type by name."""

LWT_TYPES = ("lwt_in", "lwt_out", "lwt_xmit", "lwt_seg6local")


def type_of_section(section: str) -> ProgramType | None:
    """The program type that an ELF section name means: a row's own name for it, or that and a slash and more."""
    for row in _ROWS:
        if any(section == known or section.startswith(known + "/") for known in row.sections):
            return row
    return None
