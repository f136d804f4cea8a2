"""Addresses in a function: prefixes, literals, Config, keys and values; on the VM and in the kernel."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network

import pytest

from pybpfnf import OK, Config, Hash, Prefix, Seg6Packet, Verdict, backend, image, seg6local
from pybpfnf.dsl import compile_module
from pybpfnf.image.settings import configure
from pybpfnf.live import Live
from pybpfnf.runner import Environment, Runner
from pybpfnf.testing.packets import srv6

SID = "fc00:2::2"
PREFIXES = [Prefix(text) for text in ("::/0", "fc00::/7", "fd00:1200::/23", "fd00:12ff::/32", "fd00:12ff::1/128")]
ALL, SEVEN, ODD, HALF, WHOLE = PREFIXES
PEER = Config(IPv6Address)
seen = Hash(IPv6Address, IPv6Address, 4)


@seg6local
def mark_prefixes(pkt: Seg6Packet) -> Verdict:
    """One bit of the mark for each prefix that the source is in; 256 where it is PEER."""
    source = pkt.ipv6.source
    if source in ALL:
        pkt.mark |= 1
    if source in SEVEN:
        pkt.mark |= 2
    if source in ODD:
        pkt.mark |= 4
    if source in HALF:
        pkt.mark |= 8
    if source in WHOLE:
        pkt.mark |= 16
    if source not in Prefix("fd00:12ff::/32"):
        pkt.mark |= 32
    if source == PEER:
        pkt.mark |= 256
    seen[source] = pkt.ipv6.destination
    return OK


@pytest.mark.parametrize("source", ["fd00:12ff::1", "fd00:12ff::2", "fd00:12fe::1", "fd00:1300::1", "fc00::1", "2001:db8::1"])
def test_a_prefix_has_the_addresses_that_begin_with_its_bits(runner: Runner, source: str) -> None:
    built = configure(image.read(backend.build(compile_module([mark_prefixes]))), {"PEER": "fd00:12fe::1"})
    address = IPv6Address(source)
    expected = sum(1 << bit for bit, prefix in enumerate(PREFIXES) if address in prefix)
    expected |= 32 * (address not in IPv6Network("fd00:12ff::/32")) | 256 * (source == "fd00:12fe::1")
    with runner.open(built, built.program(), Environment(sid=IPv6Address(SID))) as session:
        outcome = session.run(srv6(segments=["fc00:3::3", SID], source=source))
        assert (outcome.fault, outcome.mark) == (None, expected)
        assert dict(Live(built, session.maps)[seen]) == {address: IPv6Address("fc00:3::3")}
