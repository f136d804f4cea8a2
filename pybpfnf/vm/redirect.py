"""Packets that leave by another device: the helpers, and what a device takes (net/core/filter.c, Linux 6.18).

The devices are those of the Environment. Those that a packet came in by and goes out by are not to be redirected to here, nor is any
packet to be received anew (BPF_F_INGRESS).
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping

from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.runner import RUNNERS_DEVICES, FaultKind, Redirected
from pybpfnf.vm.alu import U32
from pybpfnf.vm.faults import GuestFault
from pybpfnf.vm.host import Host
from pybpfnf.vm.ipv6 import Drop
from pybpfnf.vm.skb import Skb
from pybpfnf.vm.vlan import with_tag

_INGRESS = 1 << 0
_LOOPBACK = 1
_SHOT, _REDIRECT = 2, PROGRAM_TYPES["lwt_xmit"].verdicts["REDIRECT"]  # of traffic control, too
_XDP = PROGRAM_TYPES["xdp"]
_LONGEST = 16064  # SKB_MAX_ALLOC on a machine with pages of 4 KiB and cache lines of 64 bytes


def redirect(host: Host, ifindex: int, flags: int) -> int:
    """XDP has no flags, and verdicts of its own."""
    if host.program_type is _XDP:
        if flags:
            return _XDP.verdicts["ABORTED"]
        host.chosen, host.chosen_all = (ifindex & U32, 0), None
        return _XDP.verdicts["REDIRECT"]
    if flags & ~_INGRESS:
        return _SHOT
    _kind(host, ifindex & U32, flags)
    host.chosen = ifindex & U32, flags
    return _REDIRECT


def clone_redirect(host: Host, skb: Skb, ifindex: int, flags: int) -> int:
    """A copy without a link-layer header leaves an Ethernet device as it is, too: its receiver takes the first bytes for one."""
    if flags & ~_INGRESS:
        return -errno.EINVAL
    kind = _kind(host, ifindex & U32, flags)
    if kind is None:
        return -errno.EINVAL
    _send(host, skb, ifindex & U32, kind)
    return 0


def skb_change_head(host: Host, skb: Skb, size: int, flags: int) -> int:
    """Zeros in front, for a link-layer header: what the kernel knows of the packet inside stays as it was."""
    size &= U32
    if flags or size > U32 >> 1 or len(skb.data) + size > _LONGEST:
        return -errno.EINVAL
    skb.push(bytes(size))
    skb.link += size
    skb.transport += size
    return 0


def follow(host: Host, skb: Skb) -> None:
    """`skb_do_redirect`, after the verdict REDIRECT: the packet leaves by the device that was chosen last; or Drop."""
    chosen, host.chosen = host.chosen, None
    if host.chosen_all is not None:
        for each in host.chosen_all:
            if (kind := _kind(host, each, 0)) is not None:
                _send(host, skb, each, kind)
        raise Drop("the packet left by the devices of a map")
    if chosen is None:
        raise Drop("skb_do_redirect: no device was chosen")
    ifindex, flags = chosen
    kind = _kind(host, ifindex, flags)
    if kind is None:
        raise Drop(f"skb_do_redirect: there is no device {ifindex}")
    if kind == "ethernet" and not skb.link:
        raise Drop(f"__bpf_redirect_common: device {ifindex} is an Ethernet device, and the packet has no header for it")
    _send(host, skb, ifindex, kind)
    raise Drop("the packet left by another device")


def _kind(host: Host, ifindex: int, flags: int) -> str | None:
    """What the device is; None where there is none. Raises GuestFault for what is not emulated."""
    if flags & _INGRESS:
        raise GuestFault(FaultKind.HELPER, "redirect: packets are not received anew here (BPF_F_INGRESS)")
    first = host.environment.ifindex
    if ifindex == first and host.program_type is not None and host.program_type.l2:
        return "ethernet"  # the device that it came in by
    if ifindex == _LOOPBACK or first <= ifindex < first + RUNNERS_DEVICES:
        raise GuestFault(FaultKind.HELPER, f"redirect: device {ifindex} is the router's own; give it others with Environment(devices=...)")
    return host.environment.devices.get(ifindex)


def _send(host: Host, skb: Skb, ifindex: int, kind: str) -> None:
    """`__bpf_redirect_no_mac` takes a link-layer header off for a device that has none."""
    data = with_tag(skb)[skb.meta :]
    host.redirected.append(Redirected(ifindex, data if kind == "ethernet" else data[skb.link :]))


REDIRECT_HELPERS: Mapping[str, Callable[..., int]] = {
    "redirect": redirect,
    "clone_redirect": clone_redirect,
    "skb_change_head": skb_change_head,
}
