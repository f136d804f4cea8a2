"""A node of a plan as a router in this process, with its functions bound."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import TypeAlias, final

from pybpfnf.lab.bound import Ready, place_of, ready, said_of
from pybpfnf.lab.plan import Plan, PlannedNode
from pybpfnf.live import Live
from pybpfnf.records import dataclass
from pybpfnf.routes import PLACES, Bpf, Network, ProgramRef, Route, Seg6Local
from pybpfnf.routes import Bound as Found
from pybpfnf.runner import Environment
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
    bound = [ready(each, node.name, plan) for each in node.bound]
    programs = {str(number): Found(each.prepared.image, each.prepared.program) for number, each in enumerate(bound)}
    router = VmRouter(
        lambda ref, _: programs[ref.target], _environment(node, plan, epoch), answers=True, devices=[]
    )  # fmt: skip
    with said_of(f"node {node.name}"):
        _configure(router, node, plan)
    running = {}
    for number, each in enumerate(bound):
        with said_of(f"node {node.name}"), said_of(place_of(each.bound)):
            route = _bound_route(each, str(number))
            router.change_route("add", route)
            session = next(iter(router.sessions_of(route.prefix, route.table).values()))
            live = Live(session.image, session.maps)
            live.update(each.entries)
        running[route.prefix, route.table] = Running(session, live)
    return router, running


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


def _bound_route(each: Ready, name: str) -> Route:
    route, ref = each.bound.route, ProgramRef(name)
    place = _PLACE_OF.get(each.prepared.program.type or "")
    encap = Seg6Local("End.BPF", program=ref) if place is None else Bpf(((place, ref),))
    return Route(route.prefix, route.table, route.hops, encap, route.type, route.metric)
