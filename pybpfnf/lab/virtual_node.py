"""A node in this process: a router, its clock, and who listens there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address, IPv6Network
from typing import Any, TypeAlias, final

from pybpfnf.errors import InputError
from pybpfnf.lab.datagram import Datagram, make_datagram, read_datagram
from pybpfnf.lab.either import PATIENCE
from pybpfnf.lab.plan import Plan, PlannedNode
from pybpfnf.lab.virtual_clock import VirtualClock
from pybpfnf.lab.virtual_link import Frame
from pybpfnf.lab.virtual_programs import Running, build_router
from pybpfnf.live import Live
from pybpfnf.records import dataclass
from pybpfnf.routes import MAIN_TABLE, Crossing, Network

HOP_LIMIT = 64
_HIGHEST_PORT = 0xFFFF
Address: TypeAlias = IPv6Address | str
Destination: TypeAlias = IPv6Network | IPv6Address | str
Transmit: TypeAlias = Callable[[str, bytes], None]
"""Sends a packet out of a device."""


@final
@dataclass(frozen=True, slots=True)
class Received:
    """A packet that ended at a node, for who listens there. `at`: nanoseconds since the lab began."""

    at: int
    packet: bytes


@final
@dataclass(frozen=True, slots=True)
class Drop:
    """A packet of which a node, or a link, made nothing, and why."""

    at: int
    where: str
    reason: str
    packet: bytes


@final
@dataclass(frozen=True, slots=True)
class LogLine:
    """What a program said."""

    at: int
    node: str
    text: str


@final
class Journal:
    """What a lab keeps of what happened."""

    def __init__(self, *, keep: bool) -> None:
        self.frames: list[Frame] = []
        self.drops: list[Drop] = []
        self.log: list[LogLine] = []
        self.keep = keep

    def sent(self, frame: Frame) -> None:
        if self.keep:
            self.frames.append(frame)

    def drop(self, at: int, where: str, reason: str, packet: bytes) -> None:
        if self.keep:
            self.drops.append(Drop(at, where, reason, packet))

    def say(self, at: int, node: str, text: str) -> None:
        if self.keep:
            self.log.append(LogLine(at, node, text))


@final
class VirtualInbox:
    """What has arrived at a port and was not taken."""

    def __init__(self, waiting: deque[bytes], clock: VirtualClock) -> None:
        self._waiting = waiting
        self._clock = clock

    def take(self, patience: float = PATIENCE) -> bytes | None:
        end = self._clock.now + round(patience * 10**9)
        while not self._waiting and self._clock.step(end):
            pass
        return self._waiting.popleft() if self._waiting else None


@final
class VirtualNode:
    """`received`: the packets that ended here, whoever listened, in order; `router` is what it is made of."""

    def __init__(self, planned: PlannedNode, plan: Plan, clock: VirtualClock, epoch: int, journal: Journal, transmit: Transmit) -> None:
        self.name = planned.name
        self._planned = planned
        self.received: list[Received] = []
        self.router, self._running = build_router(planned, plan, epoch)
        self._clock = clock
        self._epoch = epoch + planned.clock_offset
        self._journal = journal
        self._transmit = transmit
        self._listeners: dict[int, Callable[[Datagram], object]] = {}
        self._of_icmp: list[Callable[[bytes], object]] = []
        self._of_records: list[tuple[Live, str, Callable[[Any], object]]] = []
        self._timed = [each for each in self._running.values() if each.session.has_timers]
        self._woken_at: int | None = None

    @property
    def address(self) -> str:
        """Its first address; raises InputError where it has none."""
        if not self._planned.addresses:
            raise InputError(f"node {self.name} has no address of its own")
        return str(self._planned.addresses[0].ip)

    def realtime(self) -> int:
        """What its clock shows, in nanoseconds since 1970."""
        return self._epoch + self._clock.now

    def address_for(self, destination: Address) -> IPv6Address:
        """Its own, from which it sends to the destination (RFC 6724)."""
        return self.router.source_for(IPv6Address(destination))

    # ------------------------------------------------------------------------------------------------- packets

    def send(self, packet: bytes, device: str | None = None) -> None:
        """A packet of its own, from its IPv6 header on, now; `device` is needed for link-local destinations alone."""
        self.router.set_clock(self.realtime())
        self._deal_with(packet, self.router.send(packet, device))

    def send_udp(
        self,
        data: bytes,
        destination: Address,
        port: int,
        *,
        source_port: int = 49152,
        source: Address | None = None,
        hop_limit: int = HOP_LIMIT,
    ) -> None:
        """A datagram, now."""
        target = IPv6Address(destination)
        origin = self.address_for(target) if source is None else IPv6Address(source)
        self.send(make_datagram(origin, source_port, target, port, data, hop_limit))

    def receive(self, device: str, packet: bytes) -> None:
        """A packet that comes in at a device now."""
        self.router.set_clock(self.realtime())
        self._deal_with(packet, self.router.receive(device, packet))

    def _deal_with(self, packet: bytes, crossing: Crossing) -> None:
        now = self._clock.now
        for device, data in crossing.packets:
            self._transmit(device, data)
        if crossing.reason is not None:
            self._journal.drop(now, self.name, crossing.reason, packet)
        for line in crossing.log:
            self._journal.say(now, self.name, line)
        if crossing.events:
            self._hand_out_records()
        if self._timed:
            self._set_alarm()
        for each in crossing.delivered:
            self._hand_out(each)

    # --------------------------------------------------------------------------------------------- who listens

    def listen(self, port: int, handler: Callable[[Datagram], object]) -> None:
        """Have datagrams to this port, of any of its addresses, handed over when they arrive; raises InputError for a taken port."""
        if not 0 < port <= _HIGHEST_PORT:
            raise InputError(f"{port} is no port", hint="ports go from 1 to 65535")
        if port in self._listeners:
            raise InputError(f"somebody listens at port {port} of {self.name} already")
        self._listeners[port] = handler
        self.router.listen(port)

    @contextmanager
    def datagrams(self, port: int) -> Iterator[VirtualInbox]:
        """UDP to this port, within the block; raises as `listen`. Taking one runs the lab until it is there."""
        waiting: deque[bytes] = deque()
        self.listen(port, lambda datagram: waiting.append(datagram.data))
        try:
            yield VirtualInbox(waiting, self._clock)
        finally:
            del self._listeners[port]
            self.router.ignore(port)

    def on_icmp(self, handler: Callable[[bytes], object]) -> None:
        """Have ICMPv6 messages to it handed over, but for echo requests, which it answers; packets from their IPv6 header on."""
        self._of_icmp.append(handler)

    def _hand_out(self, packet: bytes) -> None:
        if self._journal.keep:
            self.received.append(Received(self._clock.now, packet))
        datagram = read_datagram(packet)
        if datagram is None:
            for handler in self._of_icmp:
                handler(packet)
        elif datagram.destination_port in self._listeners:
            self._listeners[datagram.destination_port](datagram)

    # ----------------------------------------------------------------------------------------------- functions

    def attached(self, destination: Destination, *, table: int = MAIN_TABLE) -> Live:
        """The maps and variables of the function at a SID or on a route, as `pybpfnf.attached` gives them; raises InputError where there is
        none."""
        return self._running_at(destination, table).live

    def functions(self) -> Iterator[tuple[Network, Live]]:
        """Each function, with what it is bound to."""
        for (prefix, _), running in self._running.items():
            yield prefix, running.live

    def on_record(self, destination: Destination, map: str, handler: Callable[[Any], object], *, table: int = MAIN_TABLE) -> None:  # noqa: A002
        """Have each record that the function there sends by this ring buffer or perf event array handed over when it is sent."""
        live = self._running_at(destination, table).live
        live[map]
        self._of_records.append((live, map, handler))

    def _running_at(self, destination: Destination, table: int) -> Running:
        found = self._running.get((IPv6Network(destination), table))
        if found is None:
            bound = ", ".join(str(prefix) for prefix, _ in self._running) or "none"
            raise InputError(f"there is no function at {destination} of {self.name}", hint=f"there are functions at: {bound}")
        return found

    def _hand_out_records(self) -> None:
        for live, name, handler in self._of_records:
            for record in live[name]:
                handler(record)

    def _set_alarm(self) -> None:
        """Have the timers of its functions looked after when the first one's time comes."""
        times = [each.session.next_timer for each in self._timed]
        first = min((time for time in times if time is not None), default=None)
        if first is not None and (self._woken_at is None or first < self._woken_at):
            self._woken_at = first
            self._clock.at(max(self._clock.now, first - self._epoch), self._expire)

    def _expire(self) -> None:
        self._woken_at = None
        for each in self._timed:
            fault, _ = each.session.pass_time(self.realtime())
            if fault is not None:
                self._journal.say(self._clock.now, self.name, f"a timer's function faulted: {fault.message}")
        self._hand_out_records()
        self._set_alarm()
