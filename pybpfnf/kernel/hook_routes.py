"""What the kernel runner must know of each hook: the route that binds it, how packets come to it, and what was done to them after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias, final

from pybpfnf.abi.headers import ETHER_TYPES
from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.kernel.bpf import Fd
from pybpfnf.kernel.links import Network
from pybpfnf.kernel.route_message import RouteMessage, bpf_encap, plain_route
from pybpfnf.kernel.route_numbers import PROTOCOL
from pybpfnf.kernel.routes import end_bpf_route
from pybpfnf.kernel.wire import hop_put_back
from pybpfnf.records import dataclass

RouteOf: TypeAlias = Callable[[Network, int, int, Fd, str], RouteMessage]
_REROUTE = PROGRAM_TYPES["lwt_in"].verdicts["REROUTE"]


@final
@dataclass(frozen=True, slots=True)
class HookRoute:
    """`route_of` makes the route: prefix, table, device index, program, name. `ether_type` is what the link says of a
    packet. `restore`: a packet as it left the hook, from what was sent, what arrived and the verdict."""

    route_of: RouteOf
    ether_type: Callable[[bytes], int]
    restore: Callable[[bytes, bytes, int | None], bytes]


def _bpf_route(place: str) -> RouteOf:
    def route_of(prefix: Network, table: int, index: int, program: Fd, name: str) -> RouteMessage:
        return plain_route(prefix, table, index=index).encapsulated(bpf_encap(place, program.number, name, None), PROTOCOL)

    return route_of


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
    "lwt_seg6local": HookRoute(end_bpf_route, _always_ipv6, _forwarded_after),
    "lwt_in": HookRoute(_bpf_route("in"), by_version, _forwarded_after),
    "lwt_out": HookRoute(_bpf_route("out"), by_version, _forwarded_before),
    "lwt_xmit": HookRoute(_bpf_route("xmit"), by_version, _forwarded_before),
}
"""By program type."""
