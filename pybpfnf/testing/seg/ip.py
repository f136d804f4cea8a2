"""Commands between backticks that are understood, and so are not given to a shell: routes, rules, addresses, tunnel source, HMAC keys
and sysctls, as iproute2 and procps spell them. Whatever path stands before `ip` does not matter.

What follows `encap` is in `encaps`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import IPv6Interface
from typing import TypeAlias

from pybpfnf.routes import LARGEST_WEIGHT, MAIN_TABLE, Encap, Hop, Network, Route, Rule
from pybpfnf.runner import HMAC_ALGORITHMS, HMAC_SECRET_SIZE, HmacKey
from pybpfnf.testing.seg.encaps import read_encap
from pybpfnf.testing.seg.model import Action, ChangeAddress, ChangeRoute, ChangeRule, SetHmac, SetSysctl, SetTunnelSource
from pybpfnf.testing.seg.words import Line, Words

_TYPES = ("unicast", "local", "blackhole", "unreachable", "prohibit")
_ROUTE_VERBS = ("add", "append", "replace", "change", "del", "delete")
_VERSIONS = {"-6": 6, "inet6": 6, "-4": 4, "inet": 4}  # after -f or -family, or alone

_Reader: TypeAlias = Callable[[Words], Action]


def read_command(line: Line) -> Action | None:
    """None for a command that is not one of those; SegError for one of those with a mistake."""
    words = Words(line)
    program = words.take("a command").rpartition("/")[2]
    if program == "sudo" and words.here is not None:
        program = words.take("a command").rpartition("/")[2]
    if program == "sysctl":
        return _sysctl(words)
    if program != "ip":
        return None
    while words.here in _VERSIONS or words.here in ("-family", "-f"):
        words.version = _VERSIONS.get(words.take("an option"), words.version)
    begun = words.all[words.taken : words.taken + 2]
    reader = next((reader for start, reader in _IP.items() if _is_spelt(begun, start)), None)
    if reader is None:
        return None
    words.skip()
    return reader(words)


def _is_spelt(begun: list[str], start: tuple[str, tuple[str, ...]]) -> bool:
    """As iproute2: an object may be cut short (`r` is route), a verb is one of these."""
    full, verbs = start
    return len(begun) == 2 and full.startswith(begun[0]) and begun[1] in verbs


def read_route_arguments(line: Line) -> Route:
    """What follows `ip -6 route add`."""
    return _route_arguments(Words(line, version=6))


# ------------------------------------------------------------------------------------------------------------ routes


def _route(words: Words) -> Action:
    verb = words.take("a verb")
    return ChangeRoute("del" if verb == "delete" else verb, _route_arguments(words))


def _route_arguments(words: Words) -> Route:
    found = Route(_ANY_PREFIX)
    prefix: Network | None = None
    hop = Hop()
    several: list[Hop] = []
    while words.here is not None:
        if words.has("table"):
            found = replace(found, table=words.table())
        elif words.has("metric", "priority", "preference"):
            found = replace(found, metric=words.number("a metric", least=1))
        elif words.has("encap"):
            found = replace(found, encap=_only(words, found.encap))
        elif words.has("nexthop"):
            several.append(_next_hop(words))
        elif words.has("proto", "protocol", "pref", "scope"):
            words.take("its value")  # whose route it is; packets do not see it
        elif (changed := _hop_word(words, hop)) is not None:
            hop = changed
        elif words.here in _TYPES and prefix is None:
            found = replace(found, type=words.take("a type"))
        elif prefix is None:
            words.has("to")
            prefix = words.prefix()
        else:
            raise words.error(f"`{words.here}` is not understood here", hint=_ROUTE_HINT)
    if prefix is None:
        raise words.error("a route to where is missing")
    if several and hop != Hop():
        raise words.error("a route has `nexthop`s, or one `via` and `dev`")
    hops = tuple(several) or ((hop,) if hop != Hop() else ())
    if words.version is None and not prefix.prefixlen and any(each.via is not None and each.via.version == 6 for each in hops):
        prefix = _ANY_PREFIX  # `default` by a gateway of IPv6
    if any(each.via is not None and each.via.version != prefix.version for each in hops):
        raise words.error(f"{prefix} is of IPv{prefix.version}, and its gateway is not", code="seg-value")
    return replace(found, prefix=prefix, hops=hops)


_ANY_PREFIX = IPv6Interface("::/0").network
_ROUTE_HINT = "what is understood of a route: its prefix, table, metric, encap, via, dev and nexthop"


def _only(words: Words, before: Encap | None) -> Encap:
    if before is not None:
        raise words.error("a second encapsulation")
    return read_encap(words)


def _hop_word(words: Words, hop: Hop) -> Hop | None:
    """The hop with one more thing said of it; None where the next word is not about it."""
    if words.has("dev"):
        return replace(hop, device=words.take("the name of a device"))
    if words.has("via"):
        words.has("inet6", "inet")
        return replace(hop, via=words.any_address())
    return None


def _next_hop(words: Words) -> Hop:
    hop = Hop()
    while True:
        if words.has("weight"):
            hop = replace(hop, weight=words.number("a weight", 1, LARGEST_WEIGHT))
        elif (changed := _hop_word(words, hop)) is not None:
            hop = changed
        elif hop == Hop():
            raise words.error("expected `via` or `dev` after `nexthop`")
        else:
            return hop


# ------------------------------------------------------------------------------------------------- everything else


def _rule(words: Words) -> Action:
    verb = words.take("a verb")
    rule = Rule(MAIN_TABLE)
    table = None
    while words.here is not None:
        if words.has("to"):
            rule = replace(rule, to=_of_rule(words))
        elif words.has("from"):
            rule = replace(rule, source=_of_rule(words))
        elif words.has("iif", "dev"):
            rule = replace(rule, iif=words.take("the name of a device"))
        elif words.has("fwmark"):
            rule = replace(rule, mark=words.number("a mark"))
        elif words.has("priority", "pref", "preference", "order", "prio"):
            rule = replace(rule, priority=words.number("a priority"))
        elif words.has("lookup", "table"):
            table = words.table()
        else:
            raise words.error(f"`{words.here}` is not understood here", hint="what is understood: to, from, iif, fwmark, priority, lookup")
    if table is None:
        raise words.error("which table the rule leads to is missing", hint="write `lookup TABLE`")
    version = words.version or 4
    return ChangeRule("del" if verb == "delete" else verb, replace(rule, table=table, version=version))


def _of_rule(words: Words) -> Network:
    """A rule's first prefix says its IP version, where the line does not."""
    found = words.prefix()
    words.version = found.version
    return found


