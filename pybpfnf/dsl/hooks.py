"""What each hook lets a function write, and the packet's methods: rows, keyed by the program types of `abi.programs`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from pybpfnf.dsl.ir import Seg6Action


@final
@dataclass(frozen=True, slots=True)
class HookRow:
    """`writable`: header name to the fields that its helpers can write (for seg6local: net/core/filter.c,
    bpf_lwt_seg6_store_bytes, from `flags` to before the segments, and the TLVs)."""

    writable: Mapping[str, tuple[str, ...]]


HOOKS: Mapping[str, HookRow] = {
    "lwt_seg6local": HookRow(writable={"srh": ("flags", "tag")}),
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
ACTION_HELPER = "lwt_seg6_action"
APPEND_HELPER = "lwt_seg6_adjust_srh"
