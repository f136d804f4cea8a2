"""End.BPF routes: a SID bound to a loaded program, in the network namespace of the socket. Validated before, read back after.

Ours carry a route protocol number of their own, so that routing daemons leave them alone and `detach` touches nothing
else: 182, which neither iproute2's rt_protos nor FRR (186 to 199, and it sweeps those on start), BIRD or babel uses.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network
from typing import final

from pyroute2.netlink.rtnl.rtmsg import rtmsg

from pybpfnf.errors import Error, InputError, KernelError, SystemLacksError
from pybpfnf.kernel import netns
from pybpfnf.kernel.bpf import Fd
from pybpfnf.kernel.links import DELROUTE, GETROUTE, MAIN_TABLE, NEWROUTE, Network, family_of
from pybpfnf.kernel.netlink import CREATE, EXCL, REPLACE, Netlink, NetlinkError, explained
from pybpfnf.kernel.route_message import DST, TABLE, RouteMessage, bpf_program, end_bpf_encap, end_bpf_program, plain_route
from pybpfnf.kernel.route_numbers import ENCAP_BPF, ENCAP_SEG6_LOCAL, PROTOCOL
from pybpfnf.records import dataclass

HOOK = "lwt_seg6local"  # the program type that an End.BPF route takes
_LOCAL_TABLE = 255
_RTN_LOCAL = 2
# include/uapi/linux/rtnetlink.h; for telling whose a route is.
_PROTOCOLS = {2: "the kernel", 3: "boot", 4: "an administrator (static)", 9: "ra", 11: "zebra", 12: "bird", 16: "dhcp",
              186: "bgp", 187: "isis", 188: "ospf", 189: "rip", 191: "nhrp", 192: "eigrp", 196: "FRR (static)",
              PROTOCOL: "pybpfnf"}  # fmt: skip
_TYPES = {1: "unicast", 2: "local", 4: "anycast", 5: "multicast", 6: "blackhole", 7: "unreachable", 8: "prohibit"}
_MULTICAST = IPv6Network("ff00::/8")
_MAPPED = IPv6Network("::ffff:0:0/96")


@final
@dataclass(frozen=True, slots=True)
class Route:
    """A route as the kernel has it. `program_id` where it is an End.BPF route, or one of ours with a program at its `place` ("in",
    "out", "xmit"; None for End.BPF); `device` is a name, that of the first next hop, "" where it has none."""

    prefix: Network
    table: int
    device: str
    protocol: int
    type: int
    metric: int
    program_id: int | None
    program_name: str | None
    place: str | None = None

    @property
    def is_ours(self) -> bool:
        return self.protocol == PROTOCOL and self.program_id is not None

    def description(self) -> str:
        """What it is, for a message: `an End.BPF route to program 12 (end_t), of zebra`."""
        owner = _PROTOCOLS.get(self.protocol, f"protocol {self.protocol}")
        device = f" on {self.device}" if self.device else ""
        if self.place is not None:
            return f"a route with the program {self.program_name} at its {self.place}{device}, of {owner}"
        if self.program_id is not None:
            return f"an End.BPF route to program {self.program_id} ({self.program_name}){device}, of {owner}"
        return f"a route of type {_TYPES.get(self.type, str(self.type))}{device}, of {owner}"


def check_sid(sid: IPv6Network) -> None:
    """Raises InputError for what the kernel would accept but never bring to the program."""
    address = sid.network_address
    for prefix, name in ((_MULTICAST, "a multicast"), (_MAPPED, "an IPv4-mapped")):
        if address in prefix:
            raise InputError(f"{sid_text(sid)} cannot be a SID: it is {name} address")
    if address.is_loopback or address.is_link_local or address.is_unspecified:
        raise InputError(f"{sid_text(sid)} cannot be a SID: routers do not forward to it", hint="use an address of your locator")


def sid_text(sid: Network) -> str:
    """`fc00:f::2`, or with its length where that is not 128."""
    return str(sid.network_address) if sid.prefixlen == sid.max_prefixlen else str(sid)


def check_table(table: int) -> None:
    if not 0 < table < 1 << 32:
        raise InputError(f"there is no routing table {table}", hint="tables have numbers from 1 to 4294967295; 254 is `main`")
    if table == _LOCAL_TABLE:
        raise InputError("table 255 is the kernel's own (local)", hint="leave it out for the main table")


def device_index(name: str) -> int:
    """The interface index of a device that can carry an End.BPF route. Raises InputError with the devices there are."""
    devices = {device: index for index, device in socket.if_nameindex()}
    if name not in devices:
        others = ", ".join(device for device in devices if device != "lo") or "none but lo"
        raise InputError(f"no device {name!r} in this network namespace", hint=f"there are: {others}")
    if name == "lo":
        raise InputError(
            "a SID on the device lo drops every packet: the kernel makes a reject route of it",
            hint="use the device that packets come in or go out by",
        )
    return devices[name]


def end_bpf_route(sid: Network, table: int, index: int, program: Fd, name: str) -> RouteMessage:
    """An End.BPF route."""
    return plain_route(sid, table, index=index).encapsulated(end_bpf_encap(program.number, name), PROTOCOL, ENCAP_SEG6_LOCAL)


def bind(netlink: Netlink, sid: IPv6Network, device: str, program: Fd, program_id: int, name: str, *, table: int = MAIN_TABLE) -> Route:
    """Add the route and read it back. Raises InputError where the SID is taken, by whatever it is; nothing is left on failure."""
    check_sid(sid)
    check_table(table)
    index = device_index(device)
    refuse_taken(netlink, sid, table)
    attempt = f"bind {sid_text(sid)} to {device}"
    try:
        netlink.send(end_bpf_route(sid, table, index, program, name).encode(), NEWROUTE, CREATE | EXCL)
    except NetlinkError as error:
        raise _refusal(attempt, error) from None
    try:
        return _read_back(netlink, sid, table, device, program_id, attempt)
    except BaseException:
        unbind(netlink, sid, program_id, table=table)
        raise


def rebind(netlink: Netlink, sid: IPv6Network, device: str, program: Fd, program_id: int, name: str, *, table: int = MAIN_TABLE) -> Route:
    """Bind a SID of ours to another program in one step: every packet comes to the one or to the other. Read back."""
    attempt = f"replace the program of {sid_text(sid)}"
    try:
        netlink.send(end_bpf_route(sid, table, device_index(device), program, name).encode(), NEWROUTE, REPLACE)
    except NetlinkError as error:
        raise _refusal(attempt, error) from None
    return _read_back(netlink, sid, table, device, program_id, attempt)


def refuse_taken(netlink: Netlink, sid: IPv6Network, table: int) -> None:
    """Raises InputError where the table has a route for exactly this SID: ours would hide behind it, or hide it."""
    for route in routes(netlink, table=table):
        if route.prefix == sid:
            raise InputError(f"the SID {sid_text(sid)} is taken in table {table}: {route.description()}", hint=_taken_hint(route))


def _taken_hint(route: Route) -> str:
    if not route.is_ours:
        return "choose another SID, or remove that route first"
    return f"detach it first: {detach_command(route.prefix, route.table)}"


def detach_command(sid: Network, table: int) -> str:
    return f"pybpfnf detach {sid_text(sid)}" + ("" if table == MAIN_TABLE else f" --table {table}")


def _refusal(attempt: str, error: NetlinkError) -> Error:
    if error.errno in (errno.EOPNOTSUPP, errno.ENOENT) or "encap" in error.text.lower():
        return SystemLacksError(
            f"cannot {attempt}: this kernel has no seg6local End.BPF routes{f' ({error.text})' if error.text else ''}",
            hint="it needs CONFIG_IPV6_SEG6_LWTUNNEL and CONFIG_IPV6_SEG6_BPF",
        )
    if error.errno == errno.ENETDOWN:
        return InputError(f"cannot {attempt}: the device is down", hint="`ip link set DEVICE up` brings it up")
    return explained(attempt, error)


def _read_back(netlink: Netlink, sid: IPv6Network, table: int, device: str, program_id: int, attempt: str) -> Route:
    for route in routes(netlink, table=table):
        if route.prefix == sid and route.protocol == PROTOCOL:
            if route.program_id != program_id or route.device != device:
                raise KernelError(f"cannot {attempt}: the kernel made {route.description()} of it", errno=errno.EPROTO)
            return route
    raise KernelError(f"cannot {attempt}: the kernel took the route, but does not have it", errno=errno.ENOENT)


def unbind(netlink: Netlink, sid: IPv6Network, program_id: int | None, *, table: int = MAIN_TABLE) -> bool:
    """Remove our route for that SID, where it leads to that program (None: to any); whether there was one. Others' routes stay."""
    for route in routes(netlink, table=table, protocol=PROTOCOL):
        if route.prefix == sid and route.is_ours and program_id in (None, route.program_id):
            _delete(netlink, route)
            return True
    return False


