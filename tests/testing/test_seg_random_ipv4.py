"""Random packets of IPv4, and frames, through both routers, on the routes of their test file: the same bytes out of the same devices."""

from __future__ import annotations

import random
from contextlib import closing
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from pybpfnf.kernel.namespace_router import NamespaceRouter
from pybpfnf.routes import Router
from pybpfnf.testing.packets import internet_checksum
from pybpfnf.testing.seg.model import Command, Ethernet, Ip, Layer, Packet, Payload, SegFile, Segments, Transport
from pybpfnf.testing.seg.reader import read_file
from pybpfnf.testing.seg.run import TUN, Refused, prepare, run_file
from pybpfnf.testing.seg.text import packet_text
from pybpfnf.testing.seg.wire import decode, encode
from pybpfnf.verbs.seg import programs_beside
from pybpfnf.vm.router.router import VmRouter
from tests.testing.seg_files import HOOKS, IPV4

_PACKETS = 1000
_SOURCES = [
    IPv4Address(text) for text in ("10.0.0.1", "10.0.7.1", "10.1.1.1", "127.0.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "240.0.0.1")
]
_TARGETS = [
    IPv4Address(text)
    for text in (
        "10.1.1.1",
        "10.1.2.1",
        "10.1.2.255",
        "10.3.0.1",
        *(f"10.{number}.0.1" for number in (20, 21, 22, 23, 24, 30, 31, 66, 67, 99)),
    )
]
_TARGETS += [IPv4Address(text) for text in ("127.0.0.1", "224.0.0.1", "255.255.255.255", "0.0.0.0", "0.0.0.9", "240.0.0.1")]
_SIDS = [IPv6Address(text) for text in ("fc02::2", "fc02::3", "fc02::4", "fc02::5")]
_OTHERS = [IPv6Address(text) for text in ("beef::1", "bee0::1", "bee1::1", "fc00::1", "fd00::42", "dead::1")]


class _Random:
    def __init__(self, seed: int) -> None:
        self.choose = random.Random(seed)

    def packet(self) -> bytes:
        """One in five with a wrong byte, one in ten cut off, one in five with a low TTL or hop limit."""
        data = bytearray(encode(self._ipv4(0) if self.choose.random() < 0.5 else self._ipv6()))
        for at in (at for at in range(len(data) - 20) if data[at] == 0x45 and self.choose.random() < 0.2):
            data[at + 8] = self.choose.randrange(4)
            data[at + 10 : at + 12] = bytes(2)
            data[at + 10 : at + 12] = internet_checksum(bytes(data[at : at + 20])).to_bytes(2, "big")
        if self.choose.random() < 0.2:
            data[self.choose.randrange(1, len(data))] = self.choose.randrange(256)
        if self.choose.random() < 0.1:
            del data[self.choose.randrange(20, len(data) + 1) :]
        if self.choose.random() < 0.5 and data[0] >> 4 == 6 and len(data) > 40:
            data[4:6] = (len(data) - 40).to_bytes(2, "big")
        return bytes(data)

    def _ipv4(self, depth: int) -> Packet:
        source = self.choose.choice(_SOURCES) if self.choose.random() < 0.3 else _SOURCES[0]
        return (Ip(source, self.choose.choice(_TARGETS), 4), *self._inside(depth))

    def _ipv6(self) -> Packet:
        target = self.choose.choice(_SIDS if self.choose.random() < 0.7 else _OTHERS)
        chain: list[Layer] = []
        if self.choose.random() < 0.6:
            left = self.choose.choice([0, 0, 0, 1])
            chain.append(Segments((target, _OTHERS[3]), left, 1))
        return (Ip(_OTHERS[3], target), *chain, *self._inside(0))

    def _inside(self, depth: int) -> Packet:
        kind = self.choose.random()
        if depth < 2 and kind < 0.5:
            return self._ipv4(depth + 1)
        if depth < 2 and kind < 0.65:
            return (Ip(_OTHERS[5], self.choose.choice(_OTHERS)), Transport("UDP", 3, 4))
        if depth < 2 and kind < 0.85:
            inner: Packet = self._ipv4(2) if self.choose.random() < 0.5 else (Ip(_OTHERS[5], _OTHERS[3]),)
            return (Ethernet(), *inner)
        ends: tuple[Packet, ...] = ((), (Transport("UDP", 1, 2),), (Transport("TCP", 1, 2), Payload(b"x")))
        return self.choose.choice(ends)


def _set_up(router: Router) -> None:
    prepare(router)
    commands = [each for each in read_file(IPV4, "IPv4").statements if isinstance(each, Command)]
    assert not [each for each in run_file(SegFile("all", tuple(commands)), router) if isinstance(each, Refused)]


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.parametrize("seed", range(1, 9))
def test_both_routers_do_the_same_with_packets_of_ipv4(seed: int, tmp_path: Path) -> None:
    (tmp_path / "hooks.py").write_text(HOOKS, encoding="utf-8")
    find, source = programs_beside(tmp_path), _Random(seed)
    forwarded = 0
    with closing(VmRouter(find)) as vm, closing(NamespaceRouter(find)) as kernel:
        _set_up(vm)
        _set_up(kernel)
        for _ in range(_PACKETS):
            packet = source.packet()
            ours, theirs = vm.receive(TUN, packet), kernel.receive(TUN, packet)
            assert ours.packets == theirs.packets, f"{packet.hex()} {packet_text(decode(packet))}: {ours.reason}"
            forwarded += bool(theirs.packets)
    assert forwarded > _PACKETS // 4
