"""One packet's way through a router: from a device, or from the router itself, to a device or to who listens.

receive -> route -> [ local: delivery | seg6local | seg6 | bpf in ] -> forward -> [ bpf out | seg6 ] -> [ bpf xmit ] -> device
              ^______________________________|                           ^__________________|__________________|
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from ipaddress import IPv6Address
from typing import final

from pybpfnf.abi.icmpv6 import IPV6_MIN_MTU
from pybpfnf.routes import END_BPF, PLACES, Bpf, Seg6, Seg6Local
from pybpfnf.runner import Event, Outcome
from pybpfnf.vm import ip, ipv6, lwt
from pybpfnf.vm.hooks import MAX_NESTED_RUNS, Passage, RunProgram
from pybpfnf.vm.host import Host
from pybpfnf.vm.ip import ETH_P_IPV6, Address
from pybpfnf.vm.ipv6 import Drop
from pybpfnf.vm.redirect import follow
from pybpfnf.vm.route import Route as Dst
from pybpfnf.vm.router import headers
from pybpfnf.vm.router.actions import STATIC_ACTIONS, decapsulate
from pybpfnf.vm.router.delivery import Onwards, Segments, Upper, deliver
from pybpfnf.vm.router.fib import Entry, Key
from pybpfnf.vm.router.hashing import flow_hash
from pybpfnf.vm.router.state import LOOPBACK, State
from pybpfnf.vm.router.upper import Answer, receive_upper
from pybpfnf.vm.seg6 import input_action_end_bpf
from pybpfnf.vm.session import VmSession
from pybpfnf.vm.skb import Skb

_REROUTE, _REDIRECT = 128, 7
_LINK_LOCAL = 0xFE80 >> 6  # the first ten bits of fe80::/10
_REJECTED = {
    -errno.ENETUNREACH: ("there is no route to {}", "no_route"),
    -errno.EHOSTUNREACH: ("the route to {} refuses packets", "no_route"),
    -errno.EACCES: ("the route to {} prohibits packets", "prohibited"),
    -errno.EINVAL: ("the route to {} is a black hole", None),
}


@final
class Visit:
    """`skb` is the packet as it is now, `arrived_by` the device that it came in by, which is lo for one of the router's own. `log` and
    `events`: what programs said about it; `answer`: the router's own packet that it caused; `delivered`: the packet, for who listens."""

    def __init__(self, state: State, statics: Host, arrived_by: str) -> None:
        self.state = state
        self.arrived_by = arrived_by
        self.skb = Skb(bytearray())
        self.log: list[str] = []
        self.events: list[Event] = []
        self.answer: Answer | None = None
        self.delivered: bytes | None = None
        self._statics = statics
        self._entries: list[Entry] = []
        self._next_hops: dict[int, int] = {}  # of entries that were looked up for another address than the packet's, which is the next hop
        self._passes = 0

    def receive(self, packet: bytes) -> tuple[str, bytes] | None:
        """`ipv6_rcv` and `ip6_rcv_finish`: the device that the packet leaves by, and the packet; None where it ends here; or Drop."""
        while True:
            packet = ipv6.trim(packet)
            self._passes = 0
            self.skb = Skb(bytearray(packet), ifindex=self.state.devices[self.arrived_by].index)
            self.skb.transport = ipv6.transport_offset(packet)
            self._route()
            left = self._input()
            if left is Onwards.ENDED:
                return None
            if left is Onwards.RECEIVED:
                packet = bytes(self.skb.data)
                continue
            assert not isinstance(left, Onwards)
            return left

    def send(self, packet: bytes, device: str | None = None) -> tuple[str, bytes] | None:
        """A packet of the router's own (`ip6_route_output`, `dst_output`); `device`: the one that it must leave by, None for any. Who
        sends one without a route is told, and not by ICMPv6."""
        self.skb = Skb(bytearray(packet))
        self._route(device)
        if self.skb.dst is not None and self.skb.dst.reason is not None:
            raise Drop(self.skb.dst.reason)
        mtu = self.state.devices[self._entry().hop.device or LOOPBACK].mtu
        if len(packet) > mtu:
            raise Drop(f"rawv6_send_hdrinc: {len(packet)} bytes are more than the device's MTU of {mtu}")
        left = self._output()
        return self.receive(left[1]) if left[0] == LOOPBACK else left

    def _input(self) -> tuple[str, bytes] | Onwards:
        """`dst_input`, as often as routes lead to another."""
        while True:
            entry = self._entry()
            if entry.route.type == "local":
                onwards = self._deliver()
                if onwards is not Onwards.ROUTED:
                    return onwards
                continue
            _refuse_loopback(entry)
            if entry.route.encap is None or not self._encapsulated_in(entry):
                return self._forward()

    def _deliver(self) -> Onwards:
        """`ip6_input`. A segment that leads to the router itself again costs a hop, and the next is taken at once; so does one of the
        prefix of its own address, which is on lo (`ipv6_srh_rcv`)."""
        skb, settings = self.skb, self.state.settings
        device = self.arrived_by
        segments = Segments(settings.seg6_enabled(device), settings.require_hmac(device), settings.hmac_keys)
        while True:
            onwards = deliver(skb, segments)
            if isinstance(onwards, Upper):
                self.answer = receive_upper(skb, onwards, self.state, device)
                self.delivered = bytes(skb.data) if self.answer is None else None
                return Onwards.ENDED
            if onwards is Onwards.RECEIVED:
                return onwards
            self._route()
            if self._entry().hop.device != LOOPBACK:
                return onwards
            if skb.data[7] <= 1:
                raise Drop("ipv6_srh_rcv: the hop limit is 1 or 0", "hop_limit")
            skb.data[7] -= 1

    def _encapsulated_in(self, entry: Entry) -> bool:
        """`lwtunnel_input`; whether the packet has another route now, which it goes in by."""
        match entry.route.encap:
            case Seg6() as encap:
                self._count()
                headers.push(self._static(), self.skb, encap)
                self._route()
            case Seg6Local() as encap:
                self._count()
                self._seg6local(entry, encap)
            case Bpf() if "in" in entry.sessions:
                self._count()
                arrived = self.skb.protocol
                if self._run(entry.sessions["in"]).verdict != _REROUTE:
                    if ip.protocol(self.skb.data) != arrived:
                        raise Drop("the packet has changed its IP version and is forwarded by its old route: return REROUTE")
                    return False
                self._route()
            case _:
                return False
        return True

    def _seg6local(self, entry: Entry, encap: Seg6Local) -> None:
        if END_BPF in entry.sessions:
            self._step(entry.sessions[END_BPF], input_action_end_bpf)
        elif encap.action == "End.DT6":
            decapsulate(self._static(), self.skb)
            self.skb.dst = self._lookup_any(self.skb, ipv6.destination(self.skb.data), encap.table or 0)
        else:
            STATIC_ACTIONS[encap.action](self._static(), self.skb, encap)

    # ----------------------------------------------------------------------------------------- forwarding, and out

    def _forward(self) -> tuple[str, bytes]:
        entry = self._entry()
        ipv6.forward(self.skb.data, self.state.mtu(entry), came_by=entry.hop.device == self.arrived_by)
        return self._output()

    def _output(self) -> tuple[str, bytes]:
        """`dst_output`, as often as an encapsulation routes the packet anew."""
        while True:
            entry = self._entry()
            _refuse_loopback(entry)
            if isinstance(entry.route.encap, Seg6):
                self._count()
                headers.push(self._static(), self.skb, entry.route.encap)
                self._route()
                continue
            if "out" in entry.sessions:
                self._count()
                self._run(entry.sessions["out"])
            self._check_size(entry)
            if "xmit" in entry.sessions and self._transmitted_anew(entry):
                continue
            assert entry.hop.device is not None
            self._find_neighbour(entry)
            return entry.hop.device, bytes(self.skb.data)

    def _find_neighbour(self, entry: Entry) -> None:
        """`ip6_finish_output2`: who is to have the packet must be at the device's other end. (Linux asks for three seconds, and then says
        that the address is unreachable.)"""
        known = self.state.devices[entry.hop.device or LOOPBACK].neighbours
        if known is None:
            return
        assert self.skb.dst is not None
        chosen = self._next_hops.get(self.skb.dst.entry)
        if entry.hop.via is not None:
            address = int(entry.hop.via)
        else:
            address = int.from_bytes(self.skb.data[24:40], "big") if chosen is None else chosen
        if address not in known:
            raise Drop(f"ndisc: {IPv6Address(address)} is nobody's at the other end of {entry.hop.device}")

    def _check_size(self, entry: Entry) -> None:
        """`ip6_finish_output`: what a hook has made longer than the MTU is not cut up."""
        size, mtu = len(self.skb.data), max(self.state.mtu(entry), IPV6_MIN_MTU)
        if size > mtu:
            raise Drop(f"ip6_fragment: {size} bytes are more than the MTU of {mtu}", "too_big", mtu)

    def _transmitted_anew(self, entry: Entry) -> bool:
        """`bpf_xmit`; whether the program had the packet routed anew."""
        self._count()
        skb, devices = self.skb, self.state.devices
        if entry.hop.device is not None:
            skb.ingress_ifindex, skb.ifindex = devices[self.arrived_by].index, devices[entry.hop.device].index
        before = skb.protocol
        verdict = self._run(entry.sessions["xmit"]).verdict
        if verdict == _REROUTE:
            self._route()
        elif skb.protocol != before:
            raise Drop("bpf_xmit: the packet has changed its IP version: return REROUTE")
        return verdict == _REROUTE

    def _count(self) -> None:
        """`lwtunnel_input`, `_output` and `_xmit` share the limit of their nesting (net/core/lwtunnel.c)."""
        if self._passes == MAX_NESTED_RUNS:
            raise Drop(f"lwtunnel: the packet came to encapsulations more than {MAX_NESTED_RUNS} times")
        self._passes += 1

    # ------------------------------------------------------------------------------------------------ runs

    def _run(self, session: VmSession) -> Outcome:
        """A program of a `bpf` encapsulation, once."""

        def step(host: Host, skb: Skb, run_program: RunProgram, passage: Passage) -> Dst:
            lwt.run_lwt_bpf(host, skb, run_program, passage)
            if passage.verdict == _REDIRECT and session.program.type == PLACES["xmit"]:
                follow(host, skb)
            assert skb.dst is not None
            return skb.dst

        return self._step(session, step)

    def _step(self, session: VmSession, step: Callable[[Host, Skb, RunProgram, Passage], Dst]) -> Outcome:
        """One stay at a program; Drop where that ends the packet, with what the program said kept."""

        def input_packet(host: Host, skb: Skb, run_program: RunProgram) -> Passage:
            passage = Passage()
            try:
                skb.dst = step(host, skb, run_program, passage)
                passage.packet = bytes(skb.data)
            except Drop as drop:
                passage.reason = drop.reason
            return passage

        if self.state.clock is not None:
            session.set_clock(self.state.clock)
        outcome = session.step(self.skb, self, self.state.environment_at(self.arrived_by), input_packet)
        self.log += outcome.log
        self.events += outcome.events
        if outcome.packet is None:
            fault = outcome.fault
            where = f" ({fault.file}:{fault.line}: {fault.message})" if fault is not None and fault.file is not None else ""
            raise Drop(f"{outcome.reason}{where}")
        return outcome

    def _static(self) -> Host:
        self._statics.environment = self.state.environment_at(self.arrived_by)
        self._statics.network = self
        return self._statics

    # ---------------------------------------------------------------------------------------- look-ups (vm.routes.Network)

    def lookup(self, skb: Skb, sid: Address, address: Address, table: int, oif: str | None = None) -> Dst:
        found = self._lookup_any(skb, address, table, oif)
        if not found.error and found.entry and self._entries[found.entry - 1].hop.device == LOOPBACK:
            return Dst(-errno.EINVAL, f"{address} is the router's own: the seg6 look-up does not deliver locally")
        if found.entry:
            self._next_hops[found.entry] = int(address)
        return found

    def tunnel_source(self, skb: Skb, destination: IPv6Address) -> IPv6Address:
        source = self.state.settings.tunnel_source
        if not source.is_unspecified:
            return source
        device = None if skb.dst is None or not skb.dst.entry else self._entries[skb.dst.entry - 1].hop.device
        return self.state.addresses.source_for(destination, device)

    def _lookup_any(self, skb: Skb, address: Address, table: int, oif: str | None = None) -> Dst:
        """`seg6_lookup_any_nexthop`: to the router itself as well; by `oif` alone, where that is said."""
        if table and not self.state.fib.has_table(table):
            return Dst(-errno.EINVAL, f"there is no routing table {table}")
        if not isinstance(address, IPv6Address):
            return Dst(-errno.ENETUNREACH, f"{address} is not routed here: this router has IPv6 alone")
        return self._find(skb, int(address), table, oif, LOOPBACK if oif else self.arrived_by)

    def _route(self, oif: str | None = None) -> None:
        """`ip6_route_input`: where the packet's destination leads by the rules; Drop for a multicast one."""
        skb = self.skb
        if skb.protocol != ETH_P_IPV6 or ip.protocol(skb.data) != ETH_P_IPV6:
            raise Drop("the packet is one of IPv4 now, which this router does not route")
        if skb.data[24] == 0xFF:
            raise Drop(f"{ipv6.destination(skb.data)} is multicast, which is not forwarded")
        skb.dst = self._find(skb, int.from_bytes(skb.data[24:40], "big"), 0, oif, self.arrived_by)

    def _find(self, skb: Skb, address: int, table: int, oif: str | None, iif: str) -> Dst:
        state = self.state
        policy, seed = state.settings.hash_policy, state.environment.seed
        source = int.from_bytes(skb.data[8:24], "big")
        if oif is None and not table and iif != LOOPBACK and _is_of_link(address):
            oif = iif
        key = Key(address, source, iif, skb.mark, oif, lambda: flow_hash(skb.data, policy, seed))
        entry = state.fib.lookup_in(table, key) if table else state.fib.lookup(key)
        error = -errno.ENETUNREACH if entry is None else entry.error
        if entry is None or error:
            return Dst(error, _REJECTED[error][0].format(IPv6Address(address)))
        self._entries.append(entry)
        return Dst(entry=len(self._entries))

    def _entry(self) -> Entry:
        """The way that the packet takes; Drop where it has none."""
        dst = self.skb.dst
        assert dst is not None
        if dst.reason is not None:
            raise Drop(dst.reason, _REJECTED[dst.error][1] if dst.error in _REJECTED else None)
        return self._entries[dst.entry - 1]


def _is_of_link(address: int) -> bool:
    """`rt6_need_strict`: an address that is looked for at the device that a packet came in by alone."""
    return address >> 118 == _LINK_LOCAL or address == 1


def _refuse_loopback(entry: Entry) -> None:
    """A route by lo that is not local is one that refuses packets, without an error of its own (`fib6_is_reject`, `ip6_pkt_discard`)."""
    if entry.hop.device == LOOPBACK and entry.route.type != "local":
        raise Drop(f"the route to {entry.route.prefix} is by lo, and leads nowhere", "no_route")
