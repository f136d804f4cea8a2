"""What a router does itself with packets that end at it: echo requests, UDP, what nobody takes (net/ipv6/icmp.c, udp.c, ip6_input.c)."""

from __future__ import annotations

from typing import final

from pybpfnf.abi.headers import HEADERS, NEXT_HEADERS
from pybpfnf.abi.icmpv6 import ECHO_REQUEST, HEADER_SIZE
from pybpfnf.records import dataclass
from pybpfnf.vm import icmpv6, ipv6
from pybpfnf.vm.ipv6 import Drop
from pybpfnf.vm.router.delivery import Upper
from pybpfnf.vm.router.state import State
from pybpfnf.vm.skb import Skb

_UDP, _TCP = NEXT_HEADERS["udp"], NEXT_HEADERS["tcp"]
_UDP_SIZE = HEADERS["udp"].size


@final
@dataclass(frozen=True, slots=True)
class Answer:
    """A packet of the router's own, because of another; `same_device`: it leaves by the device that the other came in by, or not at all."""

    packet: bytes
    same_device: bool = False


def receive_upper(skb: Skb, upper: Upper, state: State, arrived_by: str) -> Answer | None:
    """None where who listens is to have the packet; Drop where nobody does."""
    if upper.number == icmpv6.ICMPV6:
        return _icmpv6(skb.data, upper.at, state, arrived_by)
    if upper.number == _UDP:
        _check_udp(skb.data, upper.at, state)
        return None
    if upper.number == _TCP:
        raise Drop("tcp_v6_rcv: this router has no TCP")
    if upper.number == ipv6.NO_NEXT_HEADER:
        raise Drop(f"{ipv6.destination(skb.data)} is the router's own, and the packet has nothing for it")
    reason = f"ip6_protocol_deliver_rcu: nobody takes the next header {upper.number}"
    raise Drop(reason, "unknown_next_header", upper.number_at)


def _icmpv6(data: bytearray, at: int, state: State, arrived_by: str) -> Answer | None:
    """`icmpv6_rcv`, `icmpv6_echo_reply`: not from an anycast address (`anycast_src_echo_reply` is 0)."""
    if len(data) - at < HEADER_SIZE or _checksum(data, at):
        raise Drop("icmpv6_rcv: the message is too short, or its checksum wrong")
    if data[at] != ECHO_REQUEST:
        return None
    own = ipv6.destination(data)
    unicast = state.addresses.has(own)
    source = own if unicast else state.addresses.source_for(ipv6.source(data), arrived_by)
    return Answer(icmpv6.echo_reply(data, at, source), same_device=not unicast)


def _check_udp(data: bytearray, at: int, state: State) -> None:
    """`__udp6_lib_rcv`. A checksum of zero is none, which IPv6 does not allow (RFC 8200 section 8.1)."""
    if len(data) - at < _UDP_SIZE:
        raise Drop("__udp6_lib_rcv: the UDP header runs past the packet")
    length = int.from_bytes(data[at + 4 : at + 6], "big") or len(data) - at
    if not _UDP_SIZE <= length <= len(data) - at:
        raise Drop(f"__udp6_lib_rcv: the UDP length is {length}, and {len(data) - at} bytes are there")
    if not any(data[at + 6 : at + 8]) or _checksum(data, at, length, _UDP):
        raise Drop("__udp6_lib_rcv: the checksum is wrong, or none")
    port = int.from_bytes(data[at + 2 : at + 4], "big")
    if port not in state.ports:
        raise Drop(f"__udp6_lib_rcv: nobody listens at port {port}", "port_unreachable")


def _checksum(data: bytearray, at: int, length: int | None = None, number: int = icmpv6.ICMPV6) -> int:
    end = len(data) if length is None else at + length
    return icmpv6.checksum(bytes(data[8:24]), bytes(data[24:40]), number, data[at:end])
