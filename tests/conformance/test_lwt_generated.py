"""Packets of both IP versions with bytes changed, lengths that lie and ends cut off, through programs on routes: the VM does what the
kernel does with each."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

import pytest

from pybpfnf.kernel.runner import KernelRunner
from pybpfnf.runner import Outcome
from pybpfnf.testing.packets import hop_by_hop, ipv4, ipv6, srv6, tcp
from pybpfnf.vm import VmRunner
from pybpfnf.vm.ipv4 import checksum
from tests.conformance.test_lwt import (
    FOUR,
    HEADER,
    INLINE,
    IP,
    LWT_IN,
    LWT_OUT,
    LWT_XMIT,
    OK,
    REROUTE,
    ROUTER,
    SEG6,
    SIX,
    four_header,
    image,
    outer_header,
    push,
    returning,
)  # fmt: skip
from tests.kernel_support import ATOMIC_FRAGMENT

SEED, PACKETS = 2026, 250
_BASES: Final = (
    SIX,
    FOUR,
    srv6(["fc00:a::1"]),
    srv6(["fc00:c::2", "fc00:a::1"], options=[hop_by_hop()]),
    ipv4("198.51.100.1", payload=tcp()),
    ipv6("fc00:a::1", payload=tcp()),
)
_PROGRAMS: Final = {
    "pass out": (LWT_OUT, returning(OK)),
    "pass in": (LWT_IN, returning(OK)),
    "IPv6 in": (LWT_IN, push(IP, outer_header(SIX), REROUTE)),
    "seg6 in": (LWT_IN, push(SEG6, HEADER)),
    "inline in": (LWT_IN, push(INLINE, HEADER)),
    "IPv6 at xmit": (LWT_XMIT, push(IP, outer_header(SIX), REROUTE)),
    "IPv4 at xmit": (LWT_XMIT, push(IP, four_header(SIX), REROUTE)),
}


def generated(seed: int, count: int) -> Iterator[bytes]:
    """Packets near right ones; those of IPv4 have a right checksum mostly, and no options, which the VM does not process."""
    chance = random.Random(seed)
    while count:
        packet = bytearray(chance.choice(_BASES))
        for _ in range(chance.randrange(3)):
            at = chance.randrange(min(len(packet), 60))
            packet[at] = chance.choice([0, 1, 2, 255, chance.randrange(256), packet[at] ^ 1 << chance.randrange(8)])
        if chance.random() < 0.15:
            del packet[chance.randrange(len(packet)) :]
        if chance.random() < 0.1:
            packet += bytes(chance.randrange(1, 9))
        if packet and packet[0] >> 4 == 4:
            if packet[0] & 15 != 5:
                continue
            if len(packet) >= 20 and chance.random() < 0.8:
                packet[10:12] = b"\0\0"
                packet[10:12] = checksum(packet[:20]).to_bytes(2, "big")
        count -= 1
        yield bytes(packet)


def on_the_wire(outcome: Outcome, hook: str) -> bytes | None:
    """Forwarding after lwt_in drops the last hop, and sources that are not forwarded."""
    packet = outcome.packet
    if packet is None or hook != LWT_IN:
        return packet
    is_four = packet[0] >> 4 == 4
    source = packet[8:24]
    if packet[8 if is_four else 7] <= 1 or (not is_four and (source == bytes(16) or (source[:1] == b"\xfe" and source[1] & 0xC0 == 0x80))):
        return None
    return packet


_OTHER_VERSION = ("seg6 in", "IPv6 at xmit")  # what becomes of the IPv4 packets among them


@pytest.mark.kernel
@pytest.mark.parametrize("name", [pytest.param(name, marks=ATOMIC_FRAGMENT) if name in _OTHER_VERSION else name for name in _PROGRAMS])
def test_what_becomes_of_a_packet_is_the_same(name: str) -> None:
    hook, text = _PROGRAMS[name]
    whole = image(text, hook)
    with VmRunner().open(whole, whole.program(), ROUTER) as vm, KernelRunner().open(whole, whole.program(), ROUTER) as kernel:
        for packet in generated(SEED, PACKETS):
            expected, found = kernel.run(packet), vm.run(packet)
            seen = (found.verdict, found.runs, on_the_wire(found, hook))
            assert seen == (expected.verdict, expected.runs, expected.packet), f"{packet.hex()}: {found.reason}"


def test_generated_packets_are_of_many_kinds() -> None:
    """Else equality would say little."""
    whole = image(returning(OK), LWT_OUT)
    with VmRunner().open(whole, whole.program(), ROUTER) as vm:
        outcomes = [vm.run(packet) for packet in generated(SEED, PACKETS)]
    assert sum(outcome.forwarded for outcome in outcomes) > PACKETS // 3
    assert len({(outcome.reason or "").partition(":")[0] for outcome in outcomes}) >= 5
