"""What each hook lets a function write, and the packet's methods: rows, keyed by the program types of `abi.programs`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from pybpfnf.dsl.ir import EncapKind, Seg6Action
from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class HookRow:
    """`always`: the headers that every packet has there; of the others a function must ask. `writable`: header name to the fields
    that its helpers can write (for seg6local: net/core/filter.c, bpf_lwt_seg6_store_bytes, from `flags` to before the segments, and
    the TLVs)."""

    writable: Mapping[str, tuple[str, ...]]
    always: frozenset[str] = frozenset()


HOOKS: Mapping[str, HookRow] = {
    "lwt_seg6local": HookRow(writable={"srh": ("flags", "tag")}, always=frozenset({"ipv6", "srh"})),
    **dict.fromkeys(("lwt_in", "lwt_out", "lwt_xmit"), HookRow(writable={})),
}


@final
@dataclass(frozen=True, slots=True)
class ActionRow:
    """A method of the packet that runs a seg6 action with one parameter, called `parameter`.

    `keyword_only`, as the class of the packet has it. `route_only`: all that it does is choose a route, which is forgotten
    unless its verdict is returned.
    """

    action: Seg6Action
    parameter: str
    keyword_only: bool
    route_only: bool = False


METHODS: Mapping[str, ActionRow] = {
    "end_x": ActionRow(Seg6Action.END_X, "nexthop", keyword_only=True, route_only=True),
    "end_t": ActionRow(Seg6Action.END_T, "table", keyword_only=True, route_only=True),
    "end_dt6": ActionRow(Seg6Action.END_DT6, "table", keyword_only=True),
    "end_b6": ActionRow(Seg6Action.END_B6, "srh", keyword_only=False),
    "end_b6_encaps": ActionRow(Seg6Action.END_B6_ENCAPS, "srh", keyword_only=False),
}


@final
@dataclass(frozen=True, slots=True)
class PushRow:
    """A method of the packet that puts an encapsulation on it. `hooks` are those whose helper has that type (net/core/filter.c,
    bpf_lwt_in_push_encap and bpf_lwt_xmit_push_encap); `ipv6_alone`: it would break a packet of IPv4."""

    kind: EncapKind
    hooks: tuple[str, ...]
    ipv6_alone: bool


PUSHES: Mapping[str, PushRow] = {
    "push_encap": PushRow(EncapKind.SEG6, ("lwt_in",), ipv6_alone=True),
    "push_encap_inline": PushRow(EncapKind.SEG6_INLINE, ("lwt_in",), ipv6_alone=True),
    "push_ip": PushRow(EncapKind.IP, ("lwt_in", "lwt_xmit"), ipv6_alone=False),
}
LARGEST_PUSH = 256  # LWT_BPF_MAX_HEADROOM, of a whole IP header
ACTION_HELPER = "lwt_seg6_action"
APPEND_HELPER = "lwt_seg6_adjust_srh"
