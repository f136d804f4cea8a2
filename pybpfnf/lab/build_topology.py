"""A topology of a TOML document, whatever is wrong in it noted in its place. What cannot be read is left out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv6Interface
from pathlib import Path as FilePath
from typing import TypeAlias, final

from pybpfnf.abi.seg6 import FLAVORS, ROUTE_MODES
from pybpfnf.errors import InputError
from pybpfnf.lab.addressing import addresses_of
from pybpfnf.lab.behaviours import BEHAVIOURS, EVERYWHERE
from pybpfnf.lab.check import LONGEST_NAME, Mistake
from pybpfnf.lab.tables import Abandoned, Table, array, integer, mapping, text, truth, unit_text
from pybpfnf.lab.topology import DEFAULT_MTU, Direction, End, Function, Link, Node, Route, Sid, Topology, Via
from pybpfnf.lab.units import read_queue, read_rate, read_share, read_time
from pybpfnf.lab.written import Addresses, interface, ipv4, prefix, sysctls
from pybpfnf.records import dataclass
from pybpfnf.routes import MAIN_TABLE, Seg6, Seg6Local
from pybpfnf.runner import HMAC_ALGORITHMS, HmacKey

Interfaces: TypeAlias = tuple[IPv6Interface, ...]


@final
@dataclass(frozen=True, slots=True)
class Built:
    """The topology is whole where there are no mistakes."""

    topology: Topology
    mistakes: tuple[Mistake, ...]


def build_topology(document: Mapping[str, object], path: FilePath) -> Built:
    """`path` is the file's: a lab without a name is called as it."""
    mistakes: list[Mistake] = []
    top = Table(document, (), mistakes)
    tables = list(top.table("nodes").named())
    bare = Topology(
        name=top.get("name", text, _name_of(path)),
        nodes=tuple(_bare_node(name, table) for name, table in tables),
        links=tuple(link for table in top.tables("links") if (link := _link(table)) is not None),
        routing=top.get("routing", text, "shortest"),
        seed=top.get("seed", integer, 0),
        directory=path.parent,
    )
    top.ended()
    names = Addresses(addresses_of(bare))
    nodes = tuple(_node(node, table, names) for node, (_, table) in zip(bare.nodes, tables, strict=True))
    return Built(replace(bare, nodes=nodes), tuple(mistakes))


def _name_of(path: FilePath) -> str:
    """The file's own name, in the letters that a lab's name can have: `two-nodes` of `labs/Two_Nodes.toml`."""
    return re.sub(r"[^a-z0-9]+", "-", path.stem.lower())[:LONGEST_NAME].strip("-")


# -------------------------------------------------------------------------------------------------------------- nodes


def _bare_node(name: str, table: Table) -> Node:
    """With what others are told by: its addresses."""
    return Node(name, addresses=table.each("addresses", interface) if "addresses" in table else None)


def _node(bare: Node, table: Table, names: Addresses) -> Node:
    found = replace(
        bare,
        prefixes=table.each("prefixes", prefix),
        sids=tuple(sid for each in table.tables("sids") if (sid := _sid(each, names)) is not None),
        routes=tuple(route for each in table.tables("routes") if (route := _route(each, names)) is not None),
        sysctls=table.get("sysctls", sysctls, ()),
        tunnel_source=table.get("tunnel_source", names.address, None),
        hmac_keys=tuple(key for each in table.tables("hmac_keys") if (key := _hmac_key(each)) is not None),
        clock_offset=table.get("clock_offset", lambda value: read_time(unit_text(value), signed=True), 0),
    )
    table.get("addresses", array, ())  # read before, and known to be there
    table.ended()
    return found


def _hmac_key(table: Table) -> tuple[int, HmacKey] | None:
    try:
        number = table.need("number", integer)
        algorithm = table.need("algorithm", lambda value: _one_of(value, HMAC_ALGORITHMS, "HMAC algorithm"))
        key = table.need("secret", lambda value: HmacKey(algorithm, text(value).encode()))
    except Abandoned:
        return None
    table.ended()
    return number, key


def _sid(table: Table, names: Addresses) -> Sid | None:
    try:
        sid = table.need("sid", prefix)
        if ("function" in table) == ("action" in table):
            table.wrong("a SID has either an `action` or a `function`", code="lab-syntax", hint='as in `action = "End"`')
            raise Abandoned
        behaviour = _function(table) if "function" in table else _static(table, names)
    except Abandoned:
        return None
    table.ended()
    return Sid(sid, behaviour)


