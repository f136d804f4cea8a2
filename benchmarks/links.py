"""What a lab's link carries: frames both ways just below its rate, what becomes of them, and how true its delay stays meanwhile.

    a ===== 110 Mb/s, 30 ms, each way ===== b        100 Mb/s of frames of 1,600 bytes from both ends, and probes from a to b

A probe has the time at which it was sent; the kernel says when it was received. Both are of one clock.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path
from typing import final

from pybpfnf.errors import InternalError
from pybpfnf.lab import Direction, End, Link, Node, Packets, Running, RunningNode, Topology, up
from pybpfnf.lab.names import LINKS, namespace_of

DELAY, RATE, FRAME = 30_000_000, 110_000_000, 1600  # nanoseconds, bits a second, bytes
_OFFERED = 100_000_000  # bits a second: so far below the rate that what waits is soon gone
_ETHERNET = 14
_PROBES, _PAUSE = 1000, 0.002  # seconds from probe to probe
_PORT = 9  # discard
_SO_TIMESTAMPNS, _SO_RCVBUFFORCE = 35, 33
_ROOM = 1 << 24  # bytes: probes are read when all have been sent
_TIMESPEC = struct.Struct("@ll")
_WARM_UP = 0.2


@final
@dataclass(frozen=True, slots=True)
class LinkSpeed:
    """By `means` (netem or the link process). `sent` and `arrived`: frames of both directions in `seconds`; `dropped` by the link's own
    counters. `processor`: the share of one that the link process took, None for netem. `late` and `idle`: nanoseconds by which
    probes came after their delay, the median and the 99th of a hundred, with the frames before them in the queue, and alone."""

    means: str
    sent: int
    arrived: int
    dropped: int
    seconds: float
    processor: float | None
    late_median: float
    late_99: float
    idle_median: float
    idle_99: float

    @property
    def megabits(self) -> float:
        """Carried a second, each way."""
        return self.arrived * FRAME * 8 / self.seconds / 2 / 1e6


FRAMES = 80_000  # ten seconds of them


def measure(frames: int, means: str = "process") -> LinkSpeed:
    """So many frames each way, once."""
    direction = Direction(DELAY, rate=RATE, queue=Packets(1000))
    nodes = (Node("a"), Node("b"))
    link = Link((End("a", direction), End("b", direction)), mtu=FRAME - _ETHERNET)
    topology = Topology(f"bench-{os.getpid()}", nodes, (link,))
    with up(topology, means=means) as running:
        time.sleep(_WARM_UP)
        idle = _lateness(running, min(frames, _PROBES))
        return _loaded(running, frames, means, idle)


def _loaded(running: Running, frames: int, means: str, idle: list[int]) -> LinkSpeed:
    before, used = _counted(running), _processor_time(running)
    senders = [_start_sender(running, name, frames) for name in ("a", "b")]
    late = _lateness(running, min(frames, _PROBES))
    seconds = max(_seconds(sender) for sender in senders)
    time.sleep(DELAY / 1e9 + _WARM_UP)
    after, spent = _counted(running), _processor_time(running)
    sent, arrived, dropped = (new - old for new, old in zip(after, before, strict=True))
    processor = None if spent is None or used is None else (spent - used) / seconds
    return LinkSpeed(means, sent, arrived, dropped, seconds, processor, *_spread(late), *_spread(idle))


def _seconds(sender: subprocess.Popen[str]) -> float:
    """How long it sent."""
    said, _ = sender.communicate()
    if sender.returncode != 0:
        raise InternalError(f"a sender ended with {sender.returncode}")
    return float(said)


def _spread(values: list[int]) -> tuple[float, float]:
    return statistics.median(values), statistics.quantiles(values, n=100)[98]


# ------------------------------------------------------------------------------------------------------------- frames


def _start_sender(running: Running, name: str, frames: int) -> subprocess.Popen[str]:
    """Packets with no next header, which whoever receives them drops without a word."""
    node, other = running.node(name), running.node("b" if name == "a" else "a")
    data = FRAME - _ETHERNET - 40
    head = bytes.fromhex((other.planned.devices[0].mac + node.planned.devices[0].mac).replace(":", "") + "86dd60000000")
    head += data.to_bytes(2, "big") + bytes((59, 64)) + IPv6Address(node.address).packed + IPv6Address(other.address).packed
    frame = (head + bytes(data)).hex()
    given = (node.planned.devices[0].name, frame, str(frames), str(_OFFERED // (FRAME * 8)))
    return node.popen([sys.executable, "-m", "benchmarks.link_sender", *given], stdout=subprocess.PIPE)


def _counted(running: Running) -> tuple[int, int, int]:
    """Frames sent and received by both nodes' devices, and dropped between."""
    sent = arrived = 0
    for node in running.nodes.values():
        (device,) = json.loads(node.run(["ip", "-j", "-s", "link", "show", "dev", node.planned.devices[0].name]).stdout)
        sent += device["stats64"]["tx"]["packets"]
        arrived += device["stats64"]["rx"]["packets"]
    ways = [way for both in running.counters().values() for way in both]
    return sent, arrived, sum(way.lost + way.full + way.overrun + way.refused for way in ways)


def _processor_time(running: Running) -> float | None:
    """Seconds that the link process has run; None where there is none."""
    path = Path("/run/netns") / namespace_of(running.name, LINKS)
    if not path.exists():
        return None
    inode = path.stat().st_ino
    for each in Path("/proc").iterdir():
        if each.name.isdecimal() and _namespace(each) == inode:
            fields = (each / "stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    raise InternalError("the link process has ended")


def _namespace(process: Path) -> int | None:
    try:
        return (process / "ns" / "net").stat().st_ino
    except OSError:
        return None  # it has ended


# ------------------------------------------------------------------------------------------------------------- probes


def _lateness(running: Running, probes: int) -> list[int]:
    """By how many nanoseconds each probe from a to b came later than the delay and its own sending take."""
    there, back = running.node("a"), running.node("b")
    receiver = _socket(back)
    with receiver, _socket(there) as sender:
        receiver.bind((back.address, _PORT))
        receiver.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        receiver.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM)
        receiver.settimeout(1)
        for _ in range(probes):
            sender.sendto(time.time_ns().to_bytes(8, "big"), (back.address, _PORT))
            time.sleep(_PAUSE)
        return list(_received(receiver, probes))


def _received(receiver: socket.socket, probes: int) -> Iterator[int]:
    """Of those that arrived."""
    for _ in range(probes):
        try:
            data, ancillary, _, _ = receiver.recvmsg(64, 64)
        except TimeoutError:
            return
        seconds, nanoseconds = _TIMESPEC.unpack(ancillary[0][2])
        yield seconds * 10**9 + nanoseconds - int.from_bytes(data, "big") - DELAY


def _socket(node: RunningNode) -> socket.socket:
    with node.entered():
        return socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
