"""Echo requests from node to node of a lab in this process: whether they come back, when, and which way they went."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv6Address
from typing import final

from pybpfnf.abi.icmpv6 import ECHO_REPLY, ICMP_ERRORS
from pybpfnf.lab.virtual import VirtualLab
from pybpfnf.lab.virtual_link import Frame
from pybpfnf.records import dataclass
from pybpfnf.testing.packets import icmpv6_echo, ipv6
from pybpfnf.vm.icmpv6 import ICMPV6, skip_extension_headers

PATIENCE = 10 * 10**9
"""Nanoseconds after which nothing is waited for any more."""
_SEQUENCES = 1 << 16
_ERROR_OF = {(row.type, row.code): name.replace("_", " ") for name, row in ICMP_ERRORS.items()}


@final
@dataclass(frozen=True, slots=True)
class Ping:
    """`rtt` in nanoseconds, None where no reply came, for the `reason`. `there` and `back`: the nodes on the way, with both ends."""

    source: str
    target: IPv6Address
    rtt: int | None
    there: tuple[str, ...]
    back: tuple[str, ...] = ()
    reason: str | None = None


def ping(lab: VirtualLab, source: str, target: IPv6Address, *, size: int = 56, patience: int = PATIENCE) -> Ping:
    """One echo request, with so many bytes of data, now; runs the lab until its reply is there, or nothing happens any more. Raises
    InputError for a node that is not there. Which way it went is right where nothing else is sent meanwhile."""
    node = lab.node(source)
    begin, number = lab.now, len(node.received) % _SEQUENCES
    frames, received, drops = len(lab.captured()), len(node.received), len(lab.drops)
    request = ipv6(target, source=node.address_for(target), payload=icmpv6_echo(bytes(size), sequence=number))
    lab.send(source, request)
    lab.run_while(lambda: not _answered(lab, source, received, number), until=begin + patience)
    sent = lab.captured()[frames:]
    answers = [each for each in node.received[received:] if _kind(each.packet) is not None]
    found = next((each for each in answers if _is_reply(each.packet, number)), None)
    if found is not None:
        there, back = _ways(source, sent, _owner(lab, target))
        return Ping(source, target, found.at - begin, there, back)
    said = [f"{IPv6Address(each.packet[8:24])} answers: {_kind(each.packet)}" for each in answers]
    said += [f"{drop.where}: {drop.reason}" for drop in lab.drops[drops:]]
    return Ping(source, target, None, _ways(source, sent, None)[0], reason=said[0] if said else "no reply came")


def ping_all(lab: VirtualLab) -> Iterator[Ping]:
    """From each node to the first address of each other."""
    targets = {node.name: node.addresses[0].ip for node in lab.plan.nodes.values() if node.addresses}
    for source in lab.plan.nodes:
        for name, target in targets.items():
            if name != source:
                yield ping(lab, source, target)


def _answered(lab: VirtualLab, source: str, received: int, number: int) -> bool:
    return any(_is_reply(each.packet, number) for each in lab.node(source).received[received:])


def _is_reply(packet: bytes, number: int) -> bool:
    kind, at = skip_extension_headers(packet)
    return kind == ICMPV6 and packet[at] == ECHO_REPLY and int.from_bytes(packet[at + 6 : at + 8], "big") == number


def _kind(packet: bytes) -> str | None:
    """Of an ICMPv6 message; None of another packet."""
    number, at = skip_extension_headers(packet)
    if number != ICMPV6 or at < 0:
        return None
    return _ERROR_OF.get((packet[at], packet[at + 1]), f"type {packet[at]}, code {packet[at + 1]}")


def _owner(lab: VirtualLab, address: IPv6Address) -> str | None:
    return next((name for name in lab.plan.nodes if lab.node(name).router.state.addresses.has(address)), None)


def _ways(source: str, frames: tuple[Frame, ...], turn: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The nodes that frames led to one after the other, up to the node where they turn, and from there."""
    nodes = [source]
    for frame in frames:
        if frame.source == nodes[-1] and frame.arrives is not None:
            nodes.append(frame.target)
    if turn not in nodes:
        return tuple(nodes), ()
    at = nodes.index(turn)
    return tuple(nodes[: at + 1]), tuple(nodes[at:])
