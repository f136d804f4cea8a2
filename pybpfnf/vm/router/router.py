"""The router: told routes, it takes packets in at a device and gives those that leave, or why they do not.

What a packet meets in it is in `visit`. Not here: neighbours, fragments, TCP, addresses of its own that are of IPv4, ICMP of that, and what
of Linux no packet shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from typing import final

from pybpfnf.errors import InputError
from pybpfnf.routes import (
    END_BPF,
    LOCAL_TABLE,
    MAIN_TABLE,
    PLACES,
    Bpf,
    Crossing,
    Encap,
    FindProgram,
    Hop,
    Network,
    ProgramRef,
    Route,
    Rule,
    Seg6,
    Seg6Local,
)
from pybpfnf.runner import Environment, HmacKey
from pybpfnf.vm import icmpv6, ipv6
from pybpfnf.vm.host import Host
from pybpfnf.vm.ip import ETH_P_IPV6
from pybpfnf.vm.ipv6 import Drop
from pybpfnf.vm.memory import Memory
from pybpfnf.vm.router.addresses import anycast
from pybpfnf.vm.router.fib import Entry, Key, error_of
from pybpfnf.vm.router.flavors import DONE
from pybpfnf.vm.router.state import LARGEST_MTU, LOOPBACK, Device, State
from pybpfnf.vm.router.upper import Answer
from pybpfnf.vm.router.visit import Visit
from pybpfnf.vm.session import VmSession

TUN = "tun0"
_LOOPBACK_ROUTE = Route(IPv6Network("::1"), LOCAL_TABLE, (Hop(LOOPBACK),), type="local", metric=0)


@final
class VmRouter:
    """A `routes.Router`. `find` gives the programs that routes name; `environment` is what programs see of clocks and random numbers.

    With `answers`, it sends what a router sends by itself: ICMPv6 errors and echo replies. They leave with the packets of the crossing
    that they come of.
    """

    def __init__(
        self, find: FindProgram, environment: Environment | None = None, *, answers: bool = False, devices: Sequence[str] = (TUN,)
    ) -> None:
        self._find = find
        self._answers = answers
        self.state = State(environment or Environment())
        self._statics = Host(Memory(), {}, self.state.environment, None)
        self.state.fib.add("add", _LOOPBACK_ROUTE, [Entry(_LOOPBACK_ROUTE, _LOOPBACK_ROUTE.hops[0])])
        for device in devices:
            self.add_device(device)

    # -------------------------------------------------------------------------------------------- what it is told

    def add_device(self, name: str, mtu: int = LARGEST_MTU, neighbours: Iterable[IPv6Address] | None = None) -> None:
        """`mtu` is the largest packet that leaves by it whole; below 1280 it counts as that (RFC 8200 section 5). `neighbours`: the
        addresses at its other end, for which alone something is sent there."""
        if name in self.state.devices:
            raise InputError(f"there is a device {name} already")
        known = None if neighbours is None else frozenset(map(int, neighbours))
        self.state.devices[name] = Device(len(self.state.devices) + 1, mtu, known)

    def change_route(self, verb: str, route: Route) -> None:
        fib = self.state.fib_of(route.prefix.version)
        if verb == "del":
            fib.remove(route)
            return
        if route.prefix.version == 4 and route.type == "local":
            raise InputError("this router has no IPv4 addresses of its own")
        hops = route.hops or (Hop(),)
        for hop in hops:
            self._check_hop(route, hop)
        sessions = self._bind(route)
        fib.add(verb, route, [Entry(route, self._placed(hop), sessions, error_of(route)) for hop in hops])

    def change_rule(self, verb: str, rule: Rule) -> None:
        fib = self.state.fib_of(rule.version)
        (fib.add_rule if verb == "add" else fib.remove_rule)(rule)

    def change_address(self, verb: str, address: IPv6Address, length: int, device: str) -> None:
        """An address comes with its local route, the one of its prefix, and the anycast address of routers in that (RFC 4291 section
        2.6.1)."""
        self._check_device(device)
        if verb == "add":
            self.state.addresses.add(address, length, device)
        else:
            self.state.addresses.remove(address, device)
        for route in _routes_of(address, length, device):
            if verb == "del":
                self.state.fib.remove(route, device)
            elif verb == "add":
                # Each device has a fe80::/64 of its own, and its own address there.
                of_link = address.is_link_local
                entry = Entry(route, route.hops[0], link=device if of_link else None)
                self.state.fib.add("append" if of_link else "replace", route, [entry])

    def set_tunnel_source(self, address: IPv6Address) -> None:
        self.state.settings.tunnel_source = address

    def set_hmac_key(self, number: int, key: HmacKey) -> None:
        self.state.settings.hmac_keys[number] = key
        self.state.environments.clear()

    def set_sysctl(self, name: str, value: int) -> None:
        self.state.settings.set_sysctl(name, value)
        self.state.environments.clear()

    def close(self) -> None:
        """Nothing to give back."""

    def _check_device(self, name: str) -> None:
        if name not in self.state.devices:
            raise InputError(f"there is no device {name}", hint=f"there are {', '.join(self.state.devices)}; `if add` makes another")

    def _check_hop(self, route: Route, hop: Hop) -> None:
        if hop.device is not None:
            self._check_device(hop.device)
        if hop.via is not None and not hop.via.is_link_local:
            found = self.state.fib_of(hop.via.version).lookup(Key(int(hop.via), 0, TUN))
            if found is None or found.error or found.route.type != "unicast" or hop.device not in (None, found.hop.device):
                raise InputError(f"the gateway {hop.via} cannot be reached" + (f" by {hop.device}" if hop.device else ""))
        elif hop.device is None and route.type == "unicast":
            raise InputError(f"a route to {route.prefix} needs a device", hint="write `dev DEVICE`")

    def _placed(self, hop: Hop) -> Hop:
        """With its device, where only the gateway says that."""
        if hop.device is not None or hop.via is None:
            return hop
        found = self.state.fib_of(hop.via.version).lookup(Key(int(hop.via), 0, TUN))
        return hop if found is None else replace(hop, device=found.hop.device)

    # -------------------------------------------------------------------------------------------------- programs

    def _bind(self, route: Route) -> dict[str, VmSession]:
        """The programs of a route's encapsulation; InputError for an encapsulation that no route of its kind has."""
        if route.prefix.version == 4 and _is_ipv6_alone(route.encap):
            raise InputError(f"a route to {route.prefix} cannot have that encapsulation: it is for IPv6 alone")
        match route.encap:
            case Bpf(programs=programs):
                return {place: self._open(ref, PLACES[place]) for place, ref in programs}
            case Seg6Local(action="End.BPF", program=ProgramRef() as ref):
                return {END_BPF: self._open(ref, END_BPF)}
            case Seg6Local() as encap:
                self._check_action(encap)
        return {}

    def _check_action(self, encap: Seg6Local) -> None:
        if encap.action == "End.DX2" and encap.oif is not None:
            self._check_device(encap.oif)
        _check_flavors(encap)

    def _open(self, ref: ProgramRef, type_name: str) -> VmSession:
        bound = self._find(ref, type_name)
        session = VmSession(bound.image, bound.program, self.state.environment)
        bound.fill(session.maps)
        return session

    # --------------------------------------------------------------------------------------------------- packets

    def listen(self, port: int) -> None:
        """UDP to this port of any of its addresses is taken: `Crossing.delivered`."""
        self.state.ports.add(port)

    def ignore(self, port: int) -> None:
        """Nobody listens there any more."""
        self.state.ports.discard(port)

    def source_for(self, destination: IPv6Address) -> IPv6Address:
        """Its own address for packets of its own to there; `::` where it has none."""
        found = self.state.fib.lookup(Key(int(destination), 0, LOOPBACK))
        return self.state.addresses.source_for(destination, None if found is None else found.hop.device)

    def set_clock(self, realtime: int) -> None:
        """From now on, programs find it this time, in nanoseconds since 1970, until it is set again."""
        self.state.clock = realtime

    def receive(self, device: str, packet: bytes) -> Crossing:
        self._check_device(device)
        return self._cross(Visit(self.state, self._statics, device), packet)

    def send(self, packet: bytes, device: str | None = None) -> Crossing:
        """A packet of the router's own; `device`: the one that it must leave by, as one to a link-local address."""
        if device is not None:
            self._check_device(device)
        if len(packet) < ipv6.IPV6_SIZE or packet[0] >> 4 != 6:
            raise InputError("a packet to send begins with an IPv6 header, and this does not")
        return self._cross(Visit(self.state, self._statics, LOOPBACK), packet, own=True, device=device)

    def _cross(self, visit: Visit, packet: bytes, *, own: bool = False, device: str | None = None) -> Crossing:
        reason, answer = None, None
        try:
            left = visit.send(packet, device) if own else visit.receive(packet)
        except Drop as drop:
            left, reason = None, drop.reason
            answer = self._error(visit, drop)
        found = Crossing(
            packets=() if left is None else (left,),
            reason=reason,
            log=tuple(visit.log),
            events=tuple(visit.events),
            delivered=() if visit.delivered is None else (visit.delivered,),
        )
        answer = visit.answer or answer
        if answer is None or not self._answers:
            return found
        device = visit.arrived_by if answer.same_device or ipv6.destination(answer.packet).is_link_local else None
        return _joined(found, self.send(answer.packet, device))

    def _error(self, visit: Visit, drop: Drop) -> Answer | None:
        """The ICMPv6 error that a drop asks for (`icmp6_send`), None where there may be none."""
        packet = visit.skb.data
        if drop.answer is None or visit.skb.protocol != ETH_P_IPV6 or not icmpv6.may_answer(packet, drop.answer):
            return None
        own, sender, addresses = ipv6.destination(packet), ipv6.source(packet), self.state.addresses
        source = (
            own if addresses.has(own, visit.arrived_by) or addresses.has_anycast(own) else addresses.source_for(sender, visit.arrived_by)
        )
        return Answer(icmpv6.error(packet, drop.answer, drop.parameter, source))

    def sessions_of(self, prefix: Network, table: int = MAIN_TABLE) -> Mapping[str, VmSession]:
        """The programs of the first route to the prefix, by place, or by their program type for End.BPF; none where there is none."""
        found = (
            entry for entry in self.state.fib_of(prefix.version).entries() if (entry.route.prefix, entry.route.table) == (prefix, table)
        )
        return next((entry.sessions for entry in found), {})


