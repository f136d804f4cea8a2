"""Probes at a steady rate for some seconds, answered by `pybpfnf delay responder` and collected by `pybpfnf delay collector`.

    the kernel's own frames --> end_dm at a SID --> ring --> responder --> UDP --> collector

The source and the collector share a processor, the responder has one of its own. Nothing waits for anything: what is late is lost.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path
from typing import IO, Final, final

import pybpfnf
from benchmarks.attaching import wait_until_attached
from benchmarks.figures.forwarder import receive_by_napi
from benchmarks.figures.source import LiveSource, Mix
from pybpfnf.apps.delay.protocol import DelayMeasurement, Query, ReplyTo
from pybpfnf.errors import InternalError
from pybpfnf.kernel.netns import Namespace
from pybpfnf.testing.packets import srv6

RATE: Final = 100_000  # probes a second that are asked for
_PORT: Final = 8888
_SID, _EXIT = "fc00:f::d", "fc00:3::3"
_TO_B0: Final = bytes.fromhex("02000000 0b00 02000000 0b01 86dd")
_STEP: Final = 0.002  # seconds between two calls of the source
_PATIENCE: Final = 20.0
_COMMAND: Final = (sys.executable, "-m", "pybpfnf", "delay")


@final
@dataclass(frozen=True, slots=True)
class Sustained:
    """`sent` frames in `seconds`, of which `heard` came to `end_dm` (a device's queue is short); those of them that were answered, and
    that were collected. `responder` and `collector`: seconds of a processor that the two processes took."""

    sent: int
    seconds: float
    heard: int
    answered: int
    collected: int
    responder: float
    collector: float


def measure(seconds: float) -> Sustained:
    """RATE probes a second for so long (root)."""
    first, *others = sorted(os.sched_getaffinity(0))
    last = others[-1] if others else first
    with ExitStack() as stack:
        namespace = stack.enter_context(Namespace())
        stack.enter_context(namespace.entered())
        _prepare()
        stack.enter_context(_on(first))
        collector, of_collector = stack.enter_context(_started("collector", "--port", str(_PORT), "--json", "--every", "3600"))
        responder, of_responder = stack.enter_context(_started("responder", _SID, "--dev", "b0", "--to", "::1/128"))
        os.sched_setaffinity(responder.pid, {last})
        wait_until_attached(of_responder)
        sent, taken = _send(seconds)
        time.sleep(1)  # what is on its way
        with pybpfnf.attached(_SID) as nf:
            heard = nf["seen"][0]
        times = _seconds_of(responder.pid), _seconds_of(collector.pid)
        answered = json.loads(_last(responder, of_responder))["answered"]
        collected = json.loads(_last(collector, of_collector))["received"]
    return Sustained(sent, taken, heard, answered, collected, *times)


def _prepare() -> None:
    for command in (
        "ip link set lo up",
        "ip link add b0 address 02:00:00:00:0b:00 type veth peer name b1 address 02:00:00:00:0b:01",
        "ip link set b0 up",
        "ip link set b1 up",
        "ip -6 route add blackhole fc00:3::/64",
        "sysctl -qw net.ipv6.conf.all.forwarding=1",
    ):
        subprocess.run(command.split(), check=True)
    receive_by_napi("b0")


def _send(seconds: float) -> tuple[int, float]:
    """Bursts at a steady rate; how many probes there were, and how long that took."""
    tlvs = DelayMeasurement(Query.OUT_OF_BAND, 7, time.time_ns()).encode() + ReplyTo(IPv6Address("::1"), _PORT).encode()
    frame = _TO_B0 + srv6([_EXIT, _SID], tlvs=tlvs)
    index = socket.if_nametoindex("b1")
    sent = 0
    with LiveSource(Mix(frame), index) as source:
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            due = int(passed * RATE) - sent
            if due:
                source.send(due)
                sent += due
            time.sleep(_STEP)
    return sent, time.monotonic() - began


@contextmanager
def _on(processor: int) -> Iterator[None]:
    """This process, and those that it starts, on one processor."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {processor})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def _started(name: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """One of the two commands, and what it says: the collector on stdout, the responder on stderr."""
    process = subprocess.Popen([*_COMMAND, name, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        yield process, process.stdout
    finally:
        process.terminate()  # the responder takes its binding away
        process.wait(_PATIENCE)


def _last(process: subprocess.Popen[str], stream: IO[str]) -> str:
    """End the command; the last line that has numbers in it."""
    process.terminate()
    said, _ = process.communicate(timeout=_PATIENCE)
    lines = [line for line in said.splitlines() if '"answered"' in line or '"received"' in line]
    if not lines:
        raise InternalError(f"a command of the bench said nothing: {said}")
    return lines[-1]


def _seconds_of(pid: int) -> float:
    """Of the processor, in user space and in the kernel (proc_pid_stat(5): utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
