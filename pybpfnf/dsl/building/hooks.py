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
    that it can write: in seg6local with a helper (net/core/filter.c, bpf_lwt_seg6_store_bytes, from `flags` to before the segments,
    and the TLVs), in lwt_xmit where they lie. `headers`: what a packet there may have, by attribute."""

    writable: Mapping[str, tuple[str, ...]]
    headers: tuple[str, ...]
    always: frozenset[str] = frozenset()


_ROUTE_HEADERS = ("ipv6", "ipv4", "srh")
# All but what says what the header is (its version and length), and a checksum, which follows by itself.
_XMIT_WRITABLE = {
    "ipv6": ("traffic_class", "flow_label", "payload_length", "next_header", "hop_limit", "source", "destination"),
    "ipv4": (
        "dscp", "ecn", "total_length", "identification", "flags", "fragment_offset", "ttl", "protocol", "source", "destination",
    ),
    "srh": ("flags", "tag"),
}  # fmt: skip

HOOKS: Mapping[str, HookRow] = {
    "lwt_seg6local": HookRow({"srh": ("flags", "tag")}, ("ipv6", "srh"), always=frozenset({"ipv6", "srh"})),
    **dict.fromkeys(("lwt_in", "lwt_out"), HookRow({}, _ROUTE_HEADERS)),
    "lwt_xmit": HookRow(_XMIT_WRITABLE, _ROUTE_HEADERS),
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
