"""What a router is, beside the packets that it holds: all that it has been told."""

from __future__ import annotations

from dataclasses import field, replace
from typing import final

from pybpfnf.records import dataclass
from pybpfnf.routes import END_BPF, Bpf, Seg6, srh
from pybpfnf.runner import Environment
from pybpfnf.vm import ipv6
from pybpfnf.vm.router.addresses import Addresses
from pybpfnf.vm.router.fib import Entry, Fib
from pybpfnf.vm.router.settings import Settings

LOOPBACK = "lo"
LARGEST_MTU = 65535
_LOOPBACK_MTU = 65536


@final
@dataclass(frozen=True, slots=True)
class Device:
    """`neighbours`: the addresses at its other end; None: whatever is sent there is taken."""

    index: int
    mtu: int = LARGEST_MTU
    neighbours: frozenset[int] | None = None


@final
@dataclass(slots=True)
class State:
    """`ports`: of UDP, where somebody listens. `clock`: nanoseconds since 1970 that programs see, None where their sessions keep clocks
    of their own."""

    environment: Environment
    settings: Settings = field(default_factory=Settings)
    addresses: Addresses = field(default_factory=Addresses)
    fib: Fib = field(default_factory=lambda: Fib(6))
    fib_v4: Fib = field(default_factory=lambda: Fib(4))
    devices: dict[str, Device] = field(default_factory=lambda: {LOOPBACK: Device(1, _LOOPBACK_MTU)})
    ports: set[int] = field(default_factory=set)
    clock: int | None = None
    environments: dict[str, Environment] = field(default_factory=dict)

    def fib_of(self, version: int) -> Fib:
        return self.fib if version == 6 else self.fib_v4

    def environment_at(self, device: str) -> Environment:
        """What programs and actions see of the router, of a packet that came in by the device."""
        found = self.environments.get(device)
        if found is None:
            settings = self.settings
            found = self.environments[device] = replace(
                self.environment,
                hmac_keys=dict(settings.hmac_keys),
                require_hmac=settings.require_hmac(device),
                flowlabel=settings.flowlabel,
            )
        return found

    def mtu(self, entry: Entry) -> int:
        """Of a way on (`ip6_dst_mtu_maybe_forward`), without the room that its encapsulation wants (`lwtunnel_headroom`)."""
        assert entry.hop.device is not None
        whole, room = self.devices[entry.hop.device].mtu, _headroom(entry)
        return whole - room if room < whole else whole


def _headroom(entry: Entry) -> int:
    match entry.route.encap:
        case Seg6(mode="l2encap" | "l2encap.red"):
            return 0  # `seg6_lwt_headroom` counts nothing of it
        case Seg6(mode=mode, segments=segments, hmac=hmac):
            return len(srh(segments, inline=mode == "inline", hmac=hmac)) + (0 if mode == "inline" else ipv6.IPV6_SIZE)
        case Bpf(headroom=int(headroom)) if END_BPF not in entry.sessions:
            return headroom
    return 0
