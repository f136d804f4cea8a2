"""The hooks of a `bpf` route around a program: what lwt_in, lwt_out and lwt_xmit do before and after it (net/core/lwt_bpf.c, Linux 6.18).

lwt_in runs before forwarding, lwt_out and lwt_xmit after it has taken a hop off: so what they see, and what leaves them, has
that one less. MTU and neighbours are not here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.runner import Environment
from pybpfnf.vm import ip, ipv4, ipv6
from pybpfnf.vm.dst import Route
from pybpfnf.vm.hooks import HANDED_OUT, Hook, Passage, RunProgram, refuse_endless_return, run_with_clear_cb
from pybpfnf.vm.host import Host
from pybpfnf.vm.ip import ETH_P_IP, Address
from pybpfnf.vm.ipv6 import Drop
from pybpfnf.vm.offload import offload
from pybpfnf.vm.redirect import follow
from pybpfnf.vm.skb import Skb

_VERDICTS = PROGRAM_TYPES["lwt_xmit"].verdicts
_OK, _DROP, _REDIRECT, _REROUTE = (_VERDICTS[name] for name in ("OK", "DROP", "REDIRECT", "REROUTE"))
# A packet's way through a hook, to the route that it leaves by; or Drop.
_Way: TypeAlias = Callable[[Host, Skb, RunProgram, Passage], Route]
_LEGAL = frozenset({_OK, _REDIRECT, _REROUTE})


def _receive(packet: bytes, environment: Environment) -> tuple[Skb, Address]:
    """The packet as `ip_rcv_core` or `ip6_rcv_core` leaves it, and the destination of the function's route; or Drop."""
    protocol = ip.protocol(packet)
    trimmed, transport = ipv4.receive(packet) if protocol == ETH_P_IP else ipv6.receive(packet)
    skb = Skb(bytearray(trimmed), environment.ifindex, environment.mark, transport=transport, protocol=protocol)
    offload(skb, environment)
    return skb, environment.sid if environment.sid is not None else ip.destination(trimmed, protocol)


def _input(host: Host, skb: Skb, run_program: RunProgram, passage: Passage) -> Route:
    """`bpf_input`: with REROUTE the packet is routed anew, else it goes on as the route that it came by would have it."""
    route = _lookup(host, skb)
    while route.to_function:
        refuse_endless_return(passage)
        skb.dst = route
        arrived = skb.protocol
        run_lwt_bpf(host, skb, run_program, passage)
        assert skb.dst is not None
        if passage.verdict != _REROUTE:
            _forward_as(skb, arrived, routed_anew=skb.dst is not route)
            return skb.dst
        if ip.protocol(skb.data) != skb.protocol:
            raise Drop("bpf_lwt_input_reroute: the seg6 encapsulation of an IPv4 packet is still called IPv4, and routed as that")
        route = _lookup(host, skb)
    return route


def _forward_as(skb: Skb, arrived: int, *, routed_anew: bool) -> None:
    """`orig_input`: forwarding by the IP version that the packet had when it came; Drop where that loses it.

    Only the seg6 encapsulations look a new, IPv6, route up. On an IPv4 packet they leave an IPv6 one to `ip_forward`, which takes
    the first byte of its source for the TTL, and the third and fourth for the checksum.
    """
    leaves_as = ip.ETH_P_IPV6 if routed_anew else arrived
    if leaves_as != ip.protocol(skb.data):
        raise Drop("the packet has changed its IP version and is forwarded by its old route: return REROUTE")
    if arrived == ETH_P_IP and leaves_as != ETH_P_IP:
        ipv4.forward(skb.data)


def _output(host: Host, skb: Skb, run_program: RunProgram, passage: Passage) -> Route:
    """`bpf_output`: REROUTE and REDIRECT are as good as OK."""
    route = _forward(host, skb)
    if route.to_function:
        run_lwt_bpf(host, skb, run_program, passage)
    return route


def _transmit(host: Host, skb: Skb, run_program: RunProgram, passage: Passage) -> Route:
    """`bpf_xmit`: with REROUTE the packet is routed anew, as one of this host's own."""
    route = _forward(host, skb)
    skb.ingress_ifindex, skb.ifindex = skb.ifindex, skb.ifindex + 1
    while route.to_function:
        refuse_endless_return(passage)
        before = skb.protocol
        run_lwt_bpf(host, skb, run_program, passage)
        if passage.verdict == _REDIRECT:
            follow(host, skb)
        if passage.verdict == _OK:
            if skb.protocol != before:
                raise Drop("bpf_xmit: the packet has changed its IP version: return REROUTE")
            return route
        route = _lookup(host, skb)
    return route


def _forward(host: Host, skb: Skb) -> Route:
    """`ip_forward`, `ip6_forward`: the route, and a hop off; or Drop."""
    route = _lookup(host, skb)
    if route.reason is not None:
        raise Drop(route.reason)
    if skb.protocol == ETH_P_IP:
        skb.priority = ipv4.forward(skb.data)
    else:
        ipv6.forward(skb.data)
    return route


def _lookup(host: Host, skb: Skb) -> Route:
    return host.network.lookup(skb, host.sid, ip.destination(skb.data, skb.protocol), 0)


def run_lwt_bpf(host: Host, skb: Skb, run_program: RunProgram, passage: Passage) -> None:
    """`run_lwt_bpf`: one run; Drop where the verdict says so, or is none."""
    host.map_packet()
    run_with_clear_cb(skb, run_program, passage)
    if passage.verdict not in _LEGAL:
        raise Drop(HANDED_OUT if passage.verdict == _DROP else f"illegal return value {passage.verdict}")


def _hook(way: _Way) -> Hook:
    def input_packet(host: Host, skb: Skb, run_program: RunProgram) -> Passage:
        passage = Passage()
        try:
            route = way(host, skb, run_program, passage)
            if route.reason is not None:
                raise Drop(route.reason)
            passage.packet = bytes(skb.data)
        except Drop as drop:
            passage.reason = drop.reason
        passage.mark = skb.mark
        return passage

    return Hook(_receive, input_packet)


IN, OUT, XMIT = _hook(_input), _hook(_output), _hook(_transmit)
