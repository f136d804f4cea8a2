"""Devices, addresses and plain routes of a namespace, as the runner and tests set them up. Works in the namespace of `netlink`'s socket."""

from __future__ import annotations

import errno
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from pybpfnf.errors import SystemLacksError
from pybpfnf.kernel.bpf import Fd
from pybpfnf.kernel.netlink import CREATE, EXCL, REPLACE, Netlink, NetlinkError, decoded, explained
from pybpfnf.routes import Rule

NEWLINK, DELLINK, GETLINK, NEWADDR, DELADDR, NEWROUTE, DELROUTE, GETROUTE = 16, 17, 18, 20, 21, 24, 25, 26
NEWNEIGH, NEWRULE, DELRULE = 28, 32, 33
IFF_UP, IFF_NOARP, IFF_MULTICAST = 0x1, 0x80, 0x1000
_IFA_F_NODAD = 0x02
_RTN_UNICAST = 1
_FR_ACT_TO_TBL, _FR_ACT_UNREACHABLE = 1, 7
_ICMP = {socket.AF_INET: 1, socket.AF_INET6: 58}
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_RTPROT_STATIC = 4
_NUD_PERMANENT = 0x80
MAIN_TABLE = 254
Network: TypeAlias = IPv4Network | IPv6Network


def family_of(prefix: Network) -> int:
    """The address family of a netlink message about it."""
    return socket.AF_INET if isinstance(prefix, IPv4Network) else socket.AF_INET6


