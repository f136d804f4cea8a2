"""Tables, rules and the look-up of the longest prefix (net/ipv6/ip6_fib.c, fib6_rules.c; net/ipv4/fib_trie.c), of one IP version."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace
from typing import TypeAlias, final

from pybpfnf.errors import InputError
from pybpfnf.records import dataclass
from pybpfnf.routes import DEFAULT_METRIC, LOCAL_TABLE, MAIN_TABLE, Hop, Network, Route, Rule
from pybpfnf.vm.router.hashing import HASH_SIZE
from pybpfnf.vm.session import VmSession

_MAIN_PRIORITY = 32766
_VRF_PRIORITY = 1000  # of the rule that the first VRF brings (drivers/net/vrf.c, FIB_RULE_PREF)
_BITS = {4: 32, 6: 128}
_DEVICELESS = {"blackhole": errno.EINVAL, "unreachable": errno.EHOSTUNREACH, "prohibit": errno.EACCES}


@final
@dataclass(slots=True)
class Entry:
    """A route's way on by one of its hops, with the programs that its encapsulation has. `error` is `dst->error`: 0 or negative. `link`:
    the device that it belongs to where that is not the hop's, which is lo for addresses of the router's own."""

    route: Route
    hop: Hop
    sessions: Mapping[str, VmSession] = field(default_factory=dict)
    error: int = 0
    link: str | None = None


Groups: TypeAlias = list[tuple[int, list[Entry]]]
"""The routes to one prefix, by metric: the lowest first."""


@final
@dataclass(slots=True)
class Key:
    """What rules and tables are asked with. `iif` is LOOPBACK for packets of the router's own; `oif` the device that the way must be by,
    None for any; `vrf` the table of the VRF that the packet came in by. `spread` gives
    32 bits that are the same for a flow; it is asked where there are several hops."""

    destination: int
    source: int
    iif: str
    mark: int = 0
    oif: str | None = None
    spread: Callable[[], int] = int
    vrf: int | None = None


class _Table:
    """Routes by the length of their prefix, and by its address."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._by_length: dict[int, dict[int, Groups]] = {}
        self._levels: list[tuple[int, dict[int, Groups]]] = []  # a mask each, the longest first

    def find(self, destination: int) -> Iterator[Groups]:
        for mask, routes in self._levels:
            groups = routes.get(destination & mask)
            if groups is not None:
                yield groups

    def groups(self, prefix: Network) -> Groups:
        """The routes to a prefix; a list of its own."""
        return list(self._by_length.get(prefix.prefixlen, {}).get(int(prefix.network_address), ()))

    def put(self, prefix: Network, groups: Groups) -> None:
        """These routes to it and no others."""
        routes = self._by_length.setdefault(prefix.prefixlen, {})
        if groups:
            routes[int(prefix.network_address)] = sorted(groups, key=lambda group: group[0])
        else:
            routes.pop(int(prefix.network_address), None)
        if not routes:
            del self._by_length[prefix.prefixlen]
        lengths = sorted(self._by_length, reverse=True)
        ones = (1 << self._bits) - 1
        self._levels = [(ones >> self._bits - length << self._bits - length, self._by_length[length]) for length in lengths]

    def __iter__(self) -> Iterator[Groups]:
        return (groups for routes in self._by_length.values() for groups in routes.values())