def _joined(first: Crossing, second: Crossing) -> Crossing:
    """Of a packet and of the answer to it. Why the answer did not leave is not said."""
    return replace(
        first,
        packets=first.packets + second.packets,
        log=first.log + second.log,
        events=first.events + second.events,
        delivered=first.delivered + second.delivered,
    )


def _routes_of(address: IPv6Address, length: int, device: str) -> list[Route]:
    """Those that the kernel adds with an address (net/ipv6/addrconf.c, inet6_addr_add, addrconf_join_anycast)."""
    prefix = IPv6Network((address, length), strict=False)
    own = (address, anycast(address, length))
    local = [Route(IPv6Network(each), LOCAL_TABLE, (Hop(LOOPBACK),), type="local", metric=0) for each in own if each is not None]
    return [*local, Route(prefix, hops=(Hop(device),), metric=256)] if length < 128 or device != LOOPBACK else local


def _is_ipv6_alone(encap: Encap | None) -> bool:
    return isinstance(encap, Seg6Local) or (isinstance(encap, Seg6) and encap.mode == "inline")


def _check_flavors(encap: Seg6Local) -> None:
    has = DONE.get(encap.action, frozenset())
    for flavor in encap.flavors:
        if flavor not in has:
            raise InputError(f"{encap.action} has no flavor {flavor}", hint=f"it has {', '.join(sorted(has)) or 'none'}")
