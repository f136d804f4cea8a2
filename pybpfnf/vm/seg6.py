"""The seg6local hook around a program: what End.BPF does before and after it (net/ipv6/seg6_local.c, Linux 6.18).

Forwarding itself comes later and is not here: the hop limit, the MTU, neighbours, and what `ip6_forward` checks.
"""

from __future__ import annotations

from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.runner import Environment
from pybpfnf.vm import ipv6, srh
from pybpfnf.vm.dst import Route
from pybpfnf.vm.hooks import HANDED_OUT, Hook, Passage, RunProgram, refuse_endless_return, run_with_clear_cb
from pybpfnf.vm.host import Host, SrhState
from pybpfnf.vm.ip import Address
from pybpfnf.vm.ipv6 import Drop
from pybpfnf.vm.offload import offload
from pybpfnf.vm.seg6_helpers import has_valid_srh
from pybpfnf.vm.skb import Skb

_VERDICTS = PROGRAM_TYPES["lwt_seg6local"].verdicts
_OK, _DROP, _REDIRECT = _VERDICTS["OK"], _VERDICTS["DROP"], _VERDICTS["REDIRECT"]


def receive(packet: bytes, environment: Environment) -> tuple[Skb, Address]:
    """The packet as `ip6_rcv_core` leaves it, and the SID that it is for; Drop where it goes no further."""
    trimmed, transport = ipv6.receive(packet)
    skb = Skb(bytearray(trimmed), ifindex=environment.ifindex, mark=environment.mark, transport=transport)
    offload(skb, environment)
    return skb, environment.sid if environment.sid is not None else ipv6.destination(trimmed)


def input_packet(host: Host, skb: Skb, run_program: RunProgram) -> Passage:
    """`ip6_rcv_finish` to `dst_input`: run the function as often as routes lead the packet into it."""
    passage = Passage()
    route = host.network.lookup(skb, host.sid, ipv6.destination(skb.data), 0)
    try:
        while route.to_function:
            refuse_endless_return(passage)
            skb.dst = route
            route = input_action_end_bpf(host, skb, run_program, passage)
        if route.reason is not None:
            raise Drop(route.reason)
        passage.packet = bytes(skb.data)
    except Drop as drop:
        passage.reason = drop.reason
    passage.mark = skb.mark
    return passage


def input_action_end_bpf(host: Host, skb: Skb, run_program: RunProgram, passage: Passage) -> Route:
    """One run of the function, and the route that the packet takes from there; or Drop."""
    at = srh.get_srh(skb.data)
    skb.pull(at + (skb.data[at + 1] + 1) * 8)
    srh.check_hmac(skb.data, skb.transport, host.environment.require_hmac, host.environment.hmac_keys)
    advance_nextseg(skb.data, at)
    host.srh = SrhState(offset=at, hdrlen=skb.data[at + 1] * 8, valid=True)
    host.map_packet()
    run_with_clear_cb(skb, run_program, passage)
    if passage.verdict not in (_OK, _REDIRECT):
        raise Drop(HANDED_OUT if passage.verdict == _DROP else f"illegal return value {passage.verdict}")
    if host.srh.offset is not None and not has_valid_srh(host):
        raise Drop("seg6_bpf_has_valid_srh: the SRH that the program left is invalid")
    if passage.verdict != _REDIRECT:
        skb.dst = host.network.lookup(skb, host.sid, ipv6.destination(skb.data), 0)
    assert skb.dst is not None
    return skb.dst


def advance_nextseg(packet: bytearray, at: int) -> None:
    """The next segment becomes the destination, before the program runs."""
    packet[at + 3] -= 1
    segment = srh.segment_offset(at, packet[at + 3])
    packet[24:40] = packet[segment : segment + 16]


HOOK = Hook(receive, input_packet)
