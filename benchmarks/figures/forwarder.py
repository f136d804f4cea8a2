"""A router on one processor, and what a packet costs it, in processor time.

    [XDP source] feed0 = in0  [ routes ]  out0 = sink0 [nobody]

Frames leave `feed0` as a network card's would come in: `in0` takes them in its NAPI poll, makes packets of them, and the kernel forwards
them. All of it runs on one processor in the time of the thread that sends, or of that processor's ksoftirqd, and both times are read:
so a busy machine makes the measurement longer, and only by its caches wrong. What making the frames costs is measured alone and taken off.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path
from typing import Final, Self, final

from benchmarks.figures.source import LiveSource, Mix
from pybpfnf.errors import KernelError
from pybpfnf.image.model import ObjectImage
from pybpfnf.kernel import links
from pybpfnf.kernel.links import IFF_MULTICAST, IFF_NOARP, IFF_UP, NEWROUTE
from pybpfnf.kernel.load import LoadedProgram, load_program
from pybpfnf.kernel.netlink import CREATE, EXCL, Netlink
from pybpfnf.kernel.netns import Namespace, set_sysctl
from pybpfnf.kernel.router import wait_for_address
from pybpfnf.kernel.told_routes import Programs, route_message
from pybpfnf.routes import END_BPF, PLACES, Bpf, Encap, Hop, ProgramRef, Route, Seg6Local

_SYSCTLS = (
    ("ipv6/conf/default/addr_gen_mode", 1),
    ("ipv6/conf/default/accept_ra", 0),
    ("ipv6/conf/default/router_solicitations", 0),
    ("ipv6/conf/default/seg6_enabled", 1),
    ("ipv6/conf/all/seg6_enabled", 1),
)
_LOOPBACK, _IN, _FEED, _OUT, _SINK = 1, 32, 33, 34, 35
_NAMES: Final[Mapping[str, int]] = {"lo": _LOOPBACK, "in0": _IN, "feed0": _FEED, "out0": _OUT, "sink0": _SINK}
_IN_MAC = "02:00:00:00:00:01"
_MTU = 4000
_ADDRESS = IPv6Address("fc00:ff::1")
_ETHERNET = bytes.fromhex(_IN_MAC.replace(":", "")) + bytes(6) + b"\x86\xdd"
_SIOCETHTOOL, _ETHTOOL_SGRO = 0x8946, 0x2C
_PATIENCE, _PAUSE = 2.0, 0.0005
_PROGRAM = ProgramRef("figure")


def frame(packet: bytes) -> bytes:
    """The packet as it comes to the router's device."""
    return _ETHERNET + packet


