"""How many probes a second one core answers for, and how many answers it collects.

Probes come on a real route of a namespace, a burst at a time that the ring has room for, and then the responder works them off: what
counts is the processor's time (the process's own and the kernel's for it) from the records in the ring to the datagrams on their way. The
same for the collector, from the datagrams in its socket to the histograms. So a machine that does other things too says the same.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network
from typing import Final, final

import pybpfnf
from pybpfnf.apps.delay.collector import Collector, open_socket
from pybpfnf.apps.delay.paths import Paths
from pybpfnf.apps.delay.protocol import Answer, DelayMeasurement, Query, Reply, ReplyTo, build_answer
from pybpfnf.apps.delay.responder import FUNCTION, RECORDS, Responder
from pybpfnf.kernel.netns import Namespace
from pybpfnf.testing.packets import srv6

PAPER: Final = 7_350  # probes a second that the paper's daemon answers on one core (section 6.1)
_PATHS: Final = 64
_BURST: Final = 8_000  # the ring has room for 11,915 records, the socket's buffer for more
_SID, _EXIT = "fc00:f::d", "fc00:3::3"
_TO_B0: Final = bytes.fromhex("02000000 0b00 02000000 0b01 86dd")


@final
@dataclass(frozen=True, slots=True)
class ProbeSpeed:
    """`rate`: datagrams a second of one core's time. `lost`: of `sent`, those that nothing was heard of."""

    what: str
    sent: int
    lost: int
    rate: float


def measure(count: int) -> Iterator[ProbeSpeed]:
    """The responder and the collector, with about so many datagrams each (root)."""
    bursts = max(1, count // _BURST)
    size = min(count, _BURST)
    with Namespace() as namespace, namespace.entered(), ExitStack() as stack:
        for command in (
            "link set lo up",
            "link add b0 address 02:00:00:00:0b:00 type veth peer name b1 address 02:00:00:00:0b:01",
            "link set b0 up",
            "link set b1 up",
        ):
            subprocess.run(["ip", *command.split()], check=True)
        subprocess.run(["sysctl", "-qw", "net.ipv6.conf.all.forwarding=1"], check=True)
        yield _responder(stack, size, bursts)
        yield _collector(stack, size, bursts)


def _responder(stack: ExitStack, size: int, bursts: int) -> ProbeSpeed:
    nf = stack.enter_context(pybpfnf.load(FUNCTION))
    nf.attach(_SID, dev="b0")
    sink = stack.enter_context(open_socket("::1", 0))
    responder = Responder(allowed=[IPv6Network("::1/128")])
    stack.callback(responder.close)
    wire = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
    wire.bind(("b1", 0))
    to = ReplyTo(IPv6Address("::1"), sink.getsockname()[1])
    tlvs = DelayMeasurement(Query.OUT_OF_BAND, 7, time.time_ns()).encode() + to.encode()
    probe = _TO_B0 + srv6([_EXIT, _SID], tlvs=tlvs)
    time.sleep(0.1)  # until the devices are up

    def work() -> None:
        for record in nf[RECORDS].octets():
            responder.answer(record)
        responder.flush()

    taken = 0.0
    drain = Collector(Paths())
    for _ in range(bursts):
        for _ in range(size):
            wire.send(probe)
        taken += _seconds(work)
        while drain.receive(sink):
            pass
    return ProbeSpeed("responder", size * bursts, size * bursts - drain.received, size * bursts / taken)


def _collector(stack: ExitStack, size: int, bursts: int) -> ProbeSpeed:
    sock = stack.enter_context(open_socket("::1", 0))
    sender = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
    sender.connect(sock.getsockname()[:2])
    segments = (IPv6Address(_EXIT), IPv6Address(_SID))
    t1 = time.time_ns()
    answers = [
        build_answer(
            Answer(
                DelayMeasurement(Reply.SUCCESS, index % _PATHS, t1, t1 + index * 977, response=True), IPv6Address("fd00::1"), segments, 0
            )
        )
        for index in range(size)
    ]
    collector = Collector(Paths())

    def work() -> None:
        while collector.receive(sock):
            pass
        for path in collector.paths:
            path.settle()

    taken = 0.0
    for _ in range(bursts):
        for answer in answers:
            sender.send(answer)
        taken += _seconds(work)
    sampled = sum(path.summary().count for path in collector.paths)
    return ProbeSpeed("collector", size * bursts, size * bursts - sampled, size * bursts / taken)


def _seconds(work: Callable[[], None]) -> float:
    """Of the processor, in this process and in the kernel for it."""
    start = time.process_time()
    work()
    return time.process_time() - start
