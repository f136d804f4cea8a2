"""What a router is told: its routes with their encapsulations, and its rules, as data. The VM's router and the kernel's take the same.

Names are iproute2's (`End.X`, `encap`, `in`). Segments stand in the order of travel, the first hop first; an SRH has
them the other way round (RFC 8754 section 2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Protocol, TypeAlias, final

from pybpfnf.abi.headers import HEADERS, ROUTING_TYPES, SEGMENT_SIZE, SRH_FLAGS, SRH_TLVS
from pybpfnf.errors import InputError
from pybpfnf.image.model import ObjectImage, ProgramImage
from pybpfnf.records import dataclass
from pybpfnf.runner import Event, HmacKey, MapAccess

MAIN_TABLE, LOCAL_TABLE = 254, 255  # RT_TABLE_*, include/uapi/linux/rtnetlink.h
DEFAULT_METRIC = {4: 0, 6: 1024}  # of a route that says none, by IP version: IP6_RT_PRIO_USER, include/net/ip6_route.h
PLACES = {"in": "lwt_in", "out": "lwt_out", "xmit": "lwt_xmit"}
"""Of a `bpf` encapsulation, each with the program type that it takes."""
END_BPF = "lwt_seg6local"  # the program type that End.BPF takes
Network: TypeAlias = IPv4Network | IPv6Network
LARGEST_WEIGHT = 256  # of a next hop: rtnh_hops has 8 bits, and is one less
_LARGEST_SRH = 8 * (1 + 255)  # its length field counts 8 bytes beyond the first 8, in 8 bits (RFC 8754 section 2)
_HMAC_TLV_SIZE = HEADERS["hmac_tlv"].size + 32


@final
@dataclass(frozen=True, slots=True)
class ProgramRef:
    """A program by an object file, or what stands for one, and its section or its own name; both None: the only one.

    `values`: its Config and State variables by name, as `image.configure` takes them, and entries of its maps, `NAME[KEY]`.
    """

    target: str
    section: str | None = None
    program: str | None = None
    values: tuple[tuple[str, object], ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Bound:
    """A program, found: its type is the one that its route asks for. `fill` gives its maps their first entries, or raises InputError."""

    image: ObjectImage
    program: ProgramImage
    fill: Callable[[Mapping[str, MapAccess]], None] = lambda maps: None


FindProgram: TypeAlias = Callable[[ProgramRef, str], Bound]
"""The program for a route that takes this program type; raises an `errors.Error` where there is none."""


@final
@dataclass(frozen=True, slots=True)
class Seg6:
    """`encap seg6`: a mode of `abi.seg6.ROUTE_MODES`; `hmac` is a key's number, 0 for none."""

    mode: str
    segments: tuple[IPv6Address, ...]
    hmac: int = 0


@final
@dataclass(frozen=True, slots=True)
class Seg6Local:
    """`encap seg6local`: an action of `abi.seg6.ROUTE_ACTIONS` with what it takes."""

    action: str
    nh6: IPv6Address | None = None
    nh4: IPv4Address | None = None
    table: int | None = None
    vrftable: int | None = None
    oif: str | None = None
    segments: tuple[IPv6Address, ...] = ()
    hmac: int = 0
    program: ProgramRef | None = None
    flavors: tuple[str, ...] = ()
    count: bool = False


@final
@dataclass(frozen=True, slots=True)
class Bpf:
    """`encap bpf`: programs by place."""

    programs: tuple[tuple[str, ProgramRef], ...]
    headroom: int | None = None


Encap: TypeAlias = Seg6 | Seg6Local | Bpf


@final
@dataclass(frozen=True, slots=True)
class Hop:
    """One way on: a device, a gateway, or both."""

    device: str | None = None
    via: IPv4Address | IPv6Address | None = None
    weight: int = 1


@final
@dataclass(frozen=True, slots=True)
class Route:
    """`type` is unicast, local, blackhole, unreachable or prohibit. Metric None: the default of a new route, any of one to delete. Gateways
    are of the prefix's IP version."""

    prefix: Network
    table: int = MAIN_TABLE
    hops: tuple[Hop, ...] = ()
    encap: Encap | None = None
    type: str = "unicast"
    metric: int | None = None


@final
@dataclass(frozen=True, slots=True)
class Rule:
    """Which table to look into for which packets, of the IP version `version`, which is that of its prefixes. Priority None: the highest
    number below those that are there."""

    table: int
    priority: int | None = None
    to: Network | None = None
    source: Network | None = None
    iif: str | None = None
    mark: int | None = None
    version: int = 6


@final
@dataclass(frozen=True, slots=True)
class Crossing:
    """What became of a packet that came in at a router: the packets that left, each with its device and from its IP header on, and
    one sentence that says why it did not; `log` and `events`: what programs said; `delivered`: packets that ended at the router, for who
    listens there."""

    packets: tuple[tuple[str, bytes], ...]
    reason: str | None = None
    log: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    delivered: tuple[bytes, ...] = ()


class Router(Protocol):
    """A router that can be told things and given packets. What it refuses is an `errors.Error`, and leaves it as it was.

    Verbs are iproute2's: add, append, replace, change, del.
    """

    def add_device(self, name: str) -> None: ...
    def change_route(self, verb: str, route: Route) -> None: ...
    def change_rule(self, verb: str, rule: Rule) -> None: ...
    def change_address(self, verb: str, address: IPv6Address, length: int, device: str) -> None: ...
    def set_tunnel_source(self, address: IPv6Address) -> None: ...
    def set_hmac_key(self, number: int, key: HmacKey) -> None: ...
    def set_sysctl(self, name: str, value: int) -> None:
        """`name` is the path below /proc/sys/net."""
        ...

    def receive(self, device: str, packet: bytes) -> Crossing:
        """A packet, from its IP header on, that comes in at a device."""
        ...

    def close(self) -> None: ...


def most_segments(*, inline: bool = False, hmac: int = 0) -> int:
    """For how many of a route's the SRH of `srh` has room."""
    return (_LARGEST_SRH - HEADERS["srh"].size - (_HMAC_TLV_SIZE if hmac else 0)) // SEGMENT_SIZE - inline


def srh(segments: Sequence[IPv6Address], *, inline: bool = False, hmac: int = 0) -> bytes:
    """The SRH that a route is told, as iproute2 makes it; `inline` leaves room for the packet's own destination as the last segment.

    Raises InputError for more segments than there is room for."""
    if len(segments) > most_segments(inline=inline, hmac=hmac):
        raise InputError(f"an SRH has room for {most_segments(inline=inline, hmac=hmac)} segments here, and these are {len(segments)}")
    entries = [IPv6Address(0)] * inline + list(reversed(segments))
    size = HEADERS["srh"].size + SEGMENT_SIZE * len(entries) + (_HMAC_TLV_SIZE if hmac else 0)
    last = len(entries) - 1
    fixed = bytes((0, size // 8 - 1, ROUTING_TYPES["srh"], last, last, SRH_FLAGS["hmac"] if hmac else 0, 0, 0))
    tlv = bytes((SRH_TLVS["hmac"], _HMAC_TLV_SIZE - 2, 0, 0)) + hmac.to_bytes(4, "big") + bytes(32) if hmac else b""
    return fixed + b"".join(entry.packed for entry in entries) + tlv
