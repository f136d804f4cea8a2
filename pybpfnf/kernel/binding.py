"""How a hook's program is bound to a destination: a SID's End.BPF route, or the encapsulation of a route. One row a hook."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import final

from pybpfnf.errors import InputError
from pybpfnf.kernel import lwt_routes, routes
from pybpfnf.kernel.bpf import Fd
from pybpfnf.kernel.links import Network
from pybpfnf.kernel.lwt_routes import MAX_HEADROOM, PLACES
from pybpfnf.kernel.netlink import Netlink
from pybpfnf.kernel.routes import HOOK, Route
from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Where:
    """What an attachment asks for. `device` and `via` as the user says them, None where not; `headroom` is lwt_xmit's alone."""

    prefix: Network
    table: int
    device: str | None = None
    via: str | None = None
    headroom: int | None = None


@final
@dataclass(frozen=True, slots=True)
class Plan:
    """A binding that was found possible, and not made yet. `original` is the route that it will take the place of, to be kept;
    `bind` takes the program's descriptor, id and name."""

    original: bytes | None
    bind: Callable[[Fd, int, str], Route]


def plan(netlink: Netlink, hook: str, where: Where) -> Plan:
    """Raises InputError where the binding cannot be: a SID that is taken, no such device, a route that cannot carry a program."""
    routes.check_table(where.table)
    if hook not in _PLANS:
        raise InputError(f"a program of type {hook} is bound to no route", hint=f"these are: {', '.join(_PLANS)}")
    return _PLANS[hook](netlink, hook, where)


def parse_destination(text: str) -> Network:
    """A destination as a user writes it: an address or a prefix, of IPv6 or IPv4. Raises InputError."""
    try:
        return ip_network(text)
    except ValueError as error:
        reason = "" if "does not appear to be" in str(error) else f": {error}"
        raise InputError(f"{text!r} is not an address or a prefix{reason}", hint="write it as fc00:f::2 or 2001:db8::/32") from None


def _plan_sid(netlink: Netlink, hook: str, where: Where) -> Plan:
    sid = where.prefix
    if isinstance(sid, IPv4Network):
        raise InputError(f"{sid} is not an IPv6 address or prefix, and a SID is one")
    routes.check_sid(sid)
    if where.device is None:
        raise InputError(f"the SID {routes.sid_text(sid)} needs a device", hint="name one that packets come in or go out by: --dev DEVICE")
    if where.via is not None or where.headroom is not None:
        raise InputError("a SID's packets go where its function says: --via and --headroom are for the other hooks")
    device = where.device
    routes.device_index(device)
    routes.refuse_taken(netlink, sid, where.table)
    table = where.table

    def bind(program: Fd, program_id: int, name: str) -> Route:
        return routes.bind(netlink, sid, device, program, program_id, name, table=table)

    return Plan(None, bind)


def _plan_encapsulation(netlink: Netlink, hook: str, where: Where) -> Plan:
    if where.headroom is not None and (hook != "lwt_xmit" or not 0 <= where.headroom <= MAX_HEADROOM):
        raise InputError(f"--headroom is for lwt_xmit, and at most {MAX_HEADROOM} bytes")
    via = None if where.via is None else lwt_routes.parse_gateway(where.via)
    original = lwt_routes.find_original(netlink, where.prefix, where.table)
    if original is not None and (where.device is not None or via is not None):
        raise InputError(
            f"there is a route to {routes.sid_text(where.prefix)} in table {where.table}, which keeps its next hops",
            hint="leave out --dev and --via",
        )
    base = original or lwt_routes.new_route(where.prefix, where.table, where.device, via)

    def bind(program: Fd, program_id: int, name: str) -> Route:
        return lwt_routes.bind(netlink, base, original, PLACES[hook], program, program_id, name, headroom=where.headroom)

    return Plan(None if original is None else original.encode(), bind)


_PLANS: Mapping[str, Callable[[Netlink, str, Where], Plan]] = {HOOK: _plan_sid, **dict.fromkeys(PLACES, _plan_encapsulation)}
"""By program type."""


def rebind(netlink: Netlink, route: Route, hook: str, program: Fd, program_id: int, name: str, headroom: int | None) -> Route:
    """Lead a route of ours to another program of the same hook in one step, and read it back. On failure it may lead to either."""
    if route.place is None:
        assert isinstance(route.prefix, IPv6Network)
        return routes.rebind(netlink, route.prefix, route.device, program, program_id, name, table=route.table)
    return lwt_routes.rebind(netlink, route, PLACES[hook], program, program_id, name, headroom=headroom)


def unbind(netlink: Netlink, route: Route, *, known: bool, original: bytes | None) -> None:
    """Remove a route of ours; `known` and `original` as `lwt_routes.unbind` has them."""
    if route.place is None:
        assert isinstance(route.prefix, IPv6Network)
        routes.unbind(netlink, route.prefix, route.program_id, table=route.table)
    else:
        lwt_routes.unbind(netlink, route, known=known, original=original)
