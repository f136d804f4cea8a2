"""A topology as data: nodes, and the links between them with what each direction does to frames. Nothing here acts on it.

A frame that a node sends into a `Direction`, at a time t,

1. is lost with the probability `loss`;
2. waits until those before it are sent; where the frames that wait, and the one that is being sent, fill `queue`, it is dropped;
3. is sent in `size * 8 / rate` seconds, its size counted from the Ethernet header on, without the frame check sequence;
4. arrives `delay` after its last bit was sent, give or take up to `jitter`, every value as likely as any other; not before a frame
   that was sent before it, unless `reorder` allows that.

Times are whole nanoseconds. What is random comes from `seed`, one sequence for each direction (`lab.direction`).
"""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Interface, IPv6Network
from pathlib import Path
from typing import TypeAlias, final

from pybpfnf.records import dataclass
from pybpfnf.routes import MAIN_TABLE, Seg6, Seg6Local
from pybpfnf.runner import HmacKey
from pybpfnf.targets import Target

DEFAULT_MTU = 1500
ROUTINGS = ("shortest", "hops", "none")
"""How routes that the topology does not say are found: by the sum of delays, and of equal ones the fewest hops; by hops; not at all."""

ROUTE_TYPES = ("unicast", "blackhole", "unreachable", "prohibit")


@final
@dataclass(frozen=True, slots=True)
class Packets:
    """A queue of so many frames."""

    count: int


@final
@dataclass(frozen=True, slots=True)
class Bytes:
    """A queue of frames of so many bytes together."""

    count: int


Queue: TypeAlias = Packets | Bytes


@final
@dataclass(frozen=True, slots=True)
class Direction:
    """What one direction of a link does to frames. `delay` and `jitter` in nanoseconds, `rate` in bits a second (None: no bound),
    `loss` from 0 to 1."""

    delay: int = 0
    jitter: int = 0
    rate: int | None = None
    queue: Queue = Packets(1000)
    loss: float = 0.0
    reorder: bool = False


@final
@dataclass(frozen=True, slots=True)
class End:
    """One end of a link: the node's device, by default called as the node at the other end. `out` is the direction away from it."""

    node: str
    out: Direction = Direction()
    device: str | None = None
    addresses: tuple[IPv6Interface, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Link:
    """Two ends; `mtu` is the largest IP packet of both. Without a name it is called by its nodes, `r1-r2`."""

    ends: tuple[End, End]
    mtu: int = DEFAULT_MTU
    name: str | None = None


@final
@dataclass(frozen=True, slots=True)
class Function:
    """A network function: what `pybpfnf.attach` takes for a target, with values of its Config, its States and first entries of maps."""

    target: Target
    values: tuple[tuple[str, object], ...] = ()
    program: str | None = None


@final
@dataclass(frozen=True, slots=True)
class Sid:
    """A segment identifier, or a prefix of them, in the main table, and what it does."""

    prefix: IPv6Network
    behaviour: Seg6Local | Function


@final
@dataclass(frozen=True, slots=True)
class Via:
    """A next hop: the other end of the link that this device belongs to."""

    device: str
    weight: int = 1


@final
@dataclass(frozen=True, slots=True)
class Route:
    """A route of one node. No `via`: the next hops that are found for the prefix, else for the first segment.

    `does`: an encapsulation, or a function of the hooks lwt_in, lwt_out, lwt_xmit. `type` is one of `ROUTE_TYPES`.
    """

    prefix: IPv6Network
    via: tuple[Via, ...] = ()
    does: Seg6 | Function | None = None
    table: int = MAIN_TABLE
    metric: int | None = None
    type: str = "unicast"


@final
@dataclass(frozen=True, slots=True)
class Node:
    """A router or a host; all forward. `addresses` are its own, whatever the link; None: one is given by `lab.addressing`.

    `prefixes`: what else is routed to it, beside its addresses and SIDs. `sysctls` by their path below /proc/sys/net, `hmac_keys` by
    number. `tunnel_source`: of encapsulations, by default its first address. `clock_offset`: nanoseconds by which its clock is ahead,
    where nodes have clocks of their own (in process).
    """

    name: str
    addresses: tuple[IPv6Interface, ...] | None = None
    prefixes: tuple[IPv6Network, ...] = ()
    sids: tuple[Sid, ...] = ()
    routes: tuple[Route, ...] = ()
    sysctls: tuple[tuple[str, int], ...] = ()
    tunnel_source: IPv6Address | None = None
    hmac_keys: tuple[tuple[int, HmacKey], ...] = ()
    clock_offset: int = 0


@final
@dataclass(frozen=True, slots=True)
class Topology:
    """`name` is of letters, digits and `-`; `directory`: where files that functions name are."""

    name: str
    nodes: tuple[Node, ...]
    links: tuple[Link, ...] = ()
    routing: str = "shortest"
    seed: int = 0
    directory: Path = Path()

    def node(self, name: str) -> Node:
        """Raises KeyError."""
        found = next((node for node in self.nodes if node.name == name), None)
        if found is None:
            raise KeyError(name)
        return found


def link_names(links: tuple[Link, ...]) -> tuple[str, ...]:
    """The links' own names, else by their nodes: `r1-r2`, and `r1-r2-2` for a second between the same."""
    taken = {link.name for link in links if link.name is not None}
    return tuple(link.name or _free("-".join(end.node for end in link.ends), taken) for link in links)


def device_names(links: tuple[Link, ...]) -> tuple[tuple[str, str], ...]:
    """The devices of each link's two ends, as given or by the node at the other end: `r2`, and `r2-2`, `r2-3` for more links to it."""
    taken: dict[str, set[str]] = {end.node: set() for link in links for end in link.ends}
    for link in links:
        for end in link.ends:
            taken[end.node].update([end.device] if end.device else [])
    found = []
    for link in links:
        pairs = zip(link.ends, reversed(link.ends), strict=True)
        first, second = (end.device or _free(other.node, taken[end.node]) for end, other in pairs)
        found.append((first, second))
    return tuple(found)


def _free(wanted: str, taken: set[str]) -> str:
    """The name, or with the first number that is free; taken from then on."""
    number, name = 1, wanted
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    taken.add(name)
    return name
