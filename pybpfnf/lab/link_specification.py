"""What the link process is told, as JSON, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, final

from pybpfnf.lab.direction import Wire, seed_of
from pybpfnf.lab.topology import Bytes, Direction, Packets
from pybpfnf.records import dataclass

COUNTERS = "\0pybpfnf-links"
"""The abstract socket, of the namespace alone, at which its counters are read."""
Document: TypeAlias = Mapping[str, Any]


@final
@dataclass(frozen=True, slots=True)
class LinkSpecification:
    """A link between two devices; `directions` away from the first end and from the second."""

    name: str
    devices: tuple[str, str]
    mtu: int
    seed: int
    directions: tuple[Direction, Direction]

    def wires(self) -> tuple[Wire, Wire]:
        first, second = (Wire(each, seed_of(self.seed, self.name, end)) for end, each in enumerate(self.directions))
        return first, second


@final
@dataclass(frozen=True, slots=True)
class Counters:
    """Of a direction: frames and bytes that arrived; frames `lost` by chance, dropped by a `full` queue, that came faster than the link
    process reads (`overrun`), or that the device did not take (`refused`). `latest`: nanoseconds by which the latest frame was late."""

    frames: int
    bytes: int
    lost: int
    full: int
    overrun: int
    refused: int
    latest: int


def write_specification(namespace: str, links: tuple[LinkSpecification, ...]) -> Document:
    """`namespace` is the name of the one that it runs in, and lives as long as."""
    return {"namespace": namespace, "links": [_written(link) for link in links]}


def read_specification(document: Document) -> tuple[str, tuple[LinkSpecification, ...]]:
    return document["namespace"], tuple(_read(link) for link in document["links"])


def _written(link: LinkSpecification) -> Document:
    return {
        "name": link.name, "devices": link.devices, "mtu": link.mtu, "seed": link.seed,
        "directions": [_written_direction(each) for each in link.directions],
    }  # fmt: skip


def _read(document: Document) -> LinkSpecification:
    first, second = (_read_direction(each) for each in document["directions"])
    devices = document["devices"]
    return LinkSpecification(document["name"], (devices[0], devices[1]), document["mtu"], document["seed"], (first, second))


def _written_direction(direction: Direction) -> Document:
    return {
        "delay": direction.delay, "jitter": direction.jitter, "rate": direction.rate, "loss": direction.loss, "reorder": direction.reorder,
        "queue": direction.queue.count, "of": "bytes" if isinstance(direction.queue, Bytes) else "packets",
    }  # fmt: skip


def _read_direction(document: Document) -> Direction:
    queue = (Bytes if document["of"] == "bytes" else Packets)(document["queue"])
    return Direction(document["delay"], document["jitter"], document["rate"], queue, document["loss"], document["reorder"])
