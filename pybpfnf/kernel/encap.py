"""Requests for routes with a `bpf` encapsulation: a program at the input, the output or the transmission of an IPv4 or IPv6 route."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from pyroute2.netlink.rtnl.rtmsg import rtmsg

from pybpfnf.kernel.bpf import Fd
from pybpfnf.kernel.links import Network, family_of
from pybpfnf.kernel.netlink import Message

PROTOCOL = 182  # of every route that is ours; the reasons are in pybpfnf.kernel.routes
ENCAP_BPF = 6  # LWTUNNEL_ENCAP_BPF
_RTN_UNICAST = 1
Encode: TypeAlias = Callable[[Network, int, int, Fd, str], Message]


def encode_bpf_encap(place: str) -> Encode:
    """A function that makes the request for a route to a prefix in a table, through a device, with a program at `place`
    (LWT_BPF_IN, LWT_BPF_OUT or LWT_BPF_XMIT); without its netlink header."""

    def encode(prefix: Network, table: int, index: int, program: Fd, name: str) -> Message:
        message = rtmsg()
        message["family"], message["dst_len"], message["type"] = family_of(prefix), prefix.prefixlen, _RTN_UNICAST
        message["proto"], message["table"] = PROTOCOL, table if table < 256 else 0
        message["attrs"] = [
            ("RTA_DST", str(prefix.network_address)),
            ("RTA_OIF", index),
            ("RTA_TABLE", table),
            ("RTA_ENCAP_TYPE", ENCAP_BPF),
            ("RTA_ENCAP", {"attrs": [(place, {"attrs": [("LWT_BPF_PROG_FD", program.number), ("LWT_BPF_PROG_NAME", name)]})]}),
        ]
        return message

    return encode
