"""Everything that is wrong with a topology, each mistake with the place in it: by keys and positions, as a file has them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from ipaddress import IPv6Address, IPv6Interface, IPv6Network
from typing import final

from pybpfnf.abi.headers import HEADERS
from pybpfnf.errors import InputError
from pybpfnf.lab import limits
from pybpfnf.lab.behaviours import mistake_of
from pybpfnf.lab.functions import target_of
from pybpfnf.lab.places import Path
from pybpfnf.lab.routing import Ways, find_ways
from pybpfnf.lab.topology import ROUTE_TYPES, ROUTINGS, Bytes, End, Function, Route, Sid, Topology, device_names
from pybpfnf.records import dataclass
from pybpfnf.targets import locate

LONGEST_NAME = 32  # of a lab
_LAB = re.compile(rf"[a-z0-9](?:[a-z0-9-]{{0,{LONGEST_NAME - 2}}}[a-z0-9])?")
_DEVICE = re.compile(r"[a-z][a-z0-9_-]{0,14}")  # 15: IFNAMSIZ without its final zero
_RESERVED = ("lo", "all", "default")  # a device's, and two that sysctls have beside devices
_ETHERNET_SIZE = HEADERS["ethernet"].size
_MIN_MTU, _MAX_MTU = 1280, 65535  # RFC 8200 section 5
_UNUSABLE = (IPv6Network("ff00::/8"), IPv6Network("fe80::/10"), IPv6Network("::ffff:0:0/96"), IPv6Network("::/127"))


@final
@dataclass(frozen=True, slots=True)
class Mistake:
    """`at`: the place in the topology, as a file has it, or `else_at`; with `key` it is the key that is wrong, not its value."""

    at: Path
    code: str
    message: str
    hint: str | None = None
    key: bool = False
    else_at: Path = ()


def mistakes(topology: Topology) -> list[Mistake]:
    """Empty where it is right: then it can be planned, and what is planned can be made."""
    if not topology.nodes:
        return [Mistake((), "lab-value", "a topology without nodes", "write a table for each node: [nodes.r1]")]
    found = [*_whole(topology), *_names(topology), *_links(topology)]
    return found or [*_addresses(topology), *_behaviours(topology), *_routes(topology)]


def checked(topology: Topology) -> Topology:
    """The topology itself; raises InputError with the first mistake."""
    for each in mistakes(topology):
        place = ".".join(str(part) for part in each.at)
        raise InputError(f"topology {topology.name}: {place}: {each.message}", hint=each.hint)
    return topology


def _whole(topology: Topology) -> Iterator[Mistake]:
    if _LAB.fullmatch(topology.name) is None:
        text = f"`{topology.name}` cannot be the name of a lab: up to {LONGEST_NAME} small letters, digits and `-` between them"
        yield Mistake(("name",), "lab-value", text, 'as in `name = "two-nodes"`')
    if topology.routing not in ROUTINGS:
        yield Mistake(("routing",), "lab-value", f"`{topology.routing}` is no way to find routes", f"there are: {', '.join(ROUTINGS)}")


def _names(topology: Topology) -> Iterator[Mistake]:
    seen: set[str] = set()
    for node in topology.nodes:
        if not _is_device(node.name):
            text = f"`{node.name}` cannot be the name of a node: devices are called as the node behind them"
            hint = f"a small letter, then up to 14 small letters, digits, `-` and `_`; not {', '.join(_RESERVED)}"
            yield Mistake(("nodes", node.name), "lab-name", text, hint, key=True)
        if node.name in seen:
            yield Mistake(("nodes", node.name), "lab-name", f"a second node `{node.name}`", key=True)
        seen.add(node.name)


# -------------------------------------------------------------------------------------------------------------- links


def _links(topology: Topology) -> Iterator[Mistake]:
    names = [node.name for node in topology.nodes]
    titles: set[str] = set()
    for number, link in enumerate(topology.links):
        at: Path = ("links", number)
        for position, end in enumerate(link.ends):
            if end.node not in names:
                yield Mistake((*at, "ends", position), "lab-name", f"there is no node `{end.node}`", _nearest(end.node, names))
        if link.ends[0].node == link.ends[1].node:
            yield Mistake((*at, "ends"), "lab-value", f"a link from `{link.ends[0].node}` to itself")
        if not _MIN_MTU <= link.mtu <= _MAX_MTU:
            yield Mistake((*at, "mtu"), "lab-value", f"an MTU of {link.mtu}: IPv6 needs {_MIN_MTU} to {_MAX_MTU}")
        if link.name is not None and link.name in titles:
            yield Mistake((*at, "name"), "lab-name", f"a second link `{link.name}`")
        titles.update([link.name] if link.name else [])
        alike = link.ends[0].out == link.ends[1].out  # what is wrong with both is said once
        for position, end in enumerate(link.ends[:1] if alike else link.ends):
            which = "" if alike else f", away from `{end.node}`"
            yield from _direction(end, link.mtu, (*at, ("there", "back")[position]), at, which)
    yield from _devices(topology)


def _direction(end: End, mtu: int, at: Path, link: Path, which: str) -> Iterator[Mistake]:
    """What is wrong with the way out of an end, `which` in words; what a file says of both ends alike stands in the link."""
    out = end.out
    longest = mtu + _ETHERNET_SIZE
    of = f"{which}," if which else ""
    queue = f"a queue of {out.queue.count} bytes{of} has no room for a frame of the link's MTU, which has {longest}"
    late = f"a jitter of more than the delay{which}: frames would arrive before they are sent"
    for name, is_wrong, message in (
        ("delay", out.delay < 0, "a delay cannot be negative"),
        ("jitter", out.jitter < 0, "a jitter cannot be negative"),
        ("jitter", out.jitter > out.delay >= 0, late),
        ("loss", not 0 <= out.loss <= 1, f"a loss of {out.loss}: it is a share from 0 to 1"),
        ("rate", out.rate is not None and out.rate < 1, "a rate of 0 would carry nothing"),
        ("queue", out.queue.count < 1, "a queue of 0 would carry nothing"),
        ("queue", out.rate is not None and isinstance(out.queue, Bytes) and 1 <= out.queue.count < longest, queue),
    ):
        if is_wrong:
            yield Mistake((*at, name), "lab-value", message, else_at=(*link, name))


def _is_device(name: str) -> bool:
    return _DEVICE.fullmatch(name) is not None and name not in _RESERVED


def _devices(topology: Topology) -> Iterator[Mistake]:
    seen: set[tuple[str, str]] = set()
    for number, (link, devices) in enumerate(zip(topology.links, device_names(topology.links), strict=True)):
        for position, (end, device) in enumerate(zip(link.ends, devices, strict=True)):
            at = ("links", number, "devices", position)
            of_node = end.device is None and device == link.ends[1 - position].node  # then what is wrong is said of the node
            if not _is_device(device) and not of_node:
                text = f"`{device}` cannot be the name of a device"
                hint = 'up to 15 characters; `devices = ["...", "..."]` in the link gives both ends others'
                yield Mistake(at, "lab-name", text, hint)
            if (end.node, device) in seen:
                yield Mistake(at, "lab-name", f"`{end.node}` has two devices `{device}`")
            seen.add((end.node, device))


# ------------------------------------------------------------------------------------------- addresses, SIDs, routes


def _addresses(topology: Topology) -> Iterator[Mistake]:
    seen: dict[IPv6Address, str] = {}
    given: list[tuple[Path, str, IPv6Interface]] = []
    for node in topology.nodes:
        given += [(("nodes", node.name, "addresses", number), node.name, each) for number, each in enumerate(node.addresses or ())]
    for number, link in enumerate(topology.links):
        for position, end in enumerate(link.ends):
            given += [(("links", number, "addresses", position), end.node, each) for each in end.addresses]
    for at, owner, address in given:
        if address.ip in seen:
            yield Mistake(at, "lab-name", f"the address {address.ip} is that of `{seen[address.ip]}` already")
        elif any(address.ip in prefix for prefix in _UNUSABLE):
            yield Mistake(at, "lab-value", f"{address.ip} cannot be a node's address", "use one of your own prefix, such as fd00::1")
        seen[address.ip] = owner


def _behaviours(topology: Topology) -> Iterator[Mistake]:
    ways = find_ways(topology)
    devices = {node.name: [device for device, _, _ in ways.neighbours[node.name]] for node in topology.nodes}
    for node in topology.nodes:
        if node.sids and not devices[node.name]:
            yield Mistake(("nodes", node.name, "sids"), "lab-value", f"`{node.name}` has SIDs and no link: no packet would reach them")
        keys = [number for number, _ in node.hmac_keys]
        for position, key in enumerate(keys):
            if not 0 < key < 1 << 32 or key in keys[:position]:
                text = f"an HMAC key has a number of its own, from 1 to {(1 << 32) - 1}"
                yield Mistake(("nodes", node.name, "hmac_keys", position, "number"), "lab-value", text)
        own = {each.ip for each in node.addresses or ()}
        seen: set[IPv6Network] = set()
        for number, sid in enumerate(node.sids):
            at: Path = ("nodes", node.name, "sids", number)
            yield from _sid(sid, at, own, devices[node.name], topology)
            if sid.prefix in seen:
                yield Mistake((*at, "sid"), "lab-name", f"a second behaviour of {_sid_text(sid.prefix)}")
            seen.add(sid.prefix)


def _sid(sid: Sid, at: Path, own: set[IPv6Address], devices: list[str], topology: Topology) -> Iterator[Mistake]:
    if any(sid.prefix.network_address in prefix for prefix in _UNUSABLE):
        yield Mistake((*at, "sid"), "lab-value", f"{sid.prefix.network_address} cannot be a SID", "use an address of your locator")
    if sid.prefix.prefixlen == 128 and sid.prefix.network_address in own:
        text = f"{sid.prefix.network_address} is the node's address too: packets would be delivered there, and not reach the SID"
        yield Mistake((*at, "sid"), "lab-name", text, "give the SID an address of its own")
    if isinstance(sid.behaviour, Function):
        yield from _function(sid.behaviour, (*at, "function"), topology)
    elif (wrong := mistake_of(sid.behaviour)) is not None:
        yield Mistake((*at, wrong.name), "lab-value", wrong.message, wrong.hint)
    else:
        for beyond in limits.of_behaviour(sid.behaviour):
            yield Mistake((*at, beyond.name), "lab-value", beyond.message)
        oif = sid.behaviour.oif
        if oif is not None and oif not in devices:
            yield Mistake((*at, "oif"), "lab-name", f"there is no device `{oif}`", _nearest(oif, devices))


def _sid_text(prefix: IPv6Network) -> str:
    return str(prefix.network_address) if prefix.prefixlen == 128 else str(prefix)


def _function(function: Function, at: Path, topology: Topology) -> Iterator[Mistake]:
    target = target_of(function, topology)
    if not isinstance(target, str):
        return
    try:
        locate(target)
    except InputError as error:
        yield Mistake(at, "lab-name", error.message, error.hint)


def _routes(topology: Topology) -> Iterator[Mistake]:
    ways = find_ways(topology)
    for node in topology.nodes:
        seen: set[tuple[IPv6Network, int, int | None]] = set()
        for number, route in enumerate(node.routes):
            at: Path = ("nodes", node.name, "routes", number)
            yield from _route(route, at, node.name, ways)
            if isinstance(route.does, Function):
                yield from _function(route.does, (*at, "function"), topology)
            if (route.prefix, route.table, route.metric) in seen:
                yield Mistake((*at, "to"), "lab-name", f"a second route to {route.prefix} of the same table and metric")
            seen.add((route.prefix, route.table, route.metric))


def _route(route: Route, at: Path, node: str, ways: Ways) -> Iterator[Mistake]:
    devices = [device for device, _, _ in ways.neighbours[node]]
    for beyond in limits.of_route(route):
        yield Mistake((*at, beyond.name), "lab-value", beyond.message)
    for position, via in enumerate(route.via):
        for beyond in limits.of_weight(via.weight):
            yield Mistake((*at, "via", position, beyond.name), "lab-value", beyond.message)
        if via.device not in devices:
            yield Mistake((*at, "via", position), "lab-name", f"`{node}` has no link `{via.device}`", _nearest(via.device, devices))
    if route.type not in ROUTE_TYPES:
        yield Mistake((*at, "type"), "lab-value", f"`{route.type}` is no type of a route", f"there are: {', '.join(ROUTE_TYPES)}")
    elif route.type != "unicast" and (route.via or route.does):
        text = f"a route of type {route.type} leads nowhere"
        yield Mistake((*at, "type"), "lab-value", text, "it has neither `via` nor an encapsulation nor a function")
    elif route.type == "unicast" and not route.via and not ways.devices(node, route):
        hint = "write `via`: the device of a link, which is called as the node behind it if nothing else is said"
        yield Mistake((*at, "to"), "lab-name", f"no way from `{node}` to {route.prefix} is known", hint)


def _nearest(name: str, among: list[str]) -> str | None:
    close = get_close_matches(name, among, 1)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"there are: {', '.join(among)}" if among else None
