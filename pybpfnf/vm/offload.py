"""How a packet comes: in pieces, one for many, with a checksum that is yet to be completed (net/packet/af_packet.c, virtio_net.h)."""

from __future__ import annotations

from pybpfnf.abi.headers import HEADERS, NEXT_HEADERS
from pybpfnf.runner import Environment
from pybpfnf.vm.skb import Skb

_TCP, _UDP = NEXT_HEADERS["tcp"], NEXT_HEADERS["udp"]
_IPV6 = HEADERS["ipv6"].size


def offload(skb: Skb, environment: Environment) -> None:
    """As the Environment has it. What the kernel reads before a hook is in one piece: the IP header, and of a packet that stands for
    several the upper layer's."""
    if environment.linear is not None:
        skb.linear = max(environment.linear, _ip_header(skb))
    skb.offloaded = environment.offloaded
    if environment.gso_size:
        payload = _payload(skb)
        skb.gso_size = environment.gso_size
        skb.gso_segs = -(-(len(skb.data) - payload) // environment.gso_size)
        skb.pull(payload)


def _ip_header(skb: Skb) -> int:
    return (skb.data[0] & 15) * 4 if skb.data[0] >> 4 == 4 else _IPV6


def _payload(skb: Skb) -> int:
    """Where TCP's or UDP's payload begins."""
    at = _ip_header(skb)
    number = skb.data[9 if skb.data[0] >> 4 == 4 else 6]
    return at + ((skb.data[at + 12] >> 4) * 4 if number == _TCP else HEADERS["udp"].size)