@final
class Fib:
    def __init__(self, version: int) -> None:
        self._bits = _BITS[version]
        self._tables = {LOCAL_TABLE: _Table(self._bits), MAIN_TABLE: _Table(self._bits)}
        self._rules = [Rule(LOCAL_TABLE, 0), Rule(MAIN_TABLE, _MAIN_PRIORITY)]

    def has_table(self, table: int) -> bool:
        return table in self._tables

    # -------------------------------------------------------------------------------------------------- look-ups

    def lookup(self, key: Key) -> Entry | None:
        """By the rules; None where no table has a route."""
        rules = self._rules if key.vrf is None else sorted([*self._rules, Rule(key.vrf, _VRF_PRIORITY)], key=_priority)
        for rule in rules:
            found = self.lookup_in(rule.table, key) if self._matches(rule, key) else None
            if found is not None:
                return found
        return None

    def lookup_in(self, table: int, key: Key) -> Entry | None:
        routes = self._tables.get(table)
        if routes is None:
            return None
        for groups in routes.find(key.destination):
            for _, entries in groups:
                found = _hop_for(entries, key)
                if found is not None:
                    return found
        return None

    # --------------------------------------------------------------------------------------------------- changes

    def add(self, verb: str, route: Route, entries: list[Entry]) -> None:
        """`add`, `append`, `replace` or `change`; raises InputError as the kernel refuses."""
        table = self._tables.get(route.table, _Table(self._bits))
        groups = table.groups(route.prefix)
        metric = metric_of(route)
        at = next((index for index, (number, _) in enumerate(groups) if number == metric), None)
        if at is None:
            if verb == "change":
                raise InputError(f"there is no route to {route.prefix} to change")
            groups.append((metric, entries))
        elif verb == "add":
            raise InputError(f"there is a route to {route.prefix} already", hint="`replace` puts this one in its place")
        elif verb == "append":
            groups[at] = (metric, groups[at][1] + entries)
        else:
            groups[at] = (metric, entries)
        table.put(route.prefix, groups)
        self._tables[route.table] = table

    def remove(self, route: Route, link: str | None = None) -> None:
        """The first route to the prefix that has all that `route` says; raises InputError where there is none. Of entries of several links,
        that of `link` alone goes."""
        table = self._tables.get(route.table, _Table(self._bits))
        groups = table.groups(route.prefix)
        for index, (metric, entries) in enumerate(groups):
            if route.metric in (None, metric) and all(any(_fits(hop, entry.hop) for entry in entries) for hop in route.hops):
                kept = [entry for entry in entries if entry.link not in (None, link)]
                groups[index : index + 1] = [(metric, kept)] if kept else []
                table.put(route.prefix, groups)
                return
        raise InputError(f"there is no such route to {route.prefix}")

    def add_rule(self, rule: Rule) -> None:
        lowest = min(each.priority or 0 for each in self._rules if each.priority)
        priority = rule.priority if rule.priority is not None else lowest - 1
        self._rules.append(replace(rule, priority=priority))
        self._rules.sort(key=_priority)

    def remove_rule(self, rule: Rule) -> None:
        for index, each in enumerate(self._rules):
            same = (each.table, each.to, each.source, each.iif, each.mark) == (rule.table, rule.to, rule.source, rule.iif, rule.mark)
            if same and rule.priority in (None, each.priority):
                del self._rules[index]
                return
        raise InputError("there is no such rule")

    def _matches(self, rule: Rule, key: Key) -> bool:
        return (
            (rule.to is None or self._covers(rule.to, key.destination))
            and (rule.source is None or self._covers(rule.source, key.source))
            and rule.iif in (None, key.iif)
            and rule.mark in (None, key.mark)
        )

    def _covers(self, prefix: Network, address: int) -> bool:
        free = self._bits - prefix.prefixlen
        return address >> free == int(prefix.network_address) >> free

    def entries(self) -> Iterator[Entry]:
        for table in self._tables.values():
            for groups in table:
                for _, entries in groups:
                    yield from entries


def metric_of(route: Route) -> int:
    return DEFAULT_METRIC[route.prefix.version] if route.metric is None else route.metric


def _priority(rule: Rule) -> int:
    return rule.priority or 0


def error_of(route: Route) -> int:
    """`dst->error` of a route by its type."""
    return -_DEVICELESS.get(route.type, 0)


def _hop_for(entries: list[Entry], key: Key) -> Entry | None:
    """One of several hops by weight, the same for a flow: each has a share of the hash's values (`rt6_multipath_rebalance`)."""
    if key.oif is not None:
        entries = [entry for entry in entries if (entry.link or entry.hop.device) in (None, key.oif)]
    if len(entries) < 2:
        return entries[0] if entries else None
    place = key.spread() * sum(entry.hop.weight for entry in entries) >> 8 * HASH_SIZE
    for entry in entries:
        place -= entry.hop.weight
        if place < 0:
            return entry
    return entries[-1]


def _fits(wanted: Hop, found: Hop) -> bool:
    return wanted.device in (None, found.device) and wanted.via in (None, found.via)