def _delete(netlink: Netlink, route: Route) -> None:
    message = rtmsg()
    message["family"], message["dst_len"], message["proto"] = socket.AF_INET6, route.prefix.prefixlen, PROTOCOL
    message["table"] = route.table if route.table < 256 else 0
    message["attrs"] = [
        ("RTA_DST", str(route.prefix.network_address)),
        ("RTA_TABLE", route.table),
        ("RTA_PRIORITY", route.metric),
        ("RTA_OIF", socket.if_nametoindex(route.device)),
    ]
    try:
        netlink.request(message, DELROUTE)
    except NetlinkError as error:
        if error.errno != errno.ESRCH:  # gone in the meantime: what was wanted
            raise explained(f"remove the route of {sid_text(route.prefix)}", error) from None


def routes(netlink: Netlink, *, table: int | None = None, protocol: int | None = None, family: int = socket.AF_INET6) -> Iterator[Route]:
    """The routes of a table (None: of all), of one protocol (None: of all), of a family; the kernel filters."""
    names = dict(socket.if_nameindex())
    return (_route(message, names) for message in _dump(netlink, table, protocol, family))


def messages(netlink: Netlink, prefix: Network, table: int) -> Iterator[RouteMessage]:
    """The routes to exactly this prefix in a table, as the kernel says them."""
    for message in _dump(netlink, table, None, family_of(prefix)):
        if _prefix(message) == prefix:
            yield message