def _static(table: Table, names: Addresses) -> Seg6Local:
    action = table.need("action", lambda value: _one_of(value, tuple(BEHAVIOURS), "behaviour of a lab's SID", "; and functions"))
    return Seg6Local(
        action,
        nh6=table.get("nh6", names.address, None),
        nh4=table.get("nh4", ipv4, None),
        table=table.get("table", integer, None),
        oif=table.get("oif", text, None),
        segments=table.get("segments", names.segments, ()),
        hmac=table.get("hmac", integer, 0),
        flavors=table.each(EVERYWHERE[0], lambda value: _one_of(value, tuple(FLAVORS), "flavor")),
        count=table.get(EVERYWHERE[1], truth, False),
    )


def _function(table: Table) -> Function:
    target = table.need("function", text)
    values = table.get("config", mapping, {})
    return Function(target, tuple(values.items()), table.get("program", text, None))


def _route(table: Table, names: Addresses) -> Route | None:
    try:
        to = table.need("to", names.prefix)
        does = _encapsulation(table, names)
    except Abandoned:
        return None
    found = Route(
        to,
        via=_hops(table),
        does=does,
        table=table.get("table", integer, MAIN_TABLE),
        metric=table.get("metric", integer, None),
        type=table.get("type", text, "unicast"),
    )
    table.ended()
    return found


def _encapsulation(table: Table, names: Addresses) -> Seg6 | Function | None:
    if "function" in table:
        return _function(table)
    if "segments" not in table:
        return None
    segments = table.need("segments", names.segments)
    mode = table.get("mode", lambda value: _one_of(value, tuple(ROUTE_MODES), "mode"), "encap")
    return Seg6(mode, segments, table.get("hmac", integer, 0))


def _hops(table: Table) -> tuple[Via, ...]:
    """`"r2"`, or an array of such, and of `{ dev = "r2", weight = 2 }`."""

    def one(value: object) -> Via:
        if isinstance(value, str):
            return Via(value)
        said = mapping(value)
        if "dev" not in said or set(said) - {"dev", "weight"}:
            raise InputError("a next hop is a device, or a table of `dev` and `weight`", hint='as in { dev = "r2", weight = 2 }')
        return Via(text(said["dev"]), integer(said.get("weight", 1)))

    def several(value: object) -> tuple[Via, ...]:
        return tuple(one(each) for each in (value if isinstance(value, list) else [value]))

    return table.get("via", several, ())


# -------------------------------------------------------------------------------------------------------------- links


def _link(table: Table) -> Link | None:
    """What stands in the link itself is true of both directions; `there` is from its first end to its second, `back` the other."""
    try:
        nodes = table.need("ends", lambda value: _pair(value, "two nodes"), hint='as in `ends = ["r1", "r2"]`')
    except Abandoned:
        return None
    devices = table.get("devices", lambda value: _pair(value, "two devices"), (None, None))
    addresses = table.get("addresses", _address_pair, ((), ()))
    both = _direction(table, Direction())
    ends = []
    for node, device, own, name in zip(nodes, devices, addresses, ("there", "back"), strict=True):
        way = table.table(name)
        ends.append(End(node, _direction(way, both), device, own))
        way.ended()
    found = Link((ends[0], ends[1]), table.get("mtu", integer, DEFAULT_MTU), table.get("name", text, None))
    table.ended()
    return found


def _direction(table: Table, usual: Direction) -> Direction:
    return Direction(
        delay=table.get("delay", lambda value: read_time(unit_text(value)), usual.delay),
        jitter=table.get("jitter", lambda value: read_time(unit_text(value)), usual.jitter),
        rate=table.get("rate", lambda value: read_rate(unit_text(value)), usual.rate),
        queue=table.get("queue", lambda value: read_queue(unit_text(value)), usual.queue),
        loss=table.get("loss", lambda value: read_share(unit_text(value)), usual.loss),
        reorder=table.get("reorder", truth, usual.reorder),
    )


def _pair(value: object, what: str) -> tuple[str, str]:
    found = array(value)
    if len(found) != 2:
        raise InputError(f"a link has two ends: expected {what}, found {len(found)}")
    return text(found[0]), text(found[1])


def _address_pair(value: object) -> tuple[Interfaces, Interfaces]:
    """For each end an address, or an array of them."""
    found = array(value)
    if len(found) != 2:
        raise InputError(
            f"a link has two ends: expected the addresses of both, found {len(found)}", hint='as in ["fd00:12::1/64", "fd00:12::2/64"]'
        )
    first, second = (tuple(interface(one) for one in (each if isinstance(each, list) else [each])) for each in found)
    return first, second


def _one_of(value: object, among: tuple[str, ...], what: str, more: str = "") -> str:
    found = text(value)
    if found not in among:
        raise InputError(f"`{found}` is no {what}", hint=f"there are: {', '.join(among)}{more}")
    return found
