"""Random packets through both routers, on the routes of the test files: the same bytes out of the same devices."""

from __future__ import annotations

import random
from contextlib import closing
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from pybpfnf.kernel.namespace_router import NamespaceRouter
from pybpfnf.routes import Router
from pybpfnf.testing.seg.model import Command, Ip, Layer, Packet, Payload, SegFile, Segments, Tlv, Transport
from pybpfnf.testing.seg.reader import read_file
from pybpfnf.testing.seg.run import TUN, Refused, prepare, run_file
from pybpfnf.testing.seg.text import packet_text
from pybpfnf.testing.seg.wire import decode, encode
from pybpfnf.verbs.seg import programs_beside
from pybpfnf.vm.router.router import VmRouter
from tests.testing.seg_files import HOOKS, PROGRAMS, ROUTES

_PACKETS = 1000
_LIES = (0, 1, 4, 6, 17, 41, 43, 44, 50, 51, 58, 59, 60, 135, 255)  # next headers, lengths, options
_UNDONE = "of which the kernel makes no whole packet"
_TARGETS = [
    IPv6Address(text)
    for text in [
        "fd00::42",
        "fd00::43",
        "fd00::",
        "fd00::3",
        "fd00::7",
        "fd00::8",
        "fd00::9",
        "fd00::10",
        "fc00::1",
        "fc00::2",
        "fc01::42",
        "fc01::1234",
        "fc01::1235",
        "fc02::42",
        "fc02::43",
        "fc02::6",
        "fc02::7",
        "fc02::8",
        "fc02::9",
        "fc02::b6",
        "fc02::be",
        "dead:beef::16",
        "abba:beef::f",
        "cafe::2",
        "abcd:1::1",
        "abc1::1",
        "dead::1",
        "baba::28",
        "fc42::1",
        "fc01::50",
        "fc03:0:100:100:200::",
        "fc03:0:400:100:200::",
        "fe80::1",
        "ff02::1",
        "::1",
        "::",
    ]
]
_AREAS = ((), (Tlv(6, bytes(6)),), (Tlv(4, bytes(3)),), (Tlv(1, bytes(18)), Tlv(4, bytes(2))))


class _Random:
    def __init__(self, seed: int) -> None:
        self.choose = random.Random(seed)

    def packet(self) -> bytes:
        """One in ten with a low hop limit, one in ten with a wrong byte."""
        data = bytearray(encode(self._layers(0)))
        if self.choose.random() < 0.1:
            data[7] = self.choose.randrange(4)
        if self.choose.random() < 0.1:
            data[self.choose.randrange(min(40, len(data) - 1), len(data))] = self.choose.randrange(256)
        return bytes(data)

    def wild_packet(self) -> bytes:
        """One in two with header types and lengths that lie, one in ten cut off; the payload length is right."""
        data = bytearray(self.packet())
        if self.choose.random() < 0.1:
            del data[self.choose.randrange(40, len(data) + 1) :]
        elif self.choose.random() < 0.5:
            for _ in range(self.choose.randint(1, 3)):
                data[self.choose.randrange(min(40, len(data) - 1), len(data))] = self.choose.choice(_LIES)
            if self.choose.random() < 0.3:
                data[6] = self.choose.choice(_LIES)
        data[4:6] = (len(data) - 40).to_bytes(2, "big")
        return bytes(data)

    def _layers(self, depth: int) -> Packet:
        chain: list[Layer] = []
        destination = self.choose.choice(_TARGETS)
        if self.choose.random() < 0.75:
            srh = self._srh()
            chain.append(srh)
            current = srh.segments[srh.left] if srh.left is not None and srh.left < len(srh.segments) else None
            if current is not None and self.choose.random() < 0.9:
                destination = current
        if self.choose.random() < 0.1:
            chain.append(self._srh())
        head = Ip(self.choose.choice(_TARGETS[8:28]), destination)
        if depth < 2 and self.choose.random() < 0.4:
            return (head, *chain, *self._layers(depth + 1))
        ends: tuple[Packet, ...] = ((), (Transport("UDP", 1, 2),), (Transport("TCP", 1, 2), Payload(b"x")))
        return (head, *chain, *self.choose.choice(ends))

    def _srh(self) -> Segments:
        segments = tuple(self.choose.choice(_TARGETS[:32]) for _ in range(self.choose.randint(1, 4)))
        last = len(segments) - 1
        left = self.choose.choice([last] * 4 + [0, 1, 2, 3, 5])
        entry = max(0, last + self.choose.choice([0] * 8 + [-1, 1]))
        return Segments(segments, left, entry, self.choose.choice([0, 7]), 0, self.choose.choice(_AREAS))


def _set_up(router: Router) -> None:
    """The routes of both files, without what the second has from the first: dum1 and table 42."""
    prepare(router)
    commands = [each for each in read_file(ROUTES.partition("# HMACs")[0], "routes").statements if isinstance(each, Command)]
    commands += [each for each in read_file(PROGRAMS, "programs").statements if isinstance(each, Command)][2:]
    assert not [each for each in run_file(SegFile("all", tuple(commands)), router) if isinstance(each, Refused)]


@pytest.mark.kernel
@pytest.mark.parametrize(("seed", "answers"), [(1, False), (2, False), (3, True), (4, True)])
def test_both_routers_do_the_same_with_any_packet(seed: int, answers: bool, tmp_path: Path) -> None:
    (tmp_path / "hooks.py").write_text(HOOKS, encoding="utf-8")
    find, source = programs_beside(tmp_path), _Random(seed)
    forwarded = 0
    with closing(VmRouter(find, answers=answers)) as vm, closing(NamespaceRouter(find, answers=answers)) as kernel:
        _set_up(vm)
        _set_up(kernel)
        for _ in range(_PACKETS):
            packet = source.wild_packet() if answers else source.packet()
            ours, theirs = vm.receive(TUN, packet), kernel.receive(TUN, packet)
            if ours.reason is None or _UNDONE not in ours.reason:
                assert ours.packets == theirs.packets, f"{packet_text(decode(packet))}: {ours.reason}"
            forwarded += bool(theirs.packets)
    assert forwarded > _PACKETS // 4