def _dump(netlink: Netlink, table: int | None, protocol: int | None, family: int) -> Iterator[RouteMessage]:
    message = rtmsg()
    message["family"] = family
    if protocol is not None:
        message["proto"] = protocol
    if table is not None:
        message["table"] = table if table < 256 else 0
        message["attrs"] = [("RTA_TABLE", table)]
    try:
        answers = netlink.dump(message, GETROUTE)
    except NetlinkError as error:
        if table is not None and error.errno == errno.ENOENT:
            return  # a table without routes does not exist
        raise explained("list the routes", error) from None
    for answer in answers:
        yield RouteMessage.decode(answer)


def our_routes(netlink: Netlink) -> tuple[Route, ...]:
    """Every route of ours in the namespace."""
    families = (socket.AF_INET6, socket.AF_INET)
    return tuple(route for family in families for route in routes(netlink, protocol=PROTOCOL, family=family) if route.is_ours)


def route_of(message: RouteMessage) -> Route:
    """What a route is, in the namespace of this thread."""
    return _route(message, dict(socket.if_nameindex()))


def _route(message: RouteMessage, names: dict[int, str]) -> Route:
    program_id, name, place = _program(message)
    return Route(
        prefix=_prefix(message),
        table=message.integer(TABLE) or message.table,
        device=names.get(message.devices[0], "") if message.devices else "",
        protocol=message.protocol,
        type=message.type,
        metric=message.metric,
        program_id=program_id,
        program_name=name,
        place=place,
    )


def _prefix(message: RouteMessage) -> Network:
    address = message.get(DST)
    if message.family == socket.AF_INET:
        return IPv4Network((address or bytes(4), message.length))
    return IPv6Network((address or bytes(16), message.length))


def _program(message: RouteMessage) -> tuple[int | None, str | None, str | None]:
    """Its program's id, name and place. Of a `bpf` encapsulation the kernel tells the name alone: the id is in names of ours."""
    kind, encap = message.encapsulation or (0, b"")
    if kind == ENCAP_SEG6_LOCAL:
        found = end_bpf_program(encap)
        return (None, None, None) if found is None else (*found, None)
    bound = bpf_program(encap) if kind == ENCAP_BPF else None
    if bound is None:
        return None, None, None
    place, whole = bound
    name, _, number = whole.rpartition("#")
    ours = message.protocol == PROTOCOL and number.isdecimal()
    return (int(number), name, place) if ours else (None, whole, place)


# A setting, the value of it with which packets are dropped, and the cure. `seg6_enabled` is not among them: seg6local does
# not ask for it (it is for SRHs that end at this host: net/ipv6/exthdrs.c, ipv6_srh_rcv).
_DROPPING = (
    ("ipv6/conf/all/forwarding", 0, "this machine does not forward IPv6: sysctl -w net.ipv6.conf.all.forwarding=1"),
    ("ipv6/conf/{device}/disable_ipv6", 1, "IPv6 is off on {device}: sysctl -w net.ipv6.conf.{device}.disable_ipv6=0"),
)


def warnings_for(device: str, sid: Network) -> list[str]:
    """Why packets for a SID on `device` would not reach its function all the same, each with its cure; empty where nothing is wrong."""
    found = [text.format(device=device) for name, value, text in _DROPPING if netns.sysctl(name.format(device=device)) == value]
    with Netlink() as netlink:
        own = {route.prefix: route.device for route in routes(netlink, table=_LOCAL_TABLE) if route.type == _RTN_LOCAL}
    if sid in own:
        # The rules ask the local table first, whatever table the SID is in.
        text = f"{sid_text(sid)} is an address of this machine, on {own[sid]}: packets to it are delivered here, and no function sees them"
        found.append(f"{text}: take the address away, or choose another SID")
    return found
