"""What the kernel runner must know of each hook: the route that binds it, how packets come to it, and what was done to them after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import final

from pybpfnf.abi.headers import ETHER_TYPES
from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.kernel.encap import Encode, encode_bpf_encap
from pybpfnf.kernel.routes import encode_end_bpf
from pybpfnf.kernel.wire import hop_put_back
from pybpfnf.records import dataclass

_REROUTE = PROGRAM_TYPES["lwt_in"].verdicts["REROUTE"]


@final
@dataclass(frozen=True, slots=True)
class HookRoute:
    """`encode` makes the request for a route: prefix, table, device index, program, name. `ether_type` is what the link says of a
    packet. `restore`: a packet as it left the hook, from what was sent, what arrived and the verdict."""

    encode: Encode
    ether_type: Callable[[bytes], int]
    restore: Callable[[bytes, bytes, int | None], bytes]


def by_version(packet: bytes) -> int:
    """IPv4 where the packet says so, else IPv6."""
    return ETHER_TYPES["ipv4" if packet and packet[0] >> 4 == 4 else "ipv6"]


def _always_ipv6(packet: bytes) -> int:
    return ETHER_TYPES["ipv6"]


def _forwarded_after(sent: bytes, arrived: bytes, verdict: int | None) -> bytes:
    """The hook runs before forwarding, so a hop was taken off what left it. Not so where an IPv4 packet has become one of IPv6 and
    was not routed anew: IPv4's forwarding took its hop off the wrong byte, and that is left to be seen. Without its verdict a packet
    is taken to have been."""
    if by_version(sent) == ETHER_TYPES["ipv4"] != by_version(arrived) and verdict not in (None, _REROUTE):
        return arrived
    return hop_put_back(arrived)


def _forwarded_before(sent: bytes, arrived: bytes, verdict: int | None) -> bytes:
    return arrived


HOOK_ROUTES: Mapping[str, HookRoute] = {
    "lwt_seg6local": HookRoute(encode_end_bpf, _always_ipv6, _forwarded_after),
    "lwt_in": HookRoute(encode_bpf_encap("LWT_BPF_IN"), by_version, _forwarded_after),
    "lwt_out": HookRoute(encode_bpf_encap("LWT_BPF_OUT"), by_version, _forwarded_before),
    "lwt_xmit": HookRoute(encode_bpf_encap("LWT_BPF_XMIT"), by_version, _forwarded_before),
}
"""By program type."""
