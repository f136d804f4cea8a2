"""VLAN tags: beside the packet, where the kernel keeps the outermost, and in it (net/core/skbuff.c, include/linux/if_vlan.h)."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping

from pybpfnf.abi.headers import ETHER_TYPES
from pybpfnf.vm.ethernet import ETHERNET, ether_type
from pybpfnf.vm.host import Host
from pybpfnf.vm.skb import Skb, VlanTag

_8021Q, _8021AD = ETHER_TYPES["vlan"], 0x88A8
_TAG = 4  # bytes
_MACS = 12


def skb_vlan_push(host: Host, skb: Skb, protocol: int, tci: int) -> int:
    """Beside the packet; the tag that was there goes into it."""
    wanted = int.from_bytes((protocol & 0xFFFF).to_bytes(2, "little"), "big")
    if skb.vlan is not None:
        skb.data[:] = with_tag(skb)
        skb.protocol = skb.vlan.protocol
    skb.vlan = VlanTag(wanted if wanted in (_8021Q, _8021AD) else _8021Q, tci & 0xFFFF)
    return 0


def skb_vlan_pop(host: Host, skb: Skb) -> int:
    """The tag beside the packet, else the first in it; the next one in it takes the place beside it."""
    if skb.vlan is not None:
        skb.vlan = None
    elif not _is_tagged(skb):
        return 0
    elif _take_out(skb) is None:
        return -errno.ENOMEM
    if not _is_tagged(skb):
        return 0
    protocol, tci = skb.protocol, _take_out(skb)
    if tci is None:
        return -errno.ENOMEM
    skb.vlan = VlanTag(protocol, tci)
    return 0


def with_tag(skb: Skb) -> bytes:
    """The frame with the tag that is beside it."""
    if skb.vlan is None:
        return bytes(skb.data)
    tag = skb.vlan.protocol.to_bytes(2, "big") + skb.vlan.tci.to_bytes(2, "big")
    return bytes(skb.data[:_MACS]) + tag + bytes(skb.data[_MACS:])


def _is_tagged(skb: Skb) -> bool:
    return skb.protocol in (_8021Q, _8021AD)


def _take_out(skb: Skb) -> int | None:
    """The content of the first tag in the packet, which is gone from it; None where the packet is too short."""
    if len(skb.data) < ETHERNET + _TAG:
        return None
    tci = int.from_bytes(skb.data[ETHERNET : ETHERNET + 2], "big")
    skb.protocol = ether_type(skb.data, ETHERNET + 2)
    del skb.data[_MACS : _MACS + _TAG]
    return tci


VLAN_HELPERS: Mapping[str, Callable[..., int]] = {"skb_vlan_push": skb_vlan_push, "skb_vlan_pop": skb_vlan_pop}