@final
class Forwarder:
    """Where packets to `SINK_NETWORK` leave; all vanishes when it is closed. It works on the first processor that it may use."""

    def __init__(self, reachable: Sequence[IPv6Network]) -> None:
        self._processor = min(os.sched_getaffinity(0))
        self._ksoftirqd = _find_ksoftirqd(self._processor)
        with ExitStack() as stack:
            before = os.sched_getaffinity(0)
            os.sched_setaffinity(0, {self._processor})
            stack.callback(os.sched_setaffinity, 0, before)
            self._namespace = stack.enter_context(Namespace())
            with self._namespace.entered():
                self._netlink = stack.enter_context(Netlink())
                _build(self._netlink)
                for prefix in reachable:
                    links.add_route(self._netlink, prefix, _OUT)
            self._stack = stack.pop_all()

    def tell(self, prefix: str, encap: Encap) -> None:
        """A static route to `prefix`."""
        self._add(prefix, encap, {})

    def bind(self, prefix: str, image: ObjectImage) -> LoadedProgram:
        """A route to `prefix` with the image's only program, in the place that its section says; both until this is closed."""
        program = image.program()
        loaded = self._stack.enter_context(load_program(image, program))
        place = next((place for place, name in PLACES.items() if name == program.type), END_BPF)
        encap = Seg6Local("End.BPF", program=_PROGRAM) if place == END_BPF else Bpf(((place, _PROGRAM),))
        self._add(prefix, encap, {place: (loaded.fd, program.name)})
        return loaded

    def _add(self, prefix: str, encap: Encap, programs: Programs) -> None:
        message = route_message(Route(IPv6Network(prefix), hops=(Hop("out0"),), encap=encap), _NAMES.__getitem__, programs)
        self._netlink.send(message.encode(), NEWROUTE, CREATE | EXCL)

    def sources(self, mix: Mix) -> tuple[LiveSource, LiveSource]:
        """One that sends into the router, and one that only makes the same frames."""
        with self._namespace.entered():
            return self._stack.enter_context(LiveSource(mix, _FEED)), self._stack.enter_context(LiveSource(mix, 0))

    def nanoseconds(self, sources: tuple[LiveSource, LiveSource], count: int) -> tuple[float, float]:
        """Processor time a packet, from its making to the driver's transmit, and that of its making alone. Raises KernelError if one
        did not leave."""
        sending, making = sources
        with self._namespace.entered():
            left = _packets_sent("out0")
            whole = self._time(sending, count)
            self._until_left("out0", left + count)
            return whole / count, self._time(making, count) / count

    def _time(self, source: LiveSource, count: int) -> int:
        began = time.thread_time_ns() + self._in_ksoftirqd()
        source.send(count)
        return time.thread_time_ns() + self._in_ksoftirqd() - began

    def _in_ksoftirqd(self) -> int:
        return int(Path(f"/proc/{self._ksoftirqd}/schedstat").read_text().split()[0])

    def _until_left(self, device: str, wanted: int) -> None:
        deadline = time.monotonic() + _PATIENCE
        while (sent := _packets_sent(device)) != wanted:
            if time.monotonic() > deadline:
                raise KernelError(f"{wanted - sent} packets did not cross the router", errno=errno.EIO)
            time.sleep(_PAUSE)

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _build(netlink: Netlink) -> None:
    for name, value in _SYSCTLS:
        set_sysctl(name, value)
    links.add_veth(netlink, "in0", _IN, "feed0", _FEED, mac=_IN_MAC, peer_mac="02:00:00:00:00:03", mtu=_MTU)
    links.add_veth(netlink, "out0", _OUT, "sink0", _SINK, mac="02:00:00:00:00:02", peer_mac="02:00:00:00:00:04", mtu=_MTU)
    for index in (_IN, _FEED, _OUT, _SINK):
        links.set_flags(netlink, index, IFF_NOARP, IFF_NOARP | IFF_MULTICAST)
    for name in ("feed0", "sink0"):
        set_sysctl(f"ipv6/conf/{name}/disable_ipv6", 1)
    set_sysctl("ipv6/conf/all/forwarding", 1)
    receive_by_napi("in0")
    for index in (_LOOPBACK, _IN, _SINK, _FEED, _OUT):
        links.set_flags(netlink, index, IFF_UP, IFF_UP)
    links.add_address(netlink, _OUT, _ADDRESS, 128)
    wait_for_address(netlink, _ADDRESS)


def receive_by_napi(device: str) -> None:
    """A veth polls like a network card's driver, and takes XDP frames, where GRO is on (drivers/net/veth.c)."""
    value = ctypes.create_string_buffer(struct.pack("II", _ETHTOOL_SGRO, 1), 8)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCETHTOOL, struct.pack("16sQ16x", device.encode(), ctypes.addressof(value)))


def _packets_sent(device: str) -> int:
    for line in Path("/proc/thread-self/net/dev").read_text().splitlines():
        name, _, counts = line.partition(":")
        if name.strip() == device:
            return int(counts.split()[9])
    raise KernelError(f"the device {device} is gone", errno=errno.ENODEV)


def _find_ksoftirqd(processor: int) -> int:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                name = (entry / "comm").read_text().strip()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended
            if name == f"ksoftirqd/{processor}":
                return int(entry.name)
    raise KernelError(f"ksoftirqd/{processor} is not to be seen in /proc", errno=errno.ESRCH)
