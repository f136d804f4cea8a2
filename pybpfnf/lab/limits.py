"""The numbers that a route or a SID's behaviour can have: what the kernel has room for."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv6Address
from typing import final

from pybpfnf.lab.topology import Function, Route
from pybpfnf.records import dataclass
from pybpfnf.routes import LARGEST_WEIGHT, Seg6Local, most_segments

_U32 = 0xFFFFFFFF  # tables, metrics and the numbers of HMAC keys


@final
@dataclass(frozen=True, slots=True)
class Beyond:
    """A number that is too small or too large: `name` is that of its key."""

    name: str
    message: str


def of_route(route: Route) -> Iterator[Beyond]:
    """Without those of its next hops."""
    yield from _number("table", "a routing table", route.table, 1)
    if route.metric is not None:
        yield from _number("metric", "a metric", route.metric, 1)
    if route.does is not None and not isinstance(route.does, Function):
        yield from _number("hmac", "the number of an HMAC key", route.does.hmac, 0)
        yield from _segments(route.does.segments, inline=route.does.mode == "inline", hmac=route.does.hmac)


def of_weight(weight: int) -> Iterator[Beyond]:
    yield from _number("weight", "a weight", weight, 1, LARGEST_WEIGHT)


def of_behaviour(behaviour: Seg6Local) -> Iterator[Beyond]:
    if behaviour.table is not None:
        yield from _number("table", "a routing table", behaviour.table, 1)
    yield from _number("hmac", "the number of an HMAC key", behaviour.hmac, 0)
    yield from _segments(behaviour.segments, inline=behaviour.action == "End.B6", hmac=behaviour.hmac)


def _number(name: str, what: str, value: int, least: int, most: int = _U32) -> Iterator[Beyond]:
    if not least <= value <= most:
        yield Beyond(name, f"{what} goes from {least} to {most}")


def _segments(segments: tuple[IPv6Address, ...], *, inline: bool, hmac: int) -> Iterator[Beyond]:
    most = most_segments(inline=inline, hmac=hmac)
    if len(segments) > most:
        yield Beyond("segments", f"an SRH has room for {most} segments here, and these are {len(segments)}")
