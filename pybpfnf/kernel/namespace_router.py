"""A router in a namespace of its own, told things and given packets as the VM's is. All vanishes with it.

    wire3 -> tun0  [ rules, tables, routes with encapsulations and programs ]  dum0 -> wire5, dum1 -> wire7, ...

Each device is one end of a veth pair; at the other packets are sent and watched. No device has neighbours to find (IFF_NOARP). The
router answers nothing itself, or, with `answers`, by ICMPv6, as often as it is asked and without flow labels of its own.
"""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import time
from contextlib import ExitStack
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path
from typing import final

from pybpfnf.errors import InputError, InternalError, KernelError
from pybpfnf.kernel import links, netns, seg6
from pybpfnf.kernel.cpus import on_cpu
from pybpfnf.kernel.links import DELROUTE, IFF_MULTICAST, IFF_NOARP, IFF_UP, NEWROUTE
from pybpfnf.kernel.load import LoadedProgram, load_program
from pybpfnf.kernel.netlink import CREATE, EXCL, REPLACE, Netlink, NetlinkError, explained
from pybpfnf.kernel.router import wait_for_address
from pybpfnf.kernel.told_routes import Programs, route_message
from pybpfnf.kernel.wire import packet_socket
from pybpfnf.routes import END_BPF, PLACES, Bpf, Crossing, FindProgram, Hop, ProgramRef, Route, Rule, Seg6Local
from pybpfnf.runner import HmacKey

LOOPBACK, TUN = "lo", "tun0"
_VERBS = {"add": CREATE | EXCL, "append": CREATE | 0x800, "replace": CREATE | REPLACE, "change": REPLACE}  # NLM_F_APPEND
_ANY_PROTOCOL = 0  # of a route to delete: whoever made it
_MAIN_PRIORITY = 32766
_MTU = 65535
_PATIENCE, _PAUSE = 5.0, 0.0002  # seconds
_LARGEST = 1 << 17
_OUTGOING = 4  # PACKET_OUTGOING: what was sent at this end itself
_ETH_P_ALL, _ETH_P_IP, _ETH_P_IPV6 = 0x0003, 0x0800, 0x86DD
_FIRST_VRF = 1 << 20  # interface indexes, above those of the devices
_SCOPE_NOWHERE = 255  # of an IPv4 route to delete: whatever scope it has
# Before there are devices, so that each starts with them: no address of its own accord, nothing said about itself.
_SYSCTLS = (
    ("ipv6/conf/default/addr_gen_mode", 1),
    ("ipv6/conf/default/accept_ra", 0),
    ("ipv6/conf/default/router_solicitations", 0),
    ("ipv6/conf/default/seg6_enabled", 1),
    ("ipv6/conf/all/seg6_enabled", 1),
    ("ipv6/conf/all/forwarding", 1),
    ("ipv6/conf/default/forwarding", 0),  # a new device is multicast: one that forwards would report that it joins all routers
    ("ipv4/ip_forward", 1),
    ("ipv4/conf/default/rp_filter", 0),
    ("ipv4/conf/all/rp_filter", 0),
)
_ANSWERING = (("ipv6/icmp/ratelimit", 0), ("ipv6/auto_flowlabels", 0))
# What marks the end of a packet's way: it crosses by a table and a device of its own, behind the packet.
_FLUSH_DEVICE, _FLUSH_TABLE, _FLUSH_PRIORITY = "flush0", 4_182_182, 2
_FLUSH_TARGET = IPv6Address("fd70:7962:7066:6e66::2")
_FLUSH_PACKET = bytes.fromhex("60000000000e3b40") + IPv6Address("fd70:7962:7066:6e66::1").packed + _FLUSH_TARGET.packed + b"end of "
_ROUNDS = 3  # a packet inside another is received anew behind what waits, as often as it is unpacked


