"""Numbers of segment routing: what its helpers take, and what routes are told by (include/uapi/linux/seg6_local.h, seg6_iptunnel.h)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Action:
    """An action that lwt_seg6_action takes (include/uapi/linux/seg6_local.h; net/core/filter.c, bpf_lwt_seg6_action).

    `param_size` is the exact size of its parameter in bytes; None: an SRH, whose own length fields must agree.
    """

    name: str
    number: int
    param_size: int | None
    doc: str


ACTIONS: Mapping[str, Action] = {
    action.name: action
    for action in (
        Action("end_x", 2, 16, "Route to the next hop of the given IPv6 address."),
        Action("end_t", 3, 4, "Look the destination up in the table of the given number (a host-order int)."),
        Action("end_dt6", 7, 4, "Take the outer headers off and look the inner IPv6 packet up in the given table."),
        Action("end_b6", 9, None, "Insert the given SRH after the IPv6 header."),
        Action("end_b6_encaps", 10, None, "Encapsulate in an IPv6 header with the given SRH."),
    )
}

ENCAP_TYPES: Mapping[str, int] = {"seg6": 0, "seg6_inline": 1, "ip": 2}
"""enum bpf_lwt_encap_mode, the `type` of lwt_push_encap."""

ROUTE_ACTIONS: Mapping[str, int] = {
    "End": 1,
    "End.X": 2,
    "End.T": 3,
    "End.DX2": 4,
    "End.DX6": 5,
    "End.DX4": 6,
    "End.DT6": 7,
    "End.DT4": 8,
    "End.B6": 9,
    "End.B6.Encaps": 10,
    "End.BPF": 15,
    "End.DT46": 16,
}
"""SEG6_LOCAL_ACTION_* of a seg6local route, by iproute2's names; those between that no kernel does are not here."""

ROUTE_MODES: Mapping[str, int] = {"inline": 0, "encap": 1, "l2encap": 2, "encap.red": 3, "l2encap.red": 4}
"""SEG6_IPTUN_MODE_* of a seg6 route."""

FLAVORS: Mapping[str, int] = {"psp": 1, "usp": 2, "usd": 3, "next-csid": 4}
"""SEG6_LOCAL_FLV_OP_* of an action (RFC 8986 section 4.16, RFC 9800 section 4.1)."""
