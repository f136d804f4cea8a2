"""The process that is the links of a lab, where the kernel has no netem: it takes frames in at one device and gives them out at another.

    node r1: r2  <-veth->  l0e0  [ this process ]  l0e1  <-veth->  node r2: r1

It runs in a namespace that has nothing but those devices, and ends when they or the namespace's name are gone: it needs no one to
stop it. Whoever is in the namespace can ask for its counters, at an abstract socket there.

    python -m pybpfnf.lab.link_process < SPECIFICATION
"""

from __future__ import annotations

import gc
import heapq
import json
import os
import select
import socket
import sys
import time
from contextlib import suppress
from typing import Any, final

from pybpfnf.kernel.named_netns import inode_of
from pybpfnf.kernel.netns import current_inode
from pybpfnf.kernel.packet_ring import PacketRing
from pybpfnf.kernel.priority import keep_time
from pybpfnf.lab.direction import Wire
from pybpfnf.lab.link_specification import COUNTERS, LinkSpecification, read_specification
from pybpfnf.lab.start_links import READY

_BURST = 64  # frames that are taken before those that are due are sent
_PAUSE = 0.0001  # seconds, the most that a frame may be late for want of being seen
_WATCH = 1.0  # seconds between two looks at the namespace's name
_OLDEST = 1_000_000_000  # nanoseconds that a frame may have waited: more is a clock that was set


@final
class _Way:
    """One direction: from a device to the other."""

    def __init__(self, name: str, source: PacketRing, target: PacketRing, wire: Wire) -> None:
        self.name = name
        self.source = source
        self.target = target
        self.wire = wire
        self.frames = self.bytes = self.refused = self.overrun = 0
        self.latest = 0  # nanoseconds by which the latest frame was late

    def counters(self) -> dict[str, int]:
        self.overrun += self.source.overruns()
        return {
            "frames": self.frames, "bytes": self.bytes, "lost": self.wire.lost, "full": self.wire.full,
            "overrun": self.overrun, "refused": self.refused, "latest": self.latest,
        }  # fmt: skip


@final
class LinkProcess:
    """All links of a lab. `waiting`: frames under way, by the time at which they arrive."""

    def __init__(self, links: tuple[LinkSpecification, ...]) -> None:
        self._ways: dict[int, _Way] = {}
        self._poll = select.epoll()
        for link in links:
            rings = [PacketRing(device, link.mtu) for device in link.devices]
            for end, wire in enumerate(link.wires()):
                way = _Way(f"{link.name}/{end}", rings[end], rings[1 - end], wire)
                self._ways[way.source.socket.fileno()] = way
                self._poll.register(way.source.socket, select.EPOLLIN)
        self._asked = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        self._asked.bind(COUNTERS)
        self._asked.listen()
        self._poll.register(self._asked, select.EPOLLIN)
        self._waiting: list[tuple[int, int, _Way, bytes]] = []
        self._taken = 0
        self._busy = False

    @property
    def is_alive(self) -> bool:
        """Whether there is a link left."""
        return bool(self._ways)

    def turn(self, patience: float) -> None:
        """Send what is due, wait for the next thing to happen (seconds), and take in what came."""
        self._send()
        self._wait(patience)
        self._busy = False
        for number, events in self._poll.poll(0):
            if number == self._asked.fileno():
                self._answer()
            elif events & select.EPOLLIN:
                self._take(self._ways[number])
            else:
                self._end(self._ways[number])

    def _wait(self, patience: float) -> None:
        """While frames come in, not for each of them: the kernel notes when they arrive, and none is due before its delay is over."""
        wait = patience if not self._waiting else min(patience, max(0, self._waiting[0][0] - time.monotonic_ns()) / 1e9)
        if self._busy:
            time.sleep(min(wait, _PAUSE))
        else:
            select.select([self._poll], [], [], wait)  # epoll's own wait knows milliseconds alone

    def _send(self) -> None:
        now = time.monotonic_ns()
        while self._waiting and self._waiting[0][0] <= now:
            arrives, _, way, frame = heapq.heappop(self._waiting)
            way.latest = max(way.latest, now - arrives)
            if way.target.send(frame):
                way.frames += 1
                way.bytes += len(frame)
            else:
                way.refused += 1

    def _take(self, way: _Way) -> None:
        now, real = time.monotonic_ns(), time.time_ns()
        self._busy = True
        for at, frame in way.source.take(_BURST):
            age = real - at
            arrives = way.wire.offer(now - age if 0 < age < _OLDEST else now, len(frame))
            if arrives is not None:
                self._taken += 1
                heapq.heappush(self._waiting, (arrives, self._taken, way, frame))

    def _end(self, way: _Way) -> None:
        """A device with an error: gone for good, or only down for now."""
        way.source.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        try:
            socket.if_nametoindex(way.source.device)
        except OSError:
            self._poll.unregister(way.source.socket)
            del self._ways[way.source.socket.fileno()]
            self._waiting = [each for each in self._waiting if each[2] is not way and each[2].target is not way.source]
            heapq.heapify(self._waiting)

    def _answer(self) -> None:
        with suppress(OSError), self._asked.accept()[0] as asker:
            asker.setblocking(False)
            asker.send(json.dumps({way.name: way.counters() for way in self._ways.values()}).encode())


def _run(namespace: str, links: tuple[LinkSpecification, ...]) -> None:
    """Until nothing is left of them."""
    process = LinkProcess(links)
    keep_time()
    gc.freeze()
    gc.disable()  # nothing here is ever in a circle
    os.write(1, READY)
    _let_go_of_files()
    own, watched = current_inode(), time.monotonic()
    while process.is_alive:
        process.turn(_WATCH)
        if time.monotonic() - watched > _WATCH:
            watched = time.monotonic()
            if inode_of(namespace) != own:
                return


def _let_go_of_files() -> None:
    """Whoever waits for the end of what this process writes need not wait for the end of the lab."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    os.close(nowhere)
    os.chdir("/")


if __name__ == "__main__":
    specification: Any = json.load(sys.stdin)
    if os.fork() == 0:  # whoever starts it waits for its parent
        _run(*read_specification(specification))