@final
class NamespaceRouter:
    """A `routes.Router`; `find` gives the programs that routes name."""

    def __init__(self, find: FindProgram, *, answers: bool = False) -> None:
        self._find = find
        self._indexes = {LOOPBACK: 1}
        self._loaded: list[LoadedProgram] = []
        self._senders: dict[str, socket.socket] = {}
        self._watched: dict[str, socket.socket] = {}
        self._flushes = 0
        self._vrfs: set[int] = set()
        self._priorities: dict[int, list[int]] = {4: [], 6: []}  # of rules, by IP version
        with ExitStack() as stack:
            self._namespace = stack.enter_context(netns.Namespace())
            self._stack = stack
            with self._namespace.entered():
                self._netlink = stack.enter_context(Netlink())
                for name, value in (*_SYSCTLS, *(_ANSWERING if answers else ())):
                    netns.set_sysctl(name, value)
                links.set_flags(self._netlink, 1, IFF_UP, IFF_UP)
                if not answers:
                    links.forbid_own_packets(self._netlink)
            self.add_device(TUN)
            self.add_device(_FLUSH_DEVICE)
            flush = IPv6Network(_FLUSH_TARGET)
            self.change_rule("add", Rule(_FLUSH_TABLE, _FLUSH_PRIORITY, to=flush))
            self.change_route("add", Route(flush, _FLUSH_TABLE, (Hop(_FLUSH_DEVICE),)))
            self._stack = stack.pop_all()

    # -------------------------------------------------------------------------------------------- what it is told

    def add_device(self, name: str) -> None:
        if name in self._indexes:
            raise InputError(f"there is a device {name} already")
        index = 2 * len(self._indexes)
        far = f"wire{index + 1}"
        with self._namespace.entered():
            macs = [f"02:00:00:00:00:{each:02x}" for each in (index, index + 1)]
            links.add_veth(self._netlink, name, index, far, index + 1, mac=macs[0], peer_mac=macs[1], mtu=_MTU)
            for each in (index + 1, index):
                links.set_flags(self._netlink, each, IFF_NOARP, IFF_NOARP | IFF_MULTICAST)
            netns.set_sysctl(f"ipv6/conf/{far}/disable_ipv6", 1)
            netns.set_sysctl(f"ipv6/conf/{name}/forwarding", 1)
            for each in (index + 1, index):
                links.set_flags(self._netlink, each, IFF_UP, IFF_UP)
            self._wait_until_up(index, index + 1)
            self._watch(name, far)
        self._indexes[name] = index

    def change_route(self, verb: str, route: Route) -> None:
        with self._namespace.entered():
            if isinstance(route.encap, Seg6Local) and route.encap.vrftable is not None:
                self._add_vrf(route.encap.vrftable)
            programs = {} if verb == "del" else self._load(route)
            told = route_message(route, self._index, programs)
            message = (told if verb != "del" else replace(told.bare(_ANY_PROTOCOL), scope=_SCOPE_NOWHERE)).encode()
            kind, flags = (DELROUTE, 0) if verb == "del" else (NEWROUTE, _VERBS[verb])
            try:
                self._netlink.send(message, kind, flags)
            except NetlinkError as error:
                raise explained(f"{verb} the route to {route.prefix}", error) from None

    def _add_vrf(self, table: int) -> None:
        """What such a route cannot be without (net/ipv6/seg6_local.c, __seg6_end_dt_vrf_build)."""
        if table in self._vrfs:
            return
        name = f"vrf{table}"
        links.add_vrf(self._netlink, name, _FIRST_VRF + len(self._vrfs), table)
        self._vrfs.add(table)
        netns.set_sysctl("vrf/strict_mode", 1)
        netns.set_sysctl(f"ipv6/conf/{name}/forwarding", 1)

    def change_rule(self, verb: str, rule: Rule) -> None:
        if verb == "add":
            rule = replace(rule, priority=self._priority(rule))
            self._priorities[rule.version].append(rule.priority or 0)
        links.change_rule(self._netlink, rule, add=verb == "add")

    def _priority(self, rule: Rule) -> int:
        """The one that the kernel would choose (net/core/fib_rules.c, fib_default_rule_pref), were there no rules of this router's own."""
        if rule.priority is not None:
            return rule.priority
        return min((each for each in self._priorities[rule.version] if each > _FLUSH_PRIORITY), default=_MAIN_PRIORITY) - 1

    def change_address(self, verb: str, address: IPv6Address, length: int, device: str) -> None:
        index = self._index(device)
        if verb == "del":
            links.remove_address(self._netlink, index, address, length)
            return
        links.add_address(self._netlink, index, address, length)
        with self._namespace.entered():
            wait_for_address(self._netlink, address)
        links.forbid_answers(self._netlink, address)

    def set_tunnel_source(self, address: IPv6Address) -> None:
        with self._namespace.entered():
            seg6.set_tunnel_source(address)

    def set_hmac_key(self, number: int, key: HmacKey) -> None:
        with self._namespace.entered():
            seg6.set_hmac_key(number, key)

    def set_sysctl(self, name: str, value: int) -> None:
        with self._namespace.entered():
            netns.set_sysctl(name, value)

    def run_shell(self, line: str, directory: Path) -> None:
        """A line in bash, in the namespace; what it prints goes to stderr, its status to nobody."""
        with self._namespace.entered():
            subprocess.run(["bash", "-c", line], cwd=directory, stdin=subprocess.DEVNULL, stdout=2, check=False)

    def close(self) -> None:
        for loaded in self._loaded:
            loaded.close()
        self._stack.close()

    # --------------------------------------------------------------------------------------------------- packets

    def receive(self, device: str, packet: bytes) -> Crossing:
        self._index(device)
        for each in self._watched.values():
            _drain(each)
        with on_cpu(min(os.sched_getaffinity(0))):
            self._send(device, packet)
            for _ in range(_ROUNDS):
                self._flush()
        found = [(name, data) for name, each in self._watched.items() if name != _FLUSH_DEVICE for data in _drain(each)]
        return Crossing(tuple(found), None if found else "the kernel dropped it")

    def _send(self, device: str, packet: bytes) -> None:
        mac = bytes.fromhex("0200000000") + bytes((self._indexes[device],))
        try:
            ether_type = _ETH_P_IP if packet[0] >> 4 == 4 else _ETH_P_IPV6
            self._senders[device].send(mac + bytes(6) + ether_type.to_bytes(2, "big") + packet)
        except OSError as error:
            raise KernelError(f"cannot send a packet of {len(packet)} bytes: {error.strerror}", errno=error.errno or 0) from None

    def _flush(self) -> None:
        """Wait for a packet that goes in behind the others, so that what they have become has come out by then."""
        self._flushes += 1
        mark = self._flushes.to_bytes(7, "big")
        self._send(TUN, _FLUSH_PACKET + mark)
        deadline = time.monotonic() + _PATIENCE
        while not any(data.endswith(mark) for data in _drain(self._watched[_FLUSH_DEVICE])):
            if time.monotonic() > deadline:
                raise InternalError("the packet that marks the end of a run did not cross the router")
            time.sleep(_PAUSE)

    def _watch(self, name: str, far: str) -> None:
        sender = self._stack.enter_context(packet_socket(socket.SOCK_RAW))
        sender.bind((far, 0))
        receiver = self._stack.enter_context(packet_socket(socket.SOCK_DGRAM))
        receiver.bind((far, _ETH_P_ALL))
        receiver.setblocking(False)
        self._senders[name], self._watched[name] = sender, receiver

    def _wait_until_up(self, *indexes: int) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not all(links.is_up(self._netlink, index) for index in indexes):
            if time.monotonic() > deadline:
                raise KernelError("a pair of devices does not come up", errno=errno.ETIMEDOUT)
            time.sleep(_PAUSE)

    # -------------------------------------------------------------------------------------------------- programs

    def _index(self, name: str) -> int:
        if name not in self._indexes:
            there = ", ".join(each for each in self._indexes if each != _FLUSH_DEVICE)
            raise InputError(f"there is no device {name}", hint=f"there are {there}; `if add` makes another")
        return self._indexes[name]

    def _load(self, route: Route) -> Programs:
        """The programs of a route's encapsulation, in the kernel until this is closed."""
        match route.encap:
            case Bpf(programs=programs):
                wanted = [(place, ref, PLACES[place]) for place, ref in programs]
            case Seg6Local(program=ProgramRef() as ref):
                wanted = [(END_BPF, ref, END_BPF)]
            case _:
                return {}
        found = {}
        for place, ref, type_name in wanted:
            bound = self._find(ref, type_name)
            loaded = load_program(bound.image, bound.program)
            self._loaded.append(loaded)
            bound.fill(loaded.maps)
            found[place] = (loaded.fd, bound.program.name)
        return found


def _drain(receiver: socket.socket) -> list[bytes]:
    """What has come since it was asked last, but for what was sent here."""
    found: list[bytes] = []
    while True:
        try:
            data, address = receiver.recvfrom(_LARGEST)
        except BlockingIOError:
            return found
        if address[2] != _OUTGOING:
            found.append(data)
