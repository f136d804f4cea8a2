"""The router: told routes, it takes packets in at a device and gives those that leave, or why they do not.

    receive -> route -> [ local: delivery | seg6local | seg6 | bpf in ] -> forward -> [ bpf out | seg6 ] -> [ bpf xmit ] -> device
                  ^______________________________|                           ^__________________|__________________|

Not here: neighbours, MTU, ICMP, fragments, IPv4, and what of Linux no packet of IPv6 shows. A router begins with the device tun0, and
forwards.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from typing import final

from pybpfnf.errors import InputError
from pybpfnf.routes import END_BPF, LOCAL_TABLE, PLACES, Bpf, Crossing, FindProgram, Hop, ProgramRef, Route, Rule, Seg6, Seg6Local
from pybpfnf.runner import Environment, HmacKey, Outcome
from pybpfnf.vm import ip, ipv6, lwt
from pybpfnf.vm.hooks import MAX_NESTED_RUNS, Passage, RunProgram
from pybpfnf.vm.host import Host
from pybpfnf.vm.ip import ETH_P_IPV6, Address
from pybpfnf.vm.ipv6 import Drop
from pybpfnf.vm.memory import Memory
from pybpfnf.vm.redirect import follow
from pybpfnf.vm.router import headers
from pybpfnf.vm.router.actions import STATIC_ACTIONS, decapsulate
from pybpfnf.vm.router.addresses import Addresses
from pybpfnf.vm.router.delivery import Onwards, deliver
from pybpfnf.vm.router.fib import Entry, Fib, Key, error_of
from pybpfnf.vm.router.settings import Settings
from pybpfnf.vm.routes import Route as Dst
from pybpfnf.vm.seg6 import input_action_end_bpf
from pybpfnf.vm.seg6_helpers import flow_hash
from pybpfnf.vm.session import VmSession
from pybpfnf.vm.skb import Skb

LOOPBACK, TUN = "lo", "tun0"
_REROUTE, _REDIRECT, _OK = 128, 7, 0
_REJECTED = {-errno.ENETUNREACH: "there is no route to {}", -errno.EINVAL: "the route to {} is a black hole"}


@final
class VmRouter:
    """A `routes.Router`. `find` gives the programs that routes name; `environment` is what programs see of clocks and random numbers."""

    def __init__(self, find: FindProgram, environment: Environment | None = None) -> None:
        self._find = find
        self._environment = environment or Environment()
        self.settings = Settings()
        self.addresses = Addresses()
        self.fib = Fib()
        self._devices = {LOOPBACK: 1, TUN: 2}
        self._entries: list[Entry] = []
        self._statics = Host(Memory(), {}, self._environment, None)
        self._statics.network = self
        self._passes = 0
        self._log: list[str] = []

    # -------------------------------------------------------------------------------------------- what it is told

    def add_device(self, name: str) -> None:
        if name in self._devices:
            raise InputError(f"there is a device {name} already")
        self._devices[name] = len(self._devices) + 1

    def change_route(self, verb: str, route: Route) -> None:
        if verb == "del":
            self.fib.remove(route)
            return
        hops = route.hops or (Hop(),)
        for hop in hops:
            self._check_hop(route, hop)
        sessions = self._bind(route)
        error = error_of(route) if route.type != "unicast" or hops[0].device != LOOPBACK else -errno.ENETUNREACH
        self.fib.add(verb, route, [Entry(route, self._placed(hop), sessions, error) for hop in hops])

    def change_rule(self, verb: str, rule: Rule) -> None:
        (self.fib.add_rule if verb == "add" else self.fib.remove_rule)(rule)

    def change_address(self, verb: str, address: IPv6Address, length: int, device: str) -> None:
        """An address comes with its local route, the one of its prefix, and the anycast address of routers in that (RFC 4291 section
        2.6.1)."""
        self._check_device(device)
        if verb == "add":
            self.addresses.add(address, length, device)
        else:
            self.addresses.remove(address, device)
        for route in _routes_of(address, length, device):
            if verb == "del":
                self.fib.remove(route)
                continue
            self.fib.add("replace", route, [Entry(route, route.hops[0])])

    def set_tunnel_source(self, address: IPv6Address) -> None:
        self.settings.tunnel_source = address

    def set_hmac_key(self, number: int, key: HmacKey) -> None:
        self.settings.hmac_keys[number] = key

    def set_sysctl(self, name: str, value: int) -> None:
        self.settings.set_sysctl(name, value)

    def close(self) -> None:
        """Nothing to give back."""

    def _check_device(self, name: str) -> None:
        if name not in self._devices:
            raise InputError(f"there is no device {name}", hint=f"there are {', '.join(self._devices)}; `if add` makes another")

    def _check_hop(self, route: Route, hop: Hop) -> None:
        if hop.device is not None:
            self._check_device(hop.device)
        if hop.via is not None and not hop.via.is_link_local:
            found = self.fib.lookup(Key(hop.via, IPv6Address(0), TUN, 0))
            if found is None or found.error or found.route.type != "unicast" or hop.device not in (None, found.hop.device):
                raise InputError(f"the gateway {hop.via} cannot be reached" + (f" by {hop.device}" if hop.device else ""))
        elif hop.device is None and route.type == "unicast":
            raise InputError(f"a route to {route.prefix} needs a device", hint="write `dev DEVICE`")

    def _placed(self, hop: Hop) -> Hop:
        """With its device, where only the gateway says that."""
        if hop.device is not None or hop.via is None:
            return hop
        found = self.fib.lookup(Key(hop.via, IPv6Address(0), TUN, 0))
        return hop if found is None else replace(hop, device=found.hop.device)

    # -------------------------------------------------------------------------------------------------- programs

    def _bind(self, route: Route) -> dict[str, VmSession]:
        """The programs of a route's encapsulation; InputError for an encapsulation that is not done here."""
        match route.encap:
            case Bpf(programs=programs):
                return {place: self._open(ref, PLACES[place]) for place, ref in programs}
            case Seg6Local(action="End.BPF", program=ProgramRef() as ref):
                return {END_BPF: self._open(ref, END_BPF)}
            case Seg6Local() as encap:
                _refuse_undone(encap)
            case Seg6(mode=mode) if mode not in headers.MODES:
                raise InputError(f"this router has no seg6 mode {mode}", hint="the kernel has: --runner kernel")
        return {}

    def _open(self, ref: ProgramRef, type_name: str) -> VmSession:
        bound = self._find(ref, type_name)
        return VmSession(bound.image, bound.program, self._environment)

    # --------------------------------------------------------------------------------------------------- packets

    def receive(self, device: str, packet: bytes) -> Crossing:
        self._check_device(device)
        self._passes, self._entries, self._log = 0, [], []
        self._arrived_by = device
        try:
            name, data = self._receive(device, packet)
        except Drop as drop:
            return Crossing((), drop.reason, tuple(self._log))
        return Crossing(((name, data),), None, tuple(self._log))

    def _receive(self, device: str, packet: bytes) -> tuple[str, bytes]:
        """`ipv6_rcv` and `ip6_rcv_finish`: the device that the packet leaves by, and the packet; or Drop."""
        while True:
            data, transport = ipv6.receive(packet)
            skb = Skb(bytearray(data), ifindex=self._devices[device], transport=transport)
            self._route(skb)
            left = self._input(skb)
            if left is not None:
                return left
            packet = bytes(skb.data)

    def _input(self, skb: Skb) -> tuple[str, bytes] | None:
        """`dst_input`, as often as routes lead to another; None where a packet inside is to be received."""
        while True:
            entry = self._entry(skb)
            if entry.route.type == "local":
                if self._deliver(skb) is Onwards.RECEIVED:
                    return None
                self._route(skb)
                if not self._loop_back(skb):
                    return None
            elif entry.route.encap is None or not self._encapsulated_in(skb, entry):
                return self._forward(skb)

    def _loop_back(self, skb: Skb) -> bool:
        """`ipv6_srh_rcv`: a segment that leads to the router itself again costs a hop, and the next is taken at once. So does one of
        the prefix of its own address, which is on lo."""
        while self._entry(skb).hop.device == LOOPBACK:
            if skb.data[7] <= 1:
                raise Drop("ipv6_srh_rcv: the hop limit is 1 or 0")
            skb.data[7] -= 1
            if self._deliver(skb) is Onwards.RECEIVED:
                return False
            self._route(skb)
        return True

    def _encapsulated_in(self, skb: Skb, entry: Entry) -> bool:
        """`lwtunnel_input`; whether the packet has another route now, which it goes in by."""
        match entry.route.encap:
            case Seg6() as encap:
                self._count()
                headers.push(self._static(), skb, encap)
                self._route(skb)
            case Seg6Local() as encap:
                self._count()
                self._seg6local(skb, entry, encap)
            case Bpf() if "in" in entry.sessions:
                self._count()
                arrived = skb.protocol
                if self._run(skb, entry.sessions["in"]).verdict != _REROUTE:
                    if ip.protocol(skb.data) != arrived:
                        raise Drop("the packet has changed its IP version and is forwarded by its old route: return REROUTE")
                    return False
                self._route(skb)
            case _:
                return False
        return True

    def _seg6local(self, skb: Skb, entry: Entry, encap: Seg6Local) -> None:
        if END_BPF in entry.sessions:
            self._step(skb, entry.sessions[END_BPF], input_action_end_bpf)
        elif encap.action == "End.DT6":
            decapsulate(self._static(), skb)
            skb.dst = self._lookup_any(skb, ipv6.destination(skb.data), encap.table or 0)
        else:
            STATIC_ACTIONS[encap.action](self._static(), skb, encap)

    def _deliver(self, skb: Skb) -> Onwards:
        settings = self.settings
        enabled = settings.seg6_enabled(self._arrived_by)
        return deliver(skb, seg6_enabled=enabled, require_hmac=settings.require_hmac(self._arrived_by), keys=settings.hmac_keys)

    # ----------------------------------------------------------------------------------------- forwarding, and out

    def _forward(self, skb: Skb) -> tuple[str, bytes]:
        self._entry(skb)
        ipv6.forward(skb.data)
        return self._output(skb)

    def _output(self, skb: Skb) -> tuple[str, bytes]:
        """`dst_output`, as often as an encapsulation routes the packet anew."""
        while True:
            entry = self._entry(skb)
            if isinstance(entry.route.encap, Seg6):
                self._count()
                headers.push(self._static(), skb, entry.route.encap)
                self._route(skb)
                continue
            if "out" in entry.sessions:
                self._count()
                self._run(skb, entry.sessions["out"])
            if "xmit" in entry.sessions and self._transmitted_anew(skb, entry):
                continue
            if entry.hop.device is None or entry.hop.device == LOOPBACK:
                raise Drop(f"the route to {ipv6.destination(skb.data)} is by lo, where a packet goes round until its hops are used up")
            return entry.hop.device, bytes(skb.data)

    def _transmitted_anew(self, skb: Skb, entry: Entry) -> bool:
        """`bpf_xmit`; whether the program had the packet routed anew."""
        self._count()
        if entry.hop.device is not None:
            skb.ingress_ifindex, skb.ifindex = self._devices[self._arrived_by], self._devices[entry.hop.device]
        before = skb.protocol
        verdict = self._run(skb, entry.sessions["xmit"]).verdict
        if verdict == _REROUTE:
            self._route(skb)
        elif skb.protocol != before:
            raise Drop("bpf_xmit: the packet has changed its IP version: return REROUTE")
        return verdict == _REROUTE

    def _count(self) -> None:
        """`lwtunnel_input`, `_output` and `_xmit` share the limit of their nesting (net/core/lwtunnel.c)."""
        if self._passes == MAX_NESTED_RUNS:
            raise Drop(f"lwtunnel: the packet came to encapsulations more than {MAX_NESTED_RUNS} times")
        self._passes += 1

    # ------------------------------------------------------------------------------------------------ runs

    def _run(self, skb: Skb, session: VmSession) -> Outcome:
        """A program of a `bpf` encapsulation, once."""

        def step(host: Host, skb: Skb, run_program: RunProgram, passage: Passage) -> Dst:
            lwt.run_lwt_bpf(host, skb, run_program, passage)
            if passage.verdict == _REDIRECT and session.program.type == PLACES["xmit"]:
                follow(host, skb)
            assert skb.dst is not None
            return skb.dst

        return self._step(skb, session, step)

    def _step(self, skb: Skb, session: VmSession, step: Callable[[Host, Skb, RunProgram, Passage], Dst]) -> Outcome:
        """One stay at a program; Drop where that ends the packet, with what the program said kept."""

        def input_packet(host: Host, skb: Skb, run_program: RunProgram) -> Passage:
            passage = Passage()
            try:
                skb.dst = step(host, skb, run_program, passage)
                passage.packet = bytes(skb.data)
            except Drop as drop:
                passage.reason = drop.reason
            return passage

        outcome = session.step(skb, self, self._environment_now(), input_packet)
        self._log += outcome.log
        if outcome.packet is None:
            fault = outcome.fault
            where = f" ({fault.file}:{fault.line}: {fault.message})" if fault is not None and fault.file is not None else ""
            raise Drop(f"{outcome.reason}{where}")
        return outcome

    def _static(self) -> Host:
        self._statics.environment = self._environment_now()
        return self._statics

    def _environment_now(self) -> Environment:
        settings = self.settings
        return replace(
            self._environment,
            hmac_keys=settings.hmac_keys,
            require_hmac=settings.require_hmac(self._arrived_by),
            flowlabel=settings.flowlabel,
        )

    # ---------------------------------------------------------------------------------------- look-ups (vm.routes.Network)

    def lookup(self, host: Host, skb: Skb, address: Address, table: int) -> Dst:
        found = self._lookup_any(skb, address, table)
        if not found.error and found.entry and self._entries[found.entry - 1].hop.device == LOOPBACK:
            return Dst(-errno.EINVAL, f"{address} is the router's own: the seg6 look-up does not deliver locally")
        return found

    def tunnel_source(self, host: Host, skb: Skb, destination: IPv6Address) -> IPv6Address:
        source = self.settings.tunnel_source
        if not source.is_unspecified:
            return source
        device = None if skb.dst is None or not skb.dst.entry else self._entries[skb.dst.entry - 1].hop.device
        return self.addresses.source_for(destination, device)

    def _lookup_any(self, skb: Skb, address: Address, table: int) -> Dst:
        """`seg6_lookup_any_nexthop`: to the router itself as well."""
        if table and not self.fib.has_table(table):
            return Dst(-errno.EINVAL, f"there is no routing table {table}")
        if not isinstance(address, IPv6Address):
            return Dst(-errno.ENETUNREACH, f"{address} is not routed here: this router has IPv6 alone")
        key = Key(address, ipv6.source(skb.data), self._arrived_by, skb.mark, flow_hash(skb))
        return self._dst(address, self.fib.lookup_in(table, key) if table else self.fib.lookup(key))

    def _route(self, skb: Skb) -> None:
        """`ip6_route_input`: where the packet's destination leads by the rules; Drop for a multicast one."""
        if skb.protocol != ETH_P_IPV6 or ip.protocol(skb.data) != ETH_P_IPV6:
            raise Drop("the packet is one of IPv4 now, which this router does not route")
        destination = ipv6.destination(skb.data)
        if destination.is_multicast:
            raise Drop(f"{destination} is multicast, which is not forwarded")
        skb.dst = self._lookup_any(skb, destination, 0)

    def _dst(self, address: IPv6Address, entry: Entry | None) -> Dst:
        error = -errno.ENETUNREACH if entry is None else entry.error
        if entry is None or error:
            reason = _REJECTED.get(error, "the route to {} refuses packets").format(address)
            return Dst(error, reason)
        self._entries.append(entry)
        return Dst(entry=len(self._entries))

    def _entry(self, skb: Skb) -> Entry:
        """The way that the packet takes; Drop where it has none."""
        assert skb.dst is not None
        if skb.dst.reason is not None:
            raise Drop(skb.dst.reason)
        return self._entries[skb.dst.entry - 1]


def _routes_of(address: IPv6Address, length: int, device: str) -> list[Route]:
    """Those that the kernel adds with an address (net/ipv6/addrconf.c, inet6_addr_add, addrconf_join_anycast)."""
    prefix = IPv6Network((address, length), strict=False)
    own = [address] + ([prefix.network_address] if length < 127 else [])
    local = [Route(IPv6Network(each), LOCAL_TABLE, (Hop(LOOPBACK),), type="local", metric=0) for each in own]
    return [*local, Route(prefix, hops=(Hop(device),), metric=256)] if length < 128 or device != LOOPBACK else local


def _refuse_undone(encap: Seg6Local) -> None:
    done = (*STATIC_ACTIONS, "End.DT6", "End.BPF")
    if encap.action not in done or encap.vrftable is not None:
        raise InputError(
            f"this router has no {encap.action} of that kind", hint=f"it has {', '.join(done)}; the kernel more: --runner kernel"
        )
    if encap.flavors:
        raise InputError(f"this router has no flavors of {encap.action}", hint="the kernel has some: --runner kernel")
