"""Time to run in the kernel: nanoseconds a run by BPF statistics, of each function and of the same in C, in turn on the same packets.

All programs are bound in one router of the kernel runner, each to a SID of its own, and packets come in through a packet
socket as fast as one process sends them. The kernel's figure has the helpers in it, and the two clock readings around a run.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path
from typing import final

import pybpfnf
from benchmarks import clang
from benchmarks.measure import FUNCTIONS, Spread, source
from pybpfnf.image.model import ObjectImage
from pybpfnf.kernel.info import statistics
from pybpfnf.kernel.links import MAIN_TABLE, NEWROUTE
from pybpfnf.kernel.load import LoadedProgram, load_program
from pybpfnf.kernel.netlink import CREATE, EXCL
from pybpfnf.kernel.router import IN, Router
from pybpfnf.kernel.routes import encode_end_bpf
from pybpfnf.runner import Environment
from pybpfnf.testing import packets
from pybpfnf.vm import VmRunner

_FEED = "feed0"  # the far end of the router's incoming device
_SIOCGIFHWADDR = 0x8927
_ETH_P_IPV6 = 0x86DD
_PAYLOAD = bytes(64)


@final
@dataclass(frozen=True, slots=True)
class RunTime:
    """One variant of one function. `slots` is its length, `executed` what the VM counts on the packet that was sent;
    `nanoseconds` is None where the kernel could not be asked."""

    function: str
    variant: str
    slots: int
    executed: int | None
    nanoseconds: Spread | None


def variants(function: str, has_clang: bool, where: Path) -> Mapping[str, ObjectImage]:
    """The same function several ways."""
    images = {
        "Python": pybpfnf.read(pybpfnf.build(source(function))),
        "Python, faults uncounted": pybpfnf.read(pybpfnf.build(source(function), fault_counters=False)),
    }
    if has_clang:
        clang.build(function, where / "run.o", clang.RUN_FLAGS)
        images["C"] = pybpfnf.read((where / "run.o").read_bytes())
    return images


def measure(rounds: int, count: int, *, has_clang: bool, has_kernel: bool, where: Path) -> Iterator[RunTime]:
    """Each function in turn; `count` packets a variant and round."""
    for function in FUNCTIONS:
        images = variants(function, has_clang, where)
        times = _in_kernel(images, rounds, count) if has_kernel else {}
        for index, (variant, image) in enumerate(images.items()):
            executed = _executed(image, _packet(index))
            yield RunTime(function, variant, image.program().slots, executed, times.get(variant))


def _sid(index: int) -> IPv6Address:
    return IPv6Address(f"fc00:a::{index + 1}")


def _packet(index: int) -> bytes:
    """A UDP datagram with two segments, as in the measurements of the End.BPF paper."""
    return packets.srv6(["fc00:c::1", _sid(index)], payload=packets.udp(_PAYLOAD))


def _executed(image: ObjectImage, packet: bytes) -> int | None:
    with VmRunner().open(image, image.program(), Environment()) as session:
        return session.run(packet).instructions


def _in_kernel(images: Mapping[str, ObjectImage], rounds: int, count: int) -> Mapping[str, Spread]:
    with ExitStack() as stack:
        router = stack.enter_context(Router(Environment()))
        programs: dict[str, LoadedProgram] = {}
        for index, (variant, image) in enumerate(images.items()):
            programs[variant] = stack.enter_context(load_program(image, image.program()))
            _bind(router, programs[variant], _sid(index))
        wire = stack.enter_context(_sender(router))
        stack.enter_context(statistics())
        stack.enter_context(_one_cpu())
        frames = {variant: wire.frame(_packet(index)) for index, variant in enumerate(images)}
        taken: dict[str, list[float]] = {variant: [] for variant in images}
        for _ in range(rounds):
            for variant, program in programs.items():
                taken[variant].append(_nanoseconds(program, wire, frames[variant], count))
    return {variant: Spread.of(values) for variant, values in taken.items()}


def _bind(router: Router, program: LoadedProgram, sid: IPv6Address) -> None:
    message = encode_end_bpf(IPv6Network(sid), MAIN_TABLE, router.out_index, program.fd, program.program.name)
    router.netlink.request(message, NEWROUTE, CREATE | EXCL)


def _nanoseconds(program: LoadedProgram, wire: Sender, frame: bytes, count: int) -> float:
    before = program.info()
    wire.send(frame, count)
    after = program.info()
    return (after.run_ns - before.run_ns) / (after.run_count - before.run_count)


@final
class Sender:
    """Sends frames into the router as fast as it can."""

    def __init__(self, device: str, target: bytes) -> None:
        self._target = target
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.bind((device, 0))

    def frame(self, packet: bytes) -> bytes:
        return self._target + bytes(6) + _ETH_P_IPV6.to_bytes(2, "big") + packet

    def send(self, frame: bytes, count: int) -> None:
        send = self._socket.send
        for _ in range(count):
            send(frame)

    def close(self) -> None:
        self._socket.close()


@contextmanager
def _sender(router: Router) -> Iterator[Sender]:
    with router.namespace.entered():
        sender = Sender(_FEED, _hardware_address(IN))
    try:
        yield sender
    finally:
        sender.close()


def _hardware_address(device: str) -> bytes:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as any_socket:
        answer = fcntl.ioctl(any_socket, _SIOCGIFHWADDR, struct.pack("256s", device.encode()))
    return answer[18:24]


@contextmanager
def _one_cpu() -> Iterator[None]:
    """Sender and program share one core, so that the caches are as warm as a busy router's."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
