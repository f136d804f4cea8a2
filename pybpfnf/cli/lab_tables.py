"""What a topology is, and what its lab counts, as tables and as JSON."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from pybpfnf.cli.tables import Column
from pybpfnf.lab.link_specification import Counters
from pybpfnf.lab.plan import Device, Plan, PlannedLink, PlannedNode
from pybpfnf.lab.topology import Bytes, Direction, Function
from pybpfnf.lab.units import queue_text, rate_text, time_text
from pybpfnf.routes import Bpf, Encap, Seg6, Seg6Local

Counted: TypeAlias = Mapping[str, tuple[Counters, Counters]]
Row: TypeAlias = tuple[str, ...]

NODES = (Column("NODE"), Column("NAMESPACE"), Column("ADDRESSES"), Column("DEVICES"))
ROUTES = (Column("NODE"), Column("DESTINATION"), Column("WHAT"), Column("DEV"))
LINKS = (*map(Column, ("LINK", "FROM", "TO")), *(Column(name, right=True) for name in ("DELAY", "JITTER", "RATE", "QUEUE", "LOSS")))
COUNTERS = tuple(Column(name, right=True) for name in ("FRAMES", "LOST", "FULL", "OVERRUN", "LATEST"))
_NOTHING = "-"


def node_rows(planned: Plan, namespaces: Mapping[str, str]) -> list[Row]:
    return [
        (node.name, namespaces.get(node.name, _NOTHING), _listed(str(each.ip) for each in node.addresses), _listed(_devices(node)))
        for node in planned.nodes.values()
    ]


def _devices(node: PlannedNode) -> Iterator[str]:
    return (device.name for device in node.devices)


def _listed(texts: Iterator[str]) -> str:
    return ", ".join(texts) or _NOTHING


def route_rows(planned: Plan) -> list[Row]:
    """SIDs, encapsulations and functions: what a node does to packets beside forwarding them."""
    return [(node.name, *row) for node in planned.nodes.values() for row in _treatments(node)]


def _treatments(node: PlannedNode) -> Iterator[tuple[str, str, str]]:
    """A prefix, what is done to packets for it, and the devices that they leave by."""
    for route in node.routes:
        if route.encap is not None:
            yield str(route.prefix), _encap_text(route.encap), _NOTHING
    for bound in node.bound:
        hops = _NOTHING if bound.is_sid else _listed(hop.device or "" for hop in bound.route.hops)
        yield str(bound.route.prefix), f"function {_target_text(bound.function)}", hops


def _target_text(function: Function) -> str:
    target = function.target
    return os.fspath(target) if isinstance(target, str | os.PathLike) else "(of this process)"


def _encap_text(encap: Encap) -> str:
    match encap:
        case Seg6(mode=mode, segments=segments):
            return f"seg6 {mode} {','.join(map(str, segments))}"
        case Seg6Local():
            said = {"nh6": encap.nh6, "nh4": encap.nh4, "table": encap.table, "oif": encap.oif}
            parts = [f"{name} {value}" for name, value in said.items() if value is not None]
            parts += [f"segments {','.join(map(str, encap.segments))}"] if encap.segments else []
            return " ".join([encap.action, *parts])
        case Bpf():
            return "bpf"


def link_rows(planned: Plan, counted: Counted) -> list[Row]:
    """A row for each direction; the counters where there are any."""
    return [
        (*_direction_cells(link, end), *(_counter_cells(counted.get(link.name), end) if counted else ()))
        for link in planned.links
        for end in (0, 1)
    ]


def _direction_cells(link: PlannedLink, end: int) -> Row:
    (name, device), (other, _) = link.ends[end], link.ends[1 - end]
    out = device.out
    queue = _NOTHING if out.rate is None else queue_text(out.queue)
    rate = _NOTHING if out.rate is None else rate_text(out.rate)
    return link.name, name, other, time_text(out.delay), time_text(out.jitter), rate, queue, f"{out.loss * 100:g}%"


def _counter_cells(counters: tuple[Counters, Counters] | None, end: int) -> Row:
    if counters is None:
        return (_NOTHING,) * len(COUNTERS)
    way = counters[end]
    return str(way.frames), str(way.lost), str(way.full), str(way.overrun), f"{way.latest / 1e6:.3f}ms"


# --------------------------------------------------------------------------------------------------------------- JSON


def document(lab: str, planned: Plan, namespaces: Mapping[str, str], counted: Counted) -> dict[str, object]:
    """Times in nanoseconds, rates in bits a second; `namespace` is null where the lab is not up."""
    return {
        "lab": lab,
        "up": bool(namespaces),
        "nodes": [_node_document(node, namespaces.get(node.name)) for node in planned.nodes.values()],
        "links": [_link_document(link, counted.get(link.name)) for link in planned.links],
    }


def _node_document(node: PlannedNode, namespace: str | None) -> dict[str, object]:
    return {
        "name": node.name,
        "namespace": namespace,
        "addresses": [str(each) for each in node.addresses],
        "devices": {device.name: _device_document(device) for device in node.devices},
        "routes": [{"destination": prefix, "what": what} for prefix, what, _ in _treatments(node)],
    }


def _device_document(device: Device) -> dict[str, object]:
    return {"mac": device.mac, "mtu": device.mtu, "addresses": [str(device.link_local), *(str(each) for each in device.addresses)]}


def _link_document(link: PlannedLink, counters: tuple[Counters, Counters] | None) -> dict[str, object]:
    ways = [
        {"from": link.ends[end][0], "to": link.ends[1 - end][0], **_way_document(link.ends[end][1].out)}
        | ({} if counters is None else {"counters": _counter_document(counters[end])})
        for end in (0, 1)
    ]
    return {"name": link.name, "directions": ways}


def _way_document(out: Direction) -> dict[str, object]:
    unit = "bytes" if isinstance(out.queue, Bytes) else "packets"
    return {"delay": out.delay, "jitter": out.jitter, "rate": out.rate, "queue": {unit: out.queue.count}, "loss": out.loss}


def _counter_document(counters: Counters) -> dict[str, int]:
    return {name: getattr(counters, name) for name in ("frames", "bytes", "lost", "full", "overrun", "refused", "latest")}
