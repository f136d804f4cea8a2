"""How true measured delays are: probes over a lab's link whose delays are known, in namespaces of this machine.

near --5 ms--> far    one-way: the responder at far's SID says T2 - T1
near <-20 ms-- far    two-way: the probe itself comes back with T2 and T3; its delay is that of both directions, 25 ms
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Network
from typing import final

from benchmarks.attaching import wait_until_attached
from pybpfnf.lab import Direction, End, Link, Node, RunningNode, Topology, up

_MS = 1_000_000
THERE, BACK = 5 * _MS, 20 * _MS
PROBES = 1000
_SID, _SIDS = "fc00:2::d", IPv6Network("fc00:2::/64")
_INTERVAL = 0.005  # seconds
_PATIENCE = 20.0


@final
@dataclass(frozen=True, slots=True)
class DelayTruth:
    """Nanoseconds: `known` is the lab's delay, `median` and `spread` (of the middle 98 of a hundred) are what `answered` of `sent` probes
    say."""

    ways: str
    known: int
    sent: int
    answered: int
    median: float
    spread: float


def measure(probes: int) -> Iterator[DelayTruth]:
    """One-way, then two-way."""
    near, far = Node("near"), Node("far", prefixes=(_SIDS,))
    link = Link((End("near", Direction(THERE)), End("far", Direction(BACK))))
    topology = Topology(f"truth-{os.getpid()}", (near, far), (link,))
    with up(topology) as running, _responder(running.node("far")):
        for ways, known, options in (("one-way", THERE, ["--one-way"]), ("two-way", THERE + BACK, [])):
            command = ["delay", "query", _SID, "--count", str(probes), "--interval", str(_INTERVAL), "--json", *options]
            said = json.loads(running.node("near").run([sys.executable, "-m", "pybpfnf", *command]).stdout)
            delays = said["delays"]
            hundredths = statistics.quantiles(delays, n=100)
            yield DelayTruth(ways, known, said["sent"], len(delays), statistics.median(delays), hundredths[98] - hundredths[0])


@contextmanager
def _responder(node: RunningNode) -> Iterator[None]:
    """End.DM at the SID, for as long as the block."""
    command = [sys.executable, "-m", "pybpfnf", "delay", "responder", _SID, "--dev", node.planned.devices[0].name]
    process = node.popen(command, stderr=subprocess.PIPE)
    try:
        assert process.stderr is not None
        wait_until_attached(process.stderr)
        yield
    finally:
        process.terminate()
        process.wait(_PATIENCE)