def add_veth(
    netlink: Netlink,
    name: str,
    index: int,
    peer: str,
    peer_index: int,
    *,
    mac: str,
    peer_mac: str,
    mtu: int = 1500,
    peer_namespace: Fd | None = None,
) -> None:
    """A pair of devices, both down, with these interface indexes (0: the kernel's choice) and hardware addresses. The peer is in the other
    namespace where one is given."""
    message = ifinfmsg()
    there = [] if peer_namespace is None else [("IFLA_NET_NS_FD", peer_namespace.number)]
    other = {"index": peer_index, "attrs": [("IFLA_IFNAME", peer), ("IFLA_ADDRESS", peer_mac), ("IFLA_MTU", mtu), *there]}
    data = {"attrs": [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", {"attrs": [("VETH_INFO_PEER", other)]})]}
    message["index"] = index
    message["attrs"] = [("IFLA_IFNAME", name), ("IFLA_ADDRESS", mac), ("IFLA_MTU", mtu), ("IFLA_LINKINFO", data)]
    _request(netlink, message, NEWLINK, CREATE | EXCL, f"make the device pair {name}, {peer}")


def add_vrf(netlink: Netlink, name: str, index: int, table: int) -> None:
    """A VRF of that routing table, up (Documentation/networking/vrf.rst); raises SystemLacksError where the kernel has none."""
    message = ifinfmsg()
    data = {"attrs": [("IFLA_INFO_KIND", "vrf"), ("IFLA_INFO_DATA", {"attrs": [("IFLA_VRF_TABLE", table)]})]}
    message["index"], message["flags"], message["change"] = index, IFF_UP, IFF_UP
    message["attrs"] = [("IFLA_IFNAME", name), ("IFLA_LINKINFO", data)]
    try:
        netlink.request(message, NEWLINK, CREATE | EXCL)
    except NetlinkError as error:
        if error.errno == errno.EOPNOTSUPP:
            hint = "its module is `vrf` (CONFIG_NET_VRF)"
            raise SystemLacksError("the running kernel has no VRF, which a `vrftable` is of", hint=hint) from None
        raise explained(f"make the VRF {name}", error) from None


def remove_device(netlink: Netlink, index: int) -> None:
    """With its peer, of a pair. Fine where it is gone, and for one that the kernel keeps: a machine's own card goes back to it."""
    message = ifinfmsg()
    message["index"] = index
    try:
        netlink.request(message, DELLINK)
    except NetlinkError as error:
        if error.errno not in (errno.ENODEV, errno.EOPNOTSUPP):
            raise explained(f"remove device {index}", error) from None


def add_neighbour(netlink: Netlink, index: int, address: IPv6Address, mac: str) -> None:
    """Who has that address on the device's link: known for good, nobody is asked."""
    message = ndmsg()
    message["family"], message["ifindex"], message["state"] = socket.AF_INET6, index, _NUD_PERMANENT
    message["attrs"] = [("NDA_DST", str(address)), ("NDA_LLADDR", mac)]
    _request(netlink, message, NEWNEIGH, CREATE | REPLACE, f"add the neighbour {address}")


def set_flags(netlink: Netlink, index: int, flags: int, mask: int) -> None:
    """Change the device's IFF_ flags that are in `mask`."""
    message = ifinfmsg()
    message["index"], message["flags"], message["change"] = index, flags, mask
    _request(netlink, message, NEWLINK, 0, f"set the flags of device {index}")


def set_address(netlink: Netlink, index: int, mac: bytes) -> None:
    """Give the device this hardware address."""
    message = ifinfmsg()
    message["index"] = index
    message["attrs"] = [("IFLA_ADDRESS", mac.hex(":"))]
    _request(netlink, message, NEWLINK, 0, f"set the hardware address of device {index}")


def is_up(netlink: Netlink, index: int) -> bool:
    """Whether the device can carry packets now; a veth can some time after its peer was set up."""
    message = ifinfmsg()
    message["index"] = index
    try:
        answers = netlink.request(message, GETLINK)
    except NetlinkError as error:
        raise explained(f"ask about device {index}", error) from None
    return bool(decoded(ifinfmsg, answers[0]).get_attr("IFLA_OPERSTATE") == "UP")


def add_address(netlink: Netlink, index: int, address: IPv6Address, length: int) -> None:
    """An address without duplicate address detection: usable very soon, not at once."""
    message = _address_message(index, address, length)
    message["attrs"].append(("IFA_FLAGS", _IFA_F_NODAD))
    _request(netlink, message, NEWADDR, CREATE | EXCL, f"add the address {address}/{length}")


def remove_address(netlink: Netlink, index: int, address: IPv6Address, length: int) -> None:
    _request(netlink, _address_message(index, address, length), DELADDR, 0, f"remove the address {address}/{length}")


def _address_message(index: int, address: IPv6Address, length: int) -> ifaddrmsg:
    message = ifaddrmsg()
    message["family"], message["prefixlen"], message["index"] = socket.AF_INET6, length, index
    message["attrs"] = [("IFA_ADDRESS", str(address))]
    return message


def add_route(
    netlink: Netlink, prefix: Network, index: int, *, table: int = MAIN_TABLE, via: IPv4Address | IPv6Address | None = None
) -> None:
    """An ordinary route to `prefix` through a device."""
    message = rtmsg()
    message["family"], message["dst_len"], message["type"] = family_of(prefix), prefix.prefixlen, _RTN_UNICAST
    message["proto"], message["table"] = _RTPROT_STATIC, table if table < 256 else 0
    message["attrs"] = [("RTA_DST", str(prefix.network_address)), ("RTA_OIF", index), ("RTA_TABLE", table)]
    if via is not None:
        message["attrs"].append(("RTA_GATEWAY", str(via)))
    _request(netlink, message, NEWROUTE, CREATE | EXCL, f"add a route to {prefix}")


def forbid_own_packets(netlink: Netlink) -> None:
    """Nothing that this router sends itself (ICMP errors) finds a route; what it forwards does, and so does a packet that a
    program routes anew at its transmission, which counts as the router's own, unless it is ICMP too."""
    for family, icmp in _ICMP.items():
        message = fibmsg()
        message["family"], message["action"] = family, _FR_ACT_UNREACHABLE
        message["attrs"] = [("FRA_IIFNAME", "lo"), ("FRA_IP_PROTO", icmp), ("FRA_PRIORITY", 1)]
        _request(netlink, message, NEWRULE, CREATE | EXCL, "add a routing rule")


def forbid_answers(netlink: Netlink, address: IPv6Address) -> None:
    """Nor do segments of TCP that this router answers with, from one of its addresses (RST)."""
    message = fibmsg()
    message["family"], message["action"], message["src_len"] = socket.AF_INET6, _FR_ACT_UNREACHABLE, 128
    message["attrs"] = [("FRA_IIFNAME", "lo"), ("FRA_IP_PROTO", socket.IPPROTO_TCP), ("FRA_PRIORITY", 1), ("FRA_SRC", str(address))]
    _request(netlink, message, NEWRULE, CREATE | EXCL, "add a routing rule")


def change_rule(netlink: Netlink, rule: Rule, *, add: bool) -> None:
    """A rule that leads to a table, added or removed."""
    message = fibmsg()
    message["family"], message["action"] = _FAMILIES[rule.version], _FR_ACT_TO_TBL
    message["table"] = rule.table if rule.table < 256 else 0
    message["dst_len"] = 0 if rule.to is None else rule.to.prefixlen
    message["src_len"] = 0 if rule.source is None else rule.source.prefixlen
    said = (
        ("FRA_TABLE", rule.table),
        ("FRA_PRIORITY", rule.priority),
        ("FRA_DST", None if rule.to is None else str(rule.to.network_address)),
        ("FRA_SRC", None if rule.source is None else str(rule.source.network_address)),
        ("FRA_IIFNAME", rule.iif),
        ("FRA_FWMARK", rule.mark),
    )
    message["attrs"] = [(name, value) for name, value in said if value is not None]
    if add:
        _request(netlink, message, NEWRULE, CREATE | EXCL, "add a routing rule")
    else:
        _request(netlink, message, DELRULE, 0, "remove a routing rule")


def _request(netlink: Netlink, message: object, kind: int, flags: int, attempt: str) -> None:
    try:
        netlink.request(message, kind, flags)
    except NetlinkError as error:
        raise explained(attempt, error) from None
