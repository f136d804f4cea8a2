"""A topology in this process, on a clock of its own: no root, no waiting, and each run the same as the one before.

    with VirtualLab(read_topology("lab.toml")) as lab:
        lab.send("source", packet, at=1_000_000)
        lab.run()
        print(lab.captured("r1-r2"))

Nodes are routers of the VM (`vm.router`), whose work takes no time; links take what the topology says, exact in nanoseconds. Programs,
handlers and captures see the time of the lab. What is not in it: other nodes' neighbours to be asked for, TCP, IPv4, fragments.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, final

from pybpfnf.errors import InputError
from pybpfnf.lab.plan import Plan, PlannedNode, plan
from pybpfnf.lab.topology import Topology
from pybpfnf.lab.virtual_clock import VirtualClock
from pybpfnf.lab.virtual_link import Frame, VirtualLink, write_capture
from pybpfnf.lab.virtual_node import Drop, Journal, LogLine, Transmit, VirtualNode
from pybpfnf.runner import Environment

EPOCH = Environment().clock_tai - Environment().tai_offset
"""When labs begin, in nanoseconds since 1970, unless they are told."""


@final
class VirtualLab:
    """Raises what `plan` and building its functions do. Without `keep` it forgets what has happened: frames, drops and packets received.

    Times are nanoseconds since it began.
    """

    def __init__(self, topology: Topology, *, epoch: int = EPOCH, keep: bool = True) -> None:
        self.plan: Plan = plan(topology)
        self.epoch = epoch
        self._clock = VirtualClock()
        self._journal = Journal(keep=keep)
        self._links: dict[str, VirtualLink] = {}
        self._nodes = {name: self._node(node) for name, node in self.plan.nodes.items()}
        for planned in self.plan.links:
            first, second = (self._nodes[name].receive for name, _ in planned.ends)
            self._links[planned.name] = VirtualLink(planned, topology.seed, self._clock, (first, second), self._journal.sent)

    def _node(self, planned: PlannedNode) -> VirtualNode:
        return VirtualNode(planned, self.plan, self._clock, self.epoch, self._journal, self._transmit(planned))

    def _transmit(self, planned: PlannedNode) -> Transmit:
        ends = {device.name: (self.plan.links[device.link].name, device.end) for device in planned.devices}

        def transmit(device: str, packet: bytes) -> None:
            name, end = ends[device]
            reason = self._links[name].send(end, packet)
            if reason is not None:
                self._journal.drop(self.now, name, reason, packet)

        return transmit

    # ----------------------------------------------------------------------------------------------------- time

    @property
    def now(self) -> int:
        return self._clock.now

    def run(self, until: int | None = None) -> None:
        """All that happens by then, and it is that time; without it until nothing happens any more, which with functions that start timers
        again and again is never."""
        self._clock.run(until)

    def run_while(self, wanted: Callable[[], bool], *, until: int | None = None) -> None:
        """One thing after the other, as long as it is wanted and there is one that happens by then."""
        while wanted() and self._clock.step(until):
            pass

    def at(self, time: int, call: Callable[[], object]) -> None:
        """Have something called at a time; raises InputError for one that is over."""
        if time < self.now:
            raise InputError(f"{time} ns is over: it is {self.now} ns")
        self._clock.at(time, call)

    def after(self, delay: int, call: Callable[[], object]) -> None:
        self.at(self.now + delay, call)

    # ---------------------------------------------------------------------------------------------------- nodes

    def node(self, name: str) -> VirtualNode:
        """Raises InputError for one that is not there."""
        found = self._nodes.get(name)
        if found is None:
            raise InputError(f"there is no node {name!r}", hint=f"there are {', '.join(self._nodes)}")
        return found

    def send(self, node: str, packet: bytes, *, at: int | None = None, device: str | None = None) -> None:
        """A packet of the node's own, from its IPv6 header on, now or at a time."""
        sender = self.node(node)
        self.at(self.now if at is None else at, lambda: sender.send(packet, device))

    # ---------------------------------------------------------------------------------------------- what happened

    def captured(self, link: str | None = None) -> tuple[Frame, ...]:
        """What was sent into a link so far, both ways, or into any, in the order of sending; raises InputError for a link that is not
        there."""
        name = None if link is None else self.link(link).name
        return tuple(frame for frame in self._journal.frames if name in (None, frame.link))

    @property
    def drops(self) -> tuple[Drop, ...]:
        """Packets of which nodes and links made nothing, and why."""
        return tuple(self._journal.drops)

    @property
    def log(self) -> tuple[LogLine, ...]:
        """What programs said."""
        return tuple(self._journal.log)

    def write_captures(self, directory: Path) -> tuple[Path, ...]:
        """A pcap file for each link, called as it, with what has arrived; the directory is made where it is not there. Times are the
        lab's, from its epoch on."""
        directory.mkdir(parents=True, exist_ok=True)
        paths = []
        for name, link in self._links.items():
            paths.append(directory / f"{name}.pcap")
            with paths[-1].open("wb") as stream:
                write_capture(stream, link, self.captured(name), self.epoch)
        return tuple(paths)

    def link(self, name: str) -> VirtualLink:
        """Raises InputError for one that is not there."""
        found = self._links.get(name)
        if found is None:
            raise InputError(f"there is no link {name!r}", hint=f"there are {', '.join(self._links)}")
        return found

    def close(self) -> None:
        """Nothing to give back."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.close()
