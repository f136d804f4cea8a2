"""A node of a plan as a router in this process, with its functions bound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from typing import TypeAlias, final

from pybpfnf.errors import InputError
from pybpfnf.lab.functions import target_of
from pybpfnf.lab.plan import Bound, Plan, PlannedNode
from pybpfnf.live import Live
from pybpfnf.live.changes import without_entries
from pybpfnf.records import dataclass
from pybpfnf.routes import END_BPF, PLACES, Bpf, Network, ProgramRef, Route, Seg6Local
from pybpfnf.routes import Bound as Found
from pybpfnf.runner import Environment
from pybpfnf.targets import Prepared, prepare
from pybpfnf.vm.router.router import VmRouter
from pybpfnf.vm.router.state import LOOPBACK
from pybpfnf.vm.session import VmSession

_LINK_LOCAL_LENGTH = 64
_PLACE_OF = {type_name: place for place, type_name in PLACES.items()}
Place: TypeAlias = tuple[Network, int]
"""What a function is bound to: the prefix and the table of its route."""


@final
@dataclass(frozen=True, slots=True)
class Running:
    """A function on a node."""

    session: VmSession
    live: Live


def build_router(node: PlannedNode, plan: Plan, epoch: int) -> tuple[VmRouter, Mapping[Place, Running]]:
    """`epoch`: nanoseconds since 1970 of the lab's beginning. Raises CompileError and InputError for a function that is wrong."""
    prepared = [(bound, *_prepare(bound, plan)) for bound in node.bound]
    programs = {str(number): Found(each.image, each.program) for number, (_, each, _) in enumerate(prepared)}
    router = VmRouter(
        lambda ref, _: programs[ref.target], _environment(node, plan, epoch), answers=True, devices=[]
    )  # fmt: skip
    with _told(node):
        _configure(router, node, plan)
    running = {}
    for number, (bound, each, entries) in enumerate(prepared):
        with _told(node):
            route = _bound_route(bound, each, str(number))
            router.change_route("add", route)
        session = next(iter(router.sessions_of(route.prefix, route.table).values()))
        live = Live(session.image, session.maps)
        live.update(entries)
        running[route.prefix, route.table] = Running(session, live)
    return router, running


@contextmanager
def _told(node: PlannedNode) -> Iterator[None]:
    """What the router refuses is said with the node's name."""
    try:
        yield
    except InputError as error:
        raise InputError(f"node {node.name}: {error.message}", hint=error.hint) from None


def _prepare(bound: Bound, plan: Plan) -> tuple[Prepared, Mapping[str, object]]:
    """The program with its Config, and its first entries of maps and States."""
    variables, entries = without_entries(dict(bound.function.values))
    return prepare(target_of(bound.function, plan.topology), variables, program=bound.function.program), entries


def _environment(node: PlannedNode, plan: Plan, epoch: int) -> Environment:
    """Clocks that are at `epoch` where the lab begins, `clock_offset` apart; the seed is one of the node's own."""
    seed = blake2b(f"{plan.topology.seed}/{node.name}".encode(), digest_size=8).digest()
    bare = Environment(seed=int.from_bytes(seed, "big"))
    return Environment(clock_tai=epoch + node.clock_offset + bare.tai_offset, seed=bare.seed)


def _configure(router: VmRouter, node: PlannedNode, plan: Plan) -> None:
    for device in node.devices:
        _, peer = plan.links[device.link].ends[1 - device.end]
        router.add_device(device.name, device.mtu, [peer.link_local, *(each.ip for each in peer.addresses)])
    for name, value in node.sysctls:
        router.set_sysctl(name, value)
    for address in node.addresses:
        router.change_address("add", address.ip, address.network.prefixlen, LOOPBACK)
    for device in node.devices:
        router.change_address("add", device.link_local, _LINK_LOCAL_LENGTH, device.name)
        for address in device.addresses:
            router.change_address("add", address.ip, address.network.prefixlen, device.name)
    if node.tunnel_source is not None:
        router.set_tunnel_source(node.tunnel_source)
    for number, key in node.hmac_keys:
        router.set_hmac_key(number, key)
    for route in node.routes:
        router.change_route("add", route)


def _bound_route(bound: Bound, prepared: Prepared, name: str) -> Route:
    """Raises InputError for a function of a hook that the place does not have."""
    route, type_name, ref = bound.route, prepared.program.type, ProgramRef(name)
    if bound.is_sid and type_name == END_BPF:
        encap: Seg6Local | Bpf = Seg6Local("End.BPF", program=ref)
    elif not bound.is_sid and type_name in _PLACE_OF:
        encap = Bpf(((_PLACE_OF[type_name], ref),))
    else:
        what, takes = ("a SID", END_BPF) if bound.is_sid else ("a route", ", ".join(_PLACE_OF))
        raise InputError(f"{prepared.program.name} is {type_name}, and {what} takes {takes}", hint=f"it is bound to {route.prefix}")
    return Route(route.prefix, route.table, route.hops, encap, route.type, route.metric)
