"""What a lab of namespaces and one in this process have in common: an experiment that asks for no more runs on both.

    def experiment(lab: Lab) -> bytes | None:
        with lab.node("sink").datagrams(4242) as inbox:
            lab.node("source").send(packet)
            return inbox.take()

`pybpfnf.lab.up(topology)` gives the one, `pybpfnf.lab.VirtualLab(topology)` the other. Both are gone at the end of their `with` block.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

from pybpfnf.lab.plan import Plan
from pybpfnf.live import Live

PATIENCE = 5.0
"""Seconds that are waited for a datagram, in a lab in this process of its own time."""


class Inbox(Protocol):
    """What arrives at a port."""

    def take(self, patience: float = PATIENCE) -> bytes | None:
        """The data of the next datagram, waited for; None where none comes for so many seconds."""
        ...


class LabNode(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str:
        """Its first address; raises InputError where it has none."""
        ...

    def attached(self, destination: str) -> Live:
        """The maps and variables of its function at a SID or on a route; raises InputError where there is none."""
        ...

    def send(self, packet: bytes) -> None:
        """A packet of its own, from its IPv6 header on."""
        ...

    def datagrams(self, port: int) -> AbstractContextManager[Inbox]:
        """UDP to this port of any of its addresses, within the block."""
        ...


class Lab(Protocol):
    plan: Plan

    def node(self, name: str) -> LabNode:
        """Raises InputError for one that is not there."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None: ...
