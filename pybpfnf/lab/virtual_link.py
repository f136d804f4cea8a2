"""A link in this process: two wires (`lab.direction`), and the frames that were sent into them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import BinaryIO, final

from pybpfnf.abi.headers import ETHER_TYPES, HEADERS
from pybpfnf.captures.capture import Record
from pybpfnf.captures.link import ETHERNET, LINK_TYPES
from pybpfnf.captures.pcap import Writer
from pybpfnf.lab.direction import Wire, seed_of
from pybpfnf.lab.plan import PlannedLink
from pybpfnf.lab.virtual_clock import VirtualClock
from pybpfnf.records import dataclass

_ETHERNET_SIZE = HEADERS["ethernet"].size
_ETHER_TYPE = ETHER_TYPES["ipv6"].to_bytes(2, "big")


@final
@dataclass(frozen=True, slots=True)
class Frame:
    """A packet on a link, from its IP header on: from which node to which, when it was `sent`, and when it arrives; None where it does
    not, for the `reason`. Times are nanoseconds since the lab began."""

    link: str
    source: str
    target: str
    sent: int
    arrives: int | None
    packet: bytes
    reason: str | None = None


Receive = Callable[[str, bytes], None]
"""What a node does with a packet at a device."""


@final
class VirtualLink:
    """`record` gets each frame as it is sent. `wires`: away from the first end, and from the second."""

    def __init__(
        self, planned: PlannedLink, seed: int, clock: VirtualClock, receive: tuple[Receive, Receive], record: Callable[[Frame], object]
    ) -> None:
        self.name = planned.name
        self.wires = tuple(Wire(device.out, seed_of(seed, planned.name, end)) for end, (_, device) in enumerate(planned.ends))
        self._planned = planned
        self._clock = clock
        self._receive = receive
        self._record = record

    def send(self, end: int, packet: bytes) -> str | None:
        """From an end (0 or 1); why it does not arrive, None where it does."""
        node, device = self._planned.ends[end]
        other, now = 1 - end, self._clock.now
        reason = None
        arrives = None
        if len(packet) > device.mtu:
            reason = f"{len(packet)} bytes are more than the link's MTU of {device.mtu}"
        else:
            wire = self.wires[end]
            lost = wire.lost
            arrives = wire.offer(now, len(packet) + _ETHERNET_SIZE)
            if arrives is None:
                reason = "lost by chance" if wire.lost > lost else "the queue is full"
            else:
                self._clock.at(arrives, self._receive[other], self._planned.ends[other][1].name, packet)
        self._record(Frame(self.name, node, self._planned.ends[other][0], now, arrives, packet, reason))
        return reason

    def header(self, frame: Frame) -> bytes:
        """The Ethernet header that it would have."""
        (first, device), (_, peer) = self._planned.ends
        source, target = (device, peer) if frame.source == first else (peer, device)
        return bytes.fromhex(target.mac.replace(":", "") + source.mac.replace(":", "")) + _ETHER_TYPE


def write_capture(stream: BinaryIO, link: VirtualLink, frames: Iterable[Frame], epoch: int) -> None:
    """The frames of a link that arrived as a pcap file, in the order of arrival; `epoch` is the time of the lab's beginning."""
    writer, ethernet = Writer(stream), LINK_TYPES[ETHERNET]
    for index, (time, frame) in enumerate(_arrived(frames)):
        header = link.header(frame)
        writer.write(Record(index, epoch + time, ethernet, header + frame.packet, frame.packet, None, header), frame.packet)
    writer.finish(ethernet)


def _arrived(frames: Iterable[Frame]) -> list[tuple[int, Frame]]:
    found = [(frame.arrives, frame) for frame in frames if frame.arrives is not None]
    return sorted(found, key=lambda each: each[0])
