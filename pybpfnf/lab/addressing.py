"""Addresses for what a topology gives none: `fd00::N` for the N-th node, and link-local ones for the ends of links.

A route's next hop is always a link-local address, so that links need no prefixes of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv6Address, IPv6Interface

from pybpfnf.lab.topology import Topology

_PLAN = IPv6Address("fd00::")
_LINK_LOCAL = IPv6Address("fe80::")


def addresses_of(topology: Topology) -> Mapping[str, tuple[IPv6Interface, ...]]:
    """Each node's own addresses, those given or one of the plan: numbers that the topology uses itself are passed over."""
    taken = {each.ip for node in topology.nodes for each in node.addresses or ()}
    taken |= {each.ip for link in topology.links for end in link.ends for each in end.addresses}
    found = {}
    for number, node in enumerate(topology.nodes, 1):
        if node.addresses is not None:
            found[node.name] = node.addresses
            continue
        while _PLAN + number in taken:
            number += len(topology.nodes)
        taken.add(_PLAN + number)
        found[node.name] = (IPv6Interface(_PLAN + number),)
    return found


def link_local(number: int) -> IPv6Address:
    """Of every device of the node of this number, from 1."""
    return _LINK_LOCAL + number


def mac(link: int, end: int) -> str:
    """The hardware address of an end (0 or 1) of the link of this number, from 0: locally administered."""
    return f"02:00:00:{link >> 8:02x}:{link & 0xFF:02x}:{end:02x}"
