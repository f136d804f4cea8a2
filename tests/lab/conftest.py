"""What tests of labs share: names of their own for what they make, and echoes."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pybpfnf.lab.names import namespaces_of
from pybpfnf.lab.read_topology import topology_of
from pybpfnf.lab.running import Running, RunningNode
from pybpfnf.lab.start import up
from pybpfnf.lab.stop import down

Up = Callable[..., Running]
_REQUEST, _REPLY = 128, 129  # ICMPv6, RFC 4443 sections 4.1 and 4.2
_PATIENCE = 5.0


@pytest.fixture
def lab_name() -> Iterator[str]:
    """A lab's name that no other test has; what there is of it in the end is removed."""
    name = f"t{os.getpid()}-{time.monotonic_ns() % 10**9}"
    yield name
    if namespaces_of(name):
        down(name)


@pytest.fixture
def lab(lab_name: str) -> Iterator[Up]:
    """Make the lab of a text, by this test's name."""
    made: list[Running] = []

    def make(text: str, *, means: str | None = "process", directory: Path = Path()) -> Running:
        made.append(up(topology_of(text, str(directory / "lab.toml")), name=lab_name, means=means))
        return made[-1]

    yield make
    for each in made:
        each.close()


def echo(node: RunningNode, to: str, payload: bytes = b"") -> float:
    """Seconds until an echo request to that address is answered with the same bytes."""
    with node.entered():
        asker = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    with asker:
        asker.settimeout(_PATIENCE)
        mark = struct.pack("!HH", os.getpid() & 0xFFFF, 1) + payload
        start = time.monotonic()
        asker.sendto(bytes((_REQUEST, 0, 0, 0)) + mark, (to, 0))
        while True:
            said, address = asker.recvfrom(1 << 16)
            if said[0] == _REPLY and said[4:] == mark and address[0] == to:
                return time.monotonic() - start


def routes(node: RunningNode) -> list[str]:
    """The main table, but for the kernel's own routes, each line without its preference."""
    lines = node.run(["ip", "-6", "route", "show", "proto", "182"]).stdout
    return [" ".join(line.replace("pref medium", "").split()) for line in lines.splitlines()]