def _address(words: Words) -> Action:
    verb = words.take("a verb")
    text = words.take("an address")
    try:
        found = IPv6Interface(text)
    except ValueError:
        raise words.wrong(f"`{text}` is not an IPv6 address, with a length or without") from None
    while words.has("nodad", "noprefixroute"):
        pass
    if not words.has("dev"):
        raise words.error("expected `dev DEVICE`")
    device = words.take("the name of a device")
    _ended(words)
    return ChangeAddress("del" if verb == "delete" else verb, found.ip, found.network.prefixlen, device)


def _tunnel_source(words: Words) -> Action:
    words.skip()
    if not words.has("set"):
        raise words.error("expected `set`")
    address = words.address()
    _ended(words)
    return SetTunnelSource(address)


def _hmac(words: Words) -> Action:
    words.skip()
    if not words.has("set"):
        raise words.error("expected `set`")
    number = words.number("the number of an HMAC key", least=1)
    algorithm = words.choice("an algorithm", list(HMAC_ALGORITHMS))
    if words.here is None:
        raise words.error(
            "the key's secret is missing", hint="iproute2 asks for it; here it is the last word: ip sr hmac set 1042 sha256 foobar"
        )
    secret = words.take("the key's secret").encode()
    if len(secret) > HMAC_SECRET_SIZE:
        raise words.wrong(f"a secret has up to {HMAC_SECRET_SIZE} bytes")
    _ended(words)
    return SetHmac(number, HmacKey(algorithm, secret))


def _sysctl(words: Words) -> Action | None:
    """One setting of `net` with a number: `sysctl -w net.ipv6.conf.all.seg6_enabled=1`."""
    while words.has("-w", "-q", "-wq", "-qw"):
        pass
    rest = "".join(words.all[words.taken :])
    name, equals, value = rest.partition("=")
    if not equals or not name.startswith("net") or not value.lstrip("-").isdecimal():
        return None
    return SetSysctl(name.replace(".", "/").removeprefix("net/"), int(value))


def _ended(words: Words) -> None:
    if words.here is not None:
        raise words.error(f"`{words.here}` is not understood here")


_IP: Mapping[tuple[str, tuple[str, ...]], _Reader] = {
    ("route", _ROUTE_VERBS): _route,
    ("rule", ("add", "del", "delete")): _rule,
    ("address", ("add", "del", "delete")): _address,
    ("sr", ("tunsrc",)): _tunnel_source,
    ("sr", ("hmac",)): _hmac,
}
"""By object and verbs, what reads the rest."""
