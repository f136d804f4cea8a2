"""Tables, rules and the look-up of the longest prefix (net/ipv6/ip6_fib.c, fib6_rules.c)."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from dataclasses import field
from ipaddress import IPv6Address, IPv6Network
from typing import final

from pybpfnf.errors import InputError
from pybpfnf.records import dataclass
from pybpfnf.routes import DEFAULT_METRIC, LOCAL_TABLE, MAIN_TABLE, Hop, Route, Rule
from pybpfnf.vm.session import VmSession

_MAIN_PRIORITY = 32766
_DEVICELESS = {"blackhole": errno.EINVAL, "unreachable": errno.EHOSTUNREACH, "prohibit": errno.EACCES}


@final
@dataclass(slots=True)
class Entry:
    """A route's way on by one of its hops, with the programs that its encapsulation has. `error` is `dst->error`: 0 or negative."""

    route: Route
    hop: Hop
    sessions: Mapping[str, VmSession] = field(default_factory=dict)
    error: int = 0


@final
@dataclass(slots=True)
class Key:
    """What rules and tables are asked with."""

    destination: IPv6Address
    source: IPv6Address
    iif: str
    mark: int
    spread: int = 0  # which of several hops: any number, the same for a flow


@final
class Fib:
    def __init__(self) -> None:
        self._tables: dict[int, dict[IPv6Network, list[tuple[int, list[Entry]]]]] = {LOCAL_TABLE: {}, MAIN_TABLE: {}}
        self._rules = [Rule(LOCAL_TABLE, 0), Rule(MAIN_TABLE, _MAIN_PRIORITY)]

    def has_table(self, table: int) -> bool:
        return table in self._tables

    # -------------------------------------------------------------------------------------------------- look-ups

    def lookup(self, key: Key) -> Entry | None:
        """By the rules; None where no table has a route."""
        for rule in self._rules:
            found = self.lookup_in(rule.table, key) if _matches(rule, key) else None
            if found is not None:
                return found
        return None

    def lookup_in(self, table: int, key: Key) -> Entry | None:
        routes = self._tables.get(table, {})
        for length in sorted({prefix.prefixlen for prefix in routes}, reverse=True):
            groups = routes.get(IPv6Network((key.destination, length), strict=False))
            if groups:
                return _hop_for(groups[0][1], key.spread)
        return None

    # --------------------------------------------------------------------------------------------------- changes

    def add(self, verb: str, route: Route, entries: list[Entry]) -> None:
        """`add`, `append`, `replace` or `change`; raises InputError as the kernel refuses."""
        groups = self._tables.setdefault(route.table, {}).setdefault(route.prefix, [])
        metric = metric_of(route)
        at = next((index for index, (number, _) in enumerate(groups) if number == metric), None)
        if at is None:
            if verb == "change":
                raise InputError(f"there is no route to {route.prefix} to change")
            groups.append((metric, entries))
            groups.sort(key=lambda group: group[0])
        elif verb == "add":
            raise InputError(f"there is a route to {route.prefix} already", hint="`replace` puts this one in its place")
        elif verb == "append":
            groups[at] = (metric, groups[at][1] + entries)
        else:
            groups[at] = (metric, entries)

    def remove(self, route: Route) -> None:
        """The first route to the prefix that has all that `route` says; raises InputError where there is none."""
        groups = self._tables.get(route.table, {}).get(route.prefix, [])
        for index, (metric, entries) in enumerate(groups):
            if route.metric in (None, metric) and all(any(_fits(hop, entry.hop) for entry in entries) for hop in route.hops):
                del groups[index]
                if not groups:
                    del self._tables[route.table][route.prefix]
                return
        raise InputError(f"there is no such route to {route.prefix}")

    def add_rule(self, rule: Rule) -> None:
        lowest = min(each.priority or 0 for each in self._rules if each.priority)
        priority = rule.priority if rule.priority is not None else lowest - 1
        self._rules.append(Rule(rule.table, priority, rule.to, rule.source, rule.iif, rule.mark))
        self._rules.sort(key=lambda each: each.priority or 0)

    def remove_rule(self, rule: Rule) -> None:
        for index, each in enumerate(self._rules):
            same = (each.table, each.to, each.source, each.iif, each.mark) == (rule.table, rule.to, rule.source, rule.iif, rule.mark)
            if same and rule.priority in (None, each.priority):
                del self._rules[index]
                return
        raise InputError("there is no such rule")

    def entries(self) -> Iterator[Entry]:
        for table in self._tables.values():
            for groups in table.values():
                for _, entries in groups:
                    yield from entries


def metric_of(route: Route) -> int:
    return DEFAULT_METRIC if route.metric is None else route.metric


def error_of(route: Route) -> int:
    """`dst->error` of a route by its type."""
    return -_DEVICELESS.get(route.type, 0)


def _hop_for(entries: list[Entry], spread: int) -> Entry:
    """One of several hops by weight, the same for a flow; which, the kernel decides by a key of its own."""
    place = spread % sum(entry.hop.weight for entry in entries)
    for entry in entries:
        place -= entry.hop.weight
        if place < 0:
            return entry
    return entries[-1]


def _matches(rule: Rule, key: Key) -> bool:
    return (
        (rule.to is None or key.destination in rule.to)
        and (rule.source is None or key.source in rule.source)
        and rule.iif in (None, key.iif)
        and rule.mark in (None, key.mark)
    )


def _fits(wanted: Hop, found: Hop) -> bool:
    return wanted.device in (None, found.device) and wanted.via in (None, found.via)
