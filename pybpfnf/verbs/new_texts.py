"""What `new` writes: a function that works and does a little, and a test that runs it on the VM and on the kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from string import Template
from typing import final

README_HEADING = "## Network functions"


@final
@dataclass(frozen=True, slots=True)
class HookText:
    """`source` and `test` with $name in them, the test also with $place, the path from it to the function's file."""

    summary: str
    source: str
    test: str


def fill(text: str, **values: str) -> str:
    return Template(text).substitute(values)


_SUMMARY = "count packets, and let them pass."

_SEG6LOCAL = '''"""Count packets, and let them pass.

pybpfnf attach $name.py SID --dev DEV
"""

from pybpfnf import OK, PerCpuArray, Seg6Packet, Verdict, seg6local, u64

packets = PerCpuArray(u64, 1)


@seg6local
def $name(pkt: Seg6Packet) -> Verdict:
    """Count a packet; it goes on to its next segment."""
    packets[0] += 1
    return OK
'''

_ROUTE = '''"""Count packets, and let them pass.

pybpfnf attach $name.py PREFIX
"""

from pybpfnf import OK, {packet}, PerCpuArray, Verdict, {hook}, u64

packets = PerCpuArray(u64, 1)


@{hook}(on_fault=OK)
def $name(pkt: {packet}) -> Verdict:
    """Count an IPv6 packet; whatever comes goes its way."""
    if pkt.ipv6 is None:
        return OK
    packets[0] += 1
    return OK
'''

_TEST = '''"""`$name`: in the VM, and as root on the kernel of this machine too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import pybpfnf
from pybpfnf.testing import packets

SOURCE = Path(__file__).parent / "$place"


@pytest.fixture(params=[pybpfnf.VmRunner, pybpfnf.KernelRunner], ids=["vm", "kernel"])
def nf(request: pytest.FixtureRequest) -> Iterator[pybpfnf.Simulation]:
    try:
        simulation = pybpfnf.simulate(SOURCE, runner=request.param())
    except pybpfnf.SystemLacksError as error:
        pytest.skip(str(error))
    with simulation:
        yield simulation


def test_a_packet_is_counted_and_passes(nf: pybpfnf.Simulation) -> None:
    outcome = nf.run(packets.srv6(["fc00:2::2", "fc00:1::1"]))
    assert outcome.forwarded
    assert (outcome.verdict, outcome.fault) == (0, None)
    assert nf["packets"][0] == 1
'''


def _route(hook: str, packet: str) -> HookText:
    return HookText(_SUMMARY, _ROUTE.replace("{hook}", hook).replace("{packet}", packet), _TEST)


HOOK_TEXTS: Mapping[str, HookText] = {
    "seg6local": HookText(_SUMMARY, _SEG6LOCAL, _TEST),
    "lwt_in": _route("lwt_in", "LwtInPacket"),
    "lwt_out": _route("lwt_out", "LwtOutPacket"),
    "lwt_xmit": _route("lwt_xmit", "LwtXmitPacket"),
}
"""By the decorator's name."""
