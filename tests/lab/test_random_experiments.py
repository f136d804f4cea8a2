"""Random packets in random topologies: what arrives where, and which errors come back, is the same in namespaces and in this process.

The topologies are trees, so that which of equal ways a flow takes does not matter.
"""

from __future__ import annotations

import os
import random
import socket
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from ipaddress import IPv6Address, IPv6Network
from typing import TypeAlias

import pytest

from pybpfnf.errors import KernelError
from pybpfnf.lab import End, Function, Link, Node, Running, Sid, Topology, VirtualLab, up
from pybpfnf.lab.virtual_node import VirtualNode
from pybpfnf.routes import Seg6Local
from pybpfnf.targets import object_image
from pybpfnf.testing.packets import inner, ipv6, srv6, udp

PACKETS, PORT, CLOSED = 200, 4242, 9
MARK = b"experiment "  # before the number of a packet, in its data
PAUSE, QUIET = 0.002, 0.3  # seconds: between packets (the kernel makes 1,000 ICMP errors a second), and without any at the end
ERRORS = (1, 2, 3, 4)  # types; Linux sends redirects too
Sent: TypeAlias = tuple[str, bytes]
Seen: TypeAlias = Mapping[int, list[tuple[str, ...]]]
"""By packet: where its datagram arrived, and which errors about it arrived where, from whom."""


class Experiment:
    def __init__(self, seed: int) -> None:
        self._choose = random.Random(seed)
        count = self._choose.randint(3, 6)
        names = [f"n{number}" for number in range(count)]
        self._addresses = [f"fd00::{number}" for number in range(1, count + 1)]
        self._sids = [f"fc00:{number}::{kind}" for number in range(count) for kind in range(1, 6)]
        nodes = tuple(Node(name, sids=tuple(self._behaviours(number))) for number, name in enumerate(names))
        links = tuple(self._link(names, number) for number in range(1, count))
        self.topology = Topology(f"random{os.getpid()}", nodes, links, seed=seed)
        self.sent = [self._packet(number) for number in range(PACKETS)]

    def _link(self, names: Sequence[str], number: int) -> Link:
        return Link((End(names[number]), End(names[self._choose.randrange(number)])), mtu=self._choose.choice([1500, 1500, 1300]))

    def _behaviours(self, number: int) -> Iterator[Sid]:
        flavors = self._choose.choice([(), ("psp",)])
        segments = tuple(IPv6Address(each) for each in self._choose.sample(self._addresses, 2))
        behaviours: tuple[Seg6Local | Function, ...] = (
            Seg6Local("End", flavors=flavors),
            Seg6Local("End.DT6", table=self._choose.choice([254, 255])),
            Seg6Local("End.DX6", nh6=IPv6Address(0)),
            Seg6Local("End.B6.Encaps", segments=segments),
            Function(object_image("tag_increment")),
        )
        for kind, behaviour in enumerate(behaviours, 1):
            yield Sid(IPv6Network(f"fc00:{number}::{kind}"), behaviour)

    def _packet(self, number: int) -> Sent:
        choose = self._choose
        at = choose.randrange(len(self._addresses))
        source, data = self._addresses[at], MARK + number.to_bytes(4, "big") + bytes(choose.choice([0, 0, 0, 1100, 1200]))
        payload = udp(data, destination_port=choose.choice([PORT, PORT, PORT, CLOSED]))
        target = choose.choice([*self._addresses, choose.choice(self._sids), "dead::1"])
        hop_limit = choose.choice([64] * 6 + [1, 2, 3, 4])
        path = [choose.choice(self._sids) for _ in range(choose.randint(1, 3))]
        packets = (
            ipv6(target, source=source, payload=payload, hop_limit=hop_limit),
            srv6([target, *path], source=source, payload=payload, hop_limit=hop_limit),
            srv6(path, source=source, payload=inner(ipv6(target, source=source, payload=payload)), hop_limit=hop_limit),
        )
        return f"n{at}", choose.choice(packets)


def number_of(data: bytes) -> int | None:
    """Of the packet that it is, or that an error is about."""
    at = data.find(MARK) + len(MARK)
    return int.from_bytes(data[at : at + 4], "big") if MARK in data else None


def seen_in_process(experiment: Experiment) -> Seen:
    found: dict[int, list[tuple[str, ...]]] = defaultdict(list)

    def note(data: bytes, *what: str) -> None:
        number = number_of(data)
        if number is not None:
            found[number].append(what)

    def watch(node: VirtualNode) -> None:
        node.listen(PORT, lambda datagram: note(datagram.data, "datagram", node.name))
        node.on_icmp(lambda packet: note(packet, f"error {packet[40]} {packet[41]}", node.name, str(IPv6Address(packet[8:24]))))

    with VirtualLab(experiment.topology) as lab:
        for name in lab.plan.nodes:
            watch(lab.node(name))
        for at, (source, packet) in enumerate(experiment.sent):
            lab.send(source, packet, at=at)
        lab.run()
    return {number: sorted(each) for number, each in found.items()}


def seen_in_namespaces(experiment: Experiment) -> Seen:
    found: dict[int, list[tuple[str, ...]]] = defaultdict(list)
    with up(experiment.topology) as running, ExitStack() as stack:
        watched = [each for name in running.nodes for each in _sockets(running, name, stack)]
        for source, packet in experiment.sent:
            try:
                running.node(source).send(packet)
            except KernelError:
                continue  # without a route, or longer than the device's MTU
            finally:
                time.sleep(PAUSE)
        last = time.monotonic()
        while time.monotonic() < last + QUIET:
            for name, receiver, of_icmp in watched:
                for what, number in _arrived(name, receiver, of_icmp):
                    found[number].append(what)
                    last = time.monotonic()
            time.sleep(PAUSE)
    return {number: sorted(each) for number, each in found.items()}


def _sockets(running: Running, name: str, stack: ExitStack) -> Iterator[tuple[str, socket.socket, bool]]:
    with running.node(name).entered():
        datagrams = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        datagrams.bind(("::", PORT))
        errors = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6))
    for receiver in (datagrams, errors):
        receiver.setblocking(False)
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    yield name, datagrams, False
    yield name, errors, True


def _arrived(name: str, receiver: socket.socket, of_icmp: bool) -> Iterator[tuple[tuple[str, ...], int]]:
    while True:
        try:
            data, sender = receiver.recvfrom(1 << 16)
        except BlockingIOError:
            return
        number = number_of(data)
        if number is None or (of_icmp and data[0] not in ERRORS):
            continue
        yield (f"error {data[0]} {data[1]}", name, sender[0].partition("%")[0]) if of_icmp else ("datagram", name), number


@pytest.mark.kernel
@pytest.mark.parametrize("seed", [1, 2])
def test_both_labs_do_the_same_with_any_packet(seed: int) -> None:
    experiment = Experiment(seed)
    ours, theirs = seen_in_process(experiment), seen_in_namespaces(experiment)
    differing = {number: (experiment.sent[number][0], ours.get(number), theirs.get(number)) for number in {*ours, *theirs}}
    assert {number: each for number, each in differing.items() if each[1] != each[2]} == {}
    assert len(theirs) > PACKETS // 4
