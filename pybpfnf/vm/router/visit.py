"""One packet's way through a router: from a device, or from the router itself, to a device or to who listens.

receive -> route -> [ local: delivery | seg6local | seg6 | bpf in ] -> forward -> [ bpf out | seg6 ] -> [ bpf xmit ] -> device
              ^______________________________|                           ^__________________|__________________|
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import final

from pybpfnf.abi.headers import NEXT_HEADERS
from pybpfnf.abi.icmpv6 import IPV6_MIN_MTU
from pybpfnf.routes import END_BPF, PLACES, Bpf, Seg6, Seg6Local
from pybpfnf.runner import Event, Outcome
from pybpfnf.vm import ip, ipv4, ipv6, lwt
from pybpfnf.vm.dst import Route as Dst
from pybpfnf.vm.hooks import MAX_NESTED_RUNS, Passage, RunProgram
from pybpfnf.vm.host import Host
from pybpfnf.vm.ip import ETH_P_IP, ETH_P_IPV6, Address
from pybpfnf.vm.ipv6 import Drop
from pybpfnf.vm.redirect import follow
from pybpfnf.vm.router import ethernet, headers
from pybpfnf.vm.router.actions import STATIC_ACTIONS, decapsulate, decapsulate_ipv4, decapsulate_ipv6
from pybpfnf.vm.router.delivery import Onwards, Segments, Upper, deliver
from pybpfnf.vm.router.fib import Entry, Key
from pybpfnf.vm.router.hashing import flow_hash, flow_hash_v4
from pybpfnf.vm.router.state import LOOPBACK, State
from pybpfnf.vm.router.upper import Answer, receive_upper
from pybpfnf.vm.seg6 import input_action_end_bpf
from pybpfnf.vm.session import VmSession
from pybpfnf.vm.skb import Skb

_REROUTE, _REDIRECT = 128, 7
_IPV4, _FRAME = NEXT_HEADERS["ipv4"], NEXT_HEADERS["ethernet"]
_INTO_TABLES = frozenset({"End.DT4", "End.DT6", "End.DT46"})
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
        self._knows_first_header = True

    def receive(self, packet: bytes) -> tuple[str, bytes] | None:
        """`ip_rcv`, `ipv6_rcv`: the device that the packet leaves by, and the packet; None where it ends here; or Drop."""
        protocol, index = ip.protocol(packet), self.state.devices[self.arrived_by].index
        self.skb = Skb(bytearray(packet), ifindex=index, protocol=protocol, mac=ethernet.header(index, protocol))
        while True:
            self._passes = 0
            self._receive_header()
            self._knows_first_header = self.skb.protocol == ETH_P_IPV6
            self._route()
            left = self._input()
            if left is Onwards.ENDED:
                return None
            if left is not Onwards.RECEIVED:
                assert not isinstance(left, Onwards)
                return left

    def _receive_header(self) -> None:
        """`ip_rcv_core`, `ip6_rcv_core`: the packet without padding; or Drop."""
        whole = self.skb
        if whole.protocol == ETH_P_IP:
            packet, transport = ipv4.receive(bytes(whole.data))
            self.skb = Skb(bytearray(packet), whole.ifindex, protocol=ETH_P_IP, mac=whole.mac, transport=transport)
            return
        packet = ipv6.trim(bytes(whole.data))
        self.skb = Skb(bytearray(packet), whole.ifindex, mac=whole.mac)
        self.skb.transport = ipv6.transport_offset(packet)

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
            if isinstance(entry.route.encap, Seg6Local) and entry.route.encap.action == "End.DX2":
                return self._forward_frame(entry.route.encap)
            if entry.route.encap is None or not self._encapsulated_in(entry):
                return self._forward()

    def _deliver(self) -> Onwards:
        """`ip6_input`. A segment that leads to the router itself again costs a hop, and the next is taken at once; so does one of the
        prefix of its own address, which is on lo (`ipv6_srh_rcv`)."""
        skb, settings = self.skb, self.state.settings
        device = self.arrived_by
        if not self._knows_first_header:
            # Only reception of an IPv6 packet says where its first header's number is (IP6CB(skb)->nhoff): else the kernel takes byte 0.
            reason = "ip6_protocol_deliver_rcu: what came as a packet of IPv4 has the version for its next header"
            raise Drop(reason, "unknown_next_header")
        segments = Segments(settings.seg6_enabled(device), settings.require_hmac(device), settings.hmac_keys)
        while True:
            whole = bytes(skb.data)
            onwards = deliver(skb, segments)
            if isinstance(onwards, Upper):
                self.answer = receive_upper(skb, onwards, self.state, device)
                self.delivered = bytes(skb.data) if self.answer is None else None
                return Onwards.ENDED
            if onwards is Onwards.RECEIVED:
                # All that was in front of what is received anew counts as its link-layer header (__netif_receive_skb_core).
                skb.mac += whole[: len(whole) - len(skb.data)]
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
                self._knows_first_header &= self.skb.protocol == ETH_P_IPV6
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
        elif encap.action in _INTO_TABLES:
            self._into_table(encap)
        else:
            STATIC_ACTIONS[encap.action](self._static(), self.skb, encap)

    def _into_table(self, encap: Seg6Local) -> None:
        """End.DT4, End.DT6, End.DT46: what is inside is routed by a table, or as what came in by a VRF with that table."""
        skb = self.skb
        is_ipv4 = encap.action == "End.DT4" or (encap.action == "End.DT46" and ipv6.find_header(skb.data, _IPV4) >= 0)
        (decapsulate_ipv4 if is_ipv4 else decapsulate_ipv6)(self._static(), skb)
        if encap.vrftable is not None:
            skb.dst = self._find(skb, ip.destination(skb.data, skb.protocol), vrf=encap.vrftable)
        else:
            skb.dst = self._lookup_any(skb, ipv6.destination(skb.data), encap.table or 0)

    def _forward_frame(self, encap: Seg6Local) -> tuple[str, bytes]:
        """End.DX2: no hop is taken off."""
        self._count()
        assert encap.oif is not None
        decapsulate(self._static(), self.skb, _FRAME)
        if encap.oif == LOOPBACK:
            raise Drop("input_action_end_dx2: lo is no Ethernet device")
        return encap.oif, ethernet.forward(bytes(self.skb.data), self.state.devices[encap.oif])

    # ----------------------------------------------------------------------------------------- forwarding, and out

    def _forward(self) -> tuple[str, bytes]:
        entry = self._entry()
        if self.skb.protocol == ETH_P_IP:
            self.skb.priority = ipv4.forward(self.skb.data)
        else:
            ipv6.forward(self.skb.data, self.state.mtu(entry), came_by=entry.hop.device == self.arrived_by)
        return self._output()

    def _output(self) -> tuple[str, bytes]:
        """`dst_output`, as often as an encapsulation routes the packet anew."""
        while True:
            entry = self._entry()
            _refuse_loopback(entry)
            if isinstance(entry.route.encap, Seg6) and entry.route.encap.mode not in headers.OF_FRAMES:
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
        if self.skb.protocol == ETH_P_IP:
            raise Drop(f"arp: nobody at the other end of {entry.hop.device} is asked for IPv4 addresses")
        assert self.skb.dst is not None
        chosen = self._next_hops.get(self.skb.dst.entry)
        if entry.hop.via is not None:
            address = int(entry.hop.via)
        else:
            address = int.from_bytes(self.skb.data[24:40], "big") if chosen is None else chosen
        if address not in known:
            raise Drop(f"ndisc: {IPv6Address(address)} is nobody's at the other end of {entry.hop.device}")

    def _check_size(self, entry: Entry) -> None:
        """`ip6_finish_output`, `ip_finish_output`: what a hook has made longer than the MTU is not cut up, nor is any of IPv4."""
        size, mtu = len(self.skb.data), max(self.state.mtu(entry), IPV6_MIN_MTU)
        if size > mtu:
            name = "ip_fragment" if self.skb.protocol == ETH_P_IP else "ip6_fragment"
            raise Drop(f"{name}: {size} bytes are more than the MTU of {mtu}", "too_big", mtu)

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

    # ---------------------------------------------------------------------------------------- look-ups (vm.network.Network)

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
        if destination.is_unspecified:
            return destination  # none is found for it: the kernel leaves there what its memory held
        device = None if skb.dst is None or not skb.dst.entry else self._entries[skb.dst.entry - 1].hop.device
        return self.state.addresses.source_for(destination, device)

    def _lookup_any(self, skb: Skb, address: Address, table: int, oif: str | None = None) -> Dst:
        """`seg6_lookup_any_nexthop`: to the router itself as well; by `oif` alone, where that is said."""
        if table and not self.state.fib_of(address.version).has_table(table):
            return Dst(-errno.EINVAL, f"there is no routing table {table}")
        return self._find(skb, address, table, oif, LOOPBACK if oif else self.arrived_by)

    def _route(self, oif: str | None = None) -> None:
        """`ip6_route_input`, `ip_route_input`: where the packet's destination leads by the rules; Drop for a multicast one of IPv6."""
        skb = self.skb
        if skb.protocol != ip.protocol(skb.data):
            raise Drop("bpf_lwt_input_reroute: the seg6 encapsulation of an IPv4 packet is still called IPv4, and routed as that")
        destination = ip.destination(skb.data, skb.protocol)
        if skb.protocol == ETH_P_IPV6 and destination.is_multicast:
            raise Drop(f"{destination} is multicast, which is not forwarded")
        skb.dst = self._find(skb, destination, 0, oif, self.arrived_by)

    def _find(
        self, skb: Skb, address: Address, table: int = 0, oif: str | None = None, iif: str | None = None, vrf: int | None = None
    ) -> Dst:
        """By a table, or by the rules; `vrf` is the table of the VRF that the packet counts as having come in by."""
        if isinstance(address, IPv4Address):
            ipv4.check_addresses(IPv4Address(bytes(skb.data[12:16])), address)
        iif = self.arrived_by if iif is None else iif
        if isinstance(address, IPv6Address) and oif is None and not table and iif != LOOPBACK and _is_of_link(int(address)):
            oif = iif
        key = self._key(skb, address, oif, iif, vrf)
        fib = self.state.fib_of(address.version)
        entry = fib.lookup_in(table, key) if table else fib.lookup(key)
        error = -errno.ENETUNREACH if entry is None else entry.error
        if entry is None or error:
            return Dst(error, _REJECTED[error][0].format(address))
        self._entries.append(entry)
        return Dst(entry=len(self._entries))

    def _key(self, skb: Skb, address: Address, oif: str | None, iif: str, vrf: int | None) -> Key:
        policy, seed = self.state.settings.hash_policy, self.state.environment.seed
        if isinstance(address, IPv4Address):
            source = int.from_bytes(skb.data[12:16], "big")
            return Key(int(address), source, iif, skb.mark, oif, lambda: flow_hash_v4(skb.data, seed), vrf)
        source = int.from_bytes(skb.data[8:24], "big")
        return Key(int(address), source, iif, skb.mark, oif, lambda: flow_hash(skb.data, policy, seed), vrf)

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
