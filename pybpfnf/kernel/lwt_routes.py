"""Programs of lwt_in, lwt_out and lwt_xmit bound to routes: an existing route keeps its next hops, metric and table under the
encapsulation, and is put back as it was. Works in the network namespace of the socket.

The kernel tells of such a program only its name (net/core/lwt_bpf.c, bpf_fill_lwt_prog), so the name says the program's id too:
`shape#12`.
"""

from __future__ import annotations

import errno
import socket
from ipaddress import IPv4Address, IPv6Address

from pybpfnf.errors import InputError, KernelError, SystemLacksError
from pybpfnf.kernel.bpf import Fd
from pybpfnf.kernel.links import DELROUTE, NEWROUTE, Network
from pybpfnf.kernel.netlink import CREATE, EXCL, REPLACE, Netlink, NetlinkError, explained
from pybpfnf.kernel.route_message import NH_ID, RouteMessage, bpf_encap, plain_route
from pybpfnf.kernel.route_numbers import PROTOCOL
from pybpfnf.kernel.routes import Route, detach_command, device_index, messages, route_of, routes, sid_text

PLACES = {"lwt_in": "in", "lwt_out": "out", "lwt_xmit": "xmit"}
"""By program type, where at a route the program runs."""

MAX_HEADROOM = 256  # LWT_BPF_MAX_HEADROOM
_RTN_UNICAST = 1
_RTPROT_BOOT = 3
_LONGEST_NAME = 255

Address = IPv4Address | IPv6Address


def find_original(netlink: Netlink, prefix: Network, table: int) -> RouteMessage | None:
    """The route that packets for the prefix take, the one with the lowest metric; None where there is none.

    Raises InputError for one that is ours already, or that could not be put back as it was.
    """
    found = sorted(messages(netlink, prefix, table), key=lambda message: message.metric)
    if not found:
        return None
    problem = _why_not(found[0])
    if problem is not None:
        route = route_of(found[0])
        raise InputError(f"the route {sid_text(prefix)} in table {table} cannot carry a program: {problem}", hint=_hint(route))
    return found[0]


def _why_not(message: RouteMessage) -> str | None:
    if message.encapsulation is not None:
        return f"it has an encapsulation already, {route_of(message).description()}"
    if message.type != _RTN_UNICAST:
        return f"it is {route_of(message).description()}"
    if message.get(NH_ID) is not None:
        return "its next hops are a nexthop object, which has no encapsulation beside it"
    return "it will expire, as router advertisements say" if message.expires else None


def _hint(route: Route) -> str:
    if route.is_ours:
        return f"detach it first: {detach_command(route.prefix, route.table)}"
    return "add a route of your own for the prefix, or choose a longer one with --dev or --via"


def new_route(prefix: Network, table: int, device: str | None, via: Address | None) -> RouteMessage:
    """A route to the prefix through a device, a gateway, or both. Raises InputError where neither is given."""
    if device is None and via is None:
        raise InputError(
            f"there is no route to {sid_text(prefix)} in table {table}", hint="say where its packets go: --dev DEVICE, --via ADDRESS"
        )
    if via is not None and via.version != prefix.version:
        raise InputError(f"{via} is no gateway of an IPv{prefix.version} route")
    index = None if device is None else device_index(device)
    return plain_route(prefix, table, index=index, gateway=None if via is None else via.packed)


def bind(
    netlink: Netlink, base: RouteMessage, original: RouteMessage | None, place: str, program: Fd, program_id: int, name: str, *,
    headroom: int | None = None,
) -> Route:  # fmt: skip
    """Put the program at `place` of the route `base`, in one step with taking the place of `original`, and read it back.

    Nothing is left on failure, and the original is as it was.
    """
    _put(netlink, base, CREATE | EXCL if original is None else REPLACE, place, program, program_id, name, headroom)
    try:
        return _read_back(netlink, base, program_id)
    except BaseException:
        restore(netlink, base, original)
        raise


def rebind(netlink: Netlink, route: Route, place: str, program: Fd, program_id: int, name: str, *, headroom: int | None = None) -> Route:
    """Put another program at `place` of a route of ours, in one step: every packet comes to the one or to the other. Read back."""
    for message in messages(netlink, route.prefix, route.table):
        found = route_of(message)
        if found.is_ours and found.metric == route.metric:
            base = message.bare(PROTOCOL)
            _put(netlink, base, REPLACE, place, program, program_id, name, headroom)
            return _read_back(netlink, base, program_id)
    raise InputError(f"the route {sid_text(route.prefix)} is gone", hint=detach_command(route.prefix, route.table))


def _put(
    netlink: Netlink, base: RouteMessage, flags: int, place: str, program: Fd, program_id: int, name: str, headroom: int | None
) -> None:
    """The route `base` with a program."""
    suffix = f"#{program_id}"
    encap = bpf_encap(place, program.number, name[: _LONGEST_NAME - len(suffix)] + suffix, headroom)
    attempt = _attempt(base)
    try:
        netlink.send(base.encapsulated(encap, PROTOCOL).encode(), NEWROUTE, flags)
    except NetlinkError as error:
        if error.errno == errno.ENETDOWN:
            raise InputError(f"cannot {attempt}: the device is down", hint="`ip link set DEVICE up` brings it up") from None
        if error.errno == errno.EOPNOTSUPP:
            raise SystemLacksError(
                f"cannot {attempt}: this kernel has no programs on routes", hint="it needs CONFIG_LWTUNNEL_BPF"
            ) from None
        raise explained(attempt, error) from None


def _read_back(netlink: Netlink, base: RouteMessage, program_id: int) -> Route:
    wanted = route_of(base)
    for route in routes(netlink, table=wanted.table, protocol=PROTOCOL, family=base.family):
        if route.prefix == wanted.prefix and route.program_id == program_id:
            return route
    raise KernelError(f"cannot {_attempt(base)}: the kernel took the route, but does not have it", errno=errno.ENOENT)


def _attempt(base: RouteMessage) -> str:
    return f"put a program on the route {sid_text(route_of(base).prefix)}"


def restore(netlink: Netlink, ours: RouteMessage, original: RouteMessage | None) -> None:
    """Take our route away: the original stands in its place in one step, nothing where there was none."""
    attempt = f"put the route {sid_text(route_of(ours).prefix)} back"
    try:
        if original is None:
            netlink.send(ours.bare(PROTOCOL).encode(), DELROUTE)
        else:
            netlink.send(original.encode(), NEWROUTE, REPLACE)
    except NetlinkError as error:
        if error.errno not in (errno.ESRCH, errno.ENOENT):  # gone in the meantime, and not ours to bring back
            raise explained(attempt, error) from None


def unbind(netlink: Netlink, route: Route, *, known: bool, original: bytes | None) -> None:
    """Remove our encapsulation. `known`: whether what was there before is on record, as `original`; where it is not, the route
    stays with its next hops, as one of boot."""
    ours = next((message for message in messages(netlink, route.prefix, route.table) if route_of(message) == route), None)
    if ours is None:
        return  # gone in the meantime, and not ours to bring back
    before = ours.bare(_RTPROT_BOOT) if not known else None if original is None else RouteMessage.read(original)
    restore(netlink, ours, before)


def parse_gateway(text: str) -> Address:
    """A gateway as a user writes it. Raises InputError."""
    for family, kind in ((socket.AF_INET, IPv4Address), (socket.AF_INET6, IPv6Address)):
        try:
            socket.inet_pton(family, text)
        except OSError:
            continue
        return kind(text)
    raise InputError(f"{text!r} is not an IP address")
